"""`lockgate.pack`: makes a bundle of a model that was fitted outside of a pipeline."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.contract.prediction import ModelFiles, WriteRequest
from lockgate.contract.tables import Schema, Table
from lockgate.data.columns.categories import category_text
from lockgate.data.columns.inputs import ColumnInput
from lockgate.data.data_contract.rules import DataContract
from lockgate.errors import LockgateError, NotCovered, UsageError
from lockgate.models.bundle.open import Bundle
from lockgate.models.converters.installed import Converters
from lockgate.models.packed.runtime.model import PackedModel
from lockgate.models.packing.assemble import assemble, check_coverage, check_threshold
from lockgate.models.packing.model_files import (
    check_written,
    format_host,
    task_of,
    write_model,
)
from lockgate.models.packing.rows import (
    Rows,
    check_fitted,
    check_sparse,
    check_target,
    count_values,
    table_from,
)
from lockgate.plugins.host.catalogue import Catalogue

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

__all__ = ["MODEL", "match_schema", "pack", "packed_bytes", "write_packed"]

MODEL = "model.packed"
"""Name of the model's file in a bundle."""


def pack(
    estimator: BaseEstimator,
    X: Rows,
    y: ArrayLike | None = None,
    *,
    name: str = "model",
    path: str | Path | None = None,
    tune: tuple[Rows, ArrayLike] | None = None,
    test: tuple[Rows, ArrayLike] | None = None,
    threshold: float | str | None = None,
    positive: object = None,
    coverage: float | None = None,
    lineage: Mapping[str, str] | None = None,
    contract: DataContract | str | Path | None = None,
    format: str = "packed",
) -> Bundle:
    """Make a bundle of a fitted model: a model file that cannot run code, and its documents.

    Parameters
    ----------
    estimator : fitted estimator
        A scikit-learn classifier, regressor, clustering, detector of anomalies, or a pipeline
        that ends in one; other libraries' models where a plugin converts them.
    X : DataFrame, Series of texts, or array, shape (n, features)
        The rows that it was fitted on, or a sample of them: its inputs, the
        reference for monitors and the probe rows are taken from here.
    y : Series, frame or array, shape (n,) or (n, targets), optional
        Its target, or the numbers of several; their names become those of the targets.
    name : str
        Name of the model.
    path : path-like, optional
        Directory to write; by default `name` in the current directory. A bundle
        that exists is replaced in one step; anything else is an error.
    tune : (X, y), optional
        Rows that it was not fitted on, to choose a threshold and the coverage on, and for the
        reference of scores.
    test : (X, y), optional
        Rows to evaluate it on.
    threshold : float or {"f1"}, optional
        Score from which the second of two classes is predicted, or ``"f1"`` for the
        best F1 on `tune`. By default the estimator's own rule.
    positive : object
        The class of two that scores, recall and the like are about; by default the
        estimator's second, the last in sorted order: of "ja" and "nein" it is "nein".
    coverage : float, optional
        Share of later rows whose true value lies in the interval, or true class in the set, of a
        prediction; measured on `tune`. By default predictions have neither.
    lineage : mapping of str to str, optional
        What you know of its origin, e.g. ``{"commit": "1a2b3c", "data": "march.csv"}``;
        recorded as declared. The rest is recorded as unknown.
    contract : DataContract or path-like, optional
        Data contract, or its file; the rows must hold it, and the bundle carries it.
    format : str
        Plugin that writes the model, and opens it later; ``packed`` needs none.

    Returns
    -------
    Bundle
        Opened from where it was written.

    Raises
    ------
    NotCovered
        If the format cannot hold the model, or predictions would differ from the original's.
    UnknownPlugin
        If no format of this name is installed.

    Examples
    --------
    >>> import lockgate, tempfile
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> fitted = LogisticRegression(max_iter=500).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     bundle = lockgate.pack(fitted, X, y, name="iris", path=folder + "/iris")
    ...     bundle.predict_one(X.iloc[0].to_dict()).label
    0

    """
    from lockgate.data.schema import fit_schema
    from lockgate.modeling.training.estimators import order_classes
    from lockgate.modeling.training.quantiles import quantile_of

    check_threshold(threshold, tune)
    check_coverage(coverage, tune)
    rules = _read_contract(contract)
    held_out = {
        key: _pair(key, rows) for key, rows in (("tune", tune), ("test", test)) if rows is not None
    }
    host = format_host(format)
    check_fitted(estimator)
    table, frame = table_from(X, y, estimator=estimator)
    check_sparse(estimator, X)
    count = count_values(estimator, frame)
    check_target_count(table.schema, count)
    task, classes = task_of(estimator, count)
    classes = order_classes(classes, "" if positive is None else category_text(positive))
    request = WriteRequest(
        estimator=estimator,
        schema=fit_schema(table),
        task=task,
        classes=classes,
        features=frame,
    )
    written = write_model(host, format, request)
    if MODEL in written.files:  # a packed model says what it predicts
        model = PackedModel(written.files[MODEL])
        request = dataclasses.replace(request, task=model.task, classes=model.classes)
    parity = check_written(host, format, request, written)
    tables = {
        key: table_from(*rows, estimator=estimator, target=table.schema.target)[0]
        for key, rows in held_out.items()
    }
    for subject, part in {"y": table, **tables}.items():
        check_target(subject, part, request.task, request.classes)
    return assemble(
        written,
        table,
        format=format,
        task=request.task,
        classes=request.classes,
        path=Path(path or name),
        name=name,
        threshold=threshold,
        coverage=coverage,
        lineage=lineage,
        contract=rules,
        warnings=parity.warnings(),
        array_columns=tuple(map(str, frame)),
        quantile=quantile_of(estimator),
        **tables,
    )


def check_target_count(schema: Schema, count: int) -> None:
    """Raise a `UsageError` unless the rows have as many targets as the model predicts values."""
    names = schema.targets
    if count > 1 and not names:
        raise UsageError(
            f"the model predicts {count} values for each row: pass the targets, whose names "
            "become those of the values (y, a frame with a column for each)"
        )
    if names and len(names) != count:
        raise UsageError(
            f"the model predicts {count} values for each row, and the targets passed are "
            f"{', '.join(names)}: pass those that it was fitted on, in their order"
        )


def _read_contract(contract: DataContract | str | Path | None) -> DataContract | None:
    if contract is None or isinstance(contract, DataContract):
        return contract
    from lockgate.data.data_contract.file import read_contract

    return read_contract(contract)


def _pair(name: str, rows: object) -> tuple[Any, Any]:
    if not isinstance(rows, tuple) or len(rows) != 2:
        raise UsageError(f"{name}: expected a pair (X, y), got {type(rows).__name__}")
    return rows


def packed_bytes(
    estimator: BaseEstimator,
    schema: Schema,
    classes: Sequence[Any] = (),
    features: pd.DataFrame | None = None,
) -> tuple[bytes, tuple[str, ...]]:
    """Return the packed model and the steps that were covered.

    Of two `classes` the second is the positive one, whatever their order in the estimator.
    `features` are rows of training: whether missing cells of texts were None or NaN.
    """
    from lockgate.models.converters.causes import columns_of_none
    from lockgate.models.converters.convert import inputs_of, pack_estimator

    converters = Converters(Catalogue.installed())
    try:
        packed = pack_estimator(
            estimator,
            inputs_of(schema.features),
            positive=classes[1] if len(classes) == 2 else None,
            library_converters=converters,
            none_columns=() if features is None else columns_of_none(features),
        )
    except LockgateError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # an estimator may have been fitted on what no converter expects, e.g. decimals
        raise NotCovered(
            f"a step of this model cannot be packed ({type(error).__name__}: {error}); fit it on "
            "columns of plain numbers, texts, dates or truth values, or report this model"
        ) from error
    return packed.raw, packed.steps


def match_schema(schema: Schema, inputs: Sequence[ColumnInput]) -> Schema:
    """Remove features that a packed model does not need; copy what its inputs allow."""
    inputs_by_name = {column_input.name: column_input for column_input in inputs}
    features = {column.name for column in schema.features}
    columns = []
    for column in schema.columns:
        if column.name in inputs_by_name:
            column_input = inputs_by_name[column.name]
            changes: dict[str, Any] = {
                "kind": column_input.kind,
                "missing": column_input.missing,
                "unknown": column_input.unknown,
                "categories": column_input.categories if column_input.kind == "category" else (),
            }
            columns.append(dataclasses.replace(column, **changes))
        elif column.name not in features:
            columns.append(column)
    return schema.with_columns(tuple(columns))


def write_packed(
    raw: bytes,
    table: Table,
    *,
    path: Path,
    name: str,
    threshold: float | str | None = None,
    coverage: float | None = None,
    lineage: Mapping[str, str] | None = None,
    tune: Table | None = None,
    test: Table | None = None,
    contract: DataContract | None = None,
    warnings: Sequence[str] = (),
    array_columns: tuple[str, ...] = (),
) -> Bundle:
    """Write a bundle around a packed model, and open it."""
    from lockgate.data.schema import fit_schema

    model = PackedModel(raw)
    check_target_count(table.schema, model.target_count)
    for subject, part in (("the target", table), ("tune", tune), ("test", test)):
        if part is not None:
            check_target(subject, part, model.task, model.classes)
    return assemble(
        ModelFiles({MODEL: raw}, match_schema(fit_schema(table), model.inputs)),
        table,
        format="packed",
        task=model.task,
        classes=model.classes,
        path=path,
        name=name,
        threshold=threshold,
        coverage=coverage,
        lineage=lineage,
        tune=tune,
        test=test,
        warnings=warnings,
        contract=contract,
        array_columns=array_columns,
    )
