"""`lockgate.pack`: makes a bundle of a model that was fitted outside of a pipeline."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from lockgate.contract.evaluation import EvaluateRequest
from lockgate.contract.prediction import Output
from lockgate.contract.requests import numpy_backend
from lockgate.contract.tables import Schema, Table
from lockgate.data.columns.inputs import ColumnInput
from lockgate.data.columns.rejections import RejectedRows
from lockgate.errors import LockgateError, NotCovered, UsageError
from lockgate.models.bundle.environment import environment_of
from lockgate.models.bundle.manifest import MANIFEST, Hashes
from lockgate.models.bundle.open import Bundle, open_bundle
from lockgate.models.bundle.probes import probes_of
from lockgate.models.bundle.write import BundleContent, write_bundle
from lockgate.models.converters.installed import Converters
from lockgate.models.packed.runtime.model import PackedModel
from lockgate.models.packing.card import render_card
from lockgate.models.packing.rows import Rows, check_fitted, table_from
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.host import Host

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

    from lockgate.contract.prediction import Columns

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
    lineage: Mapping[str, str] | None = None,
) -> Bundle:
    """Make a bundle of a fitted model: a model file that cannot run code, and its documents.

    Parameters
    ----------
    estimator : fitted estimator
        A scikit-learn classifier, regressor, clustering, or a pipeline that ends
        in one; other libraries' models where a plugin converts them.
    X : DataFrame, Series of texts, or array, shape (n, features)
        The rows that it was fitted on, or a sample of them: its inputs, the
        reference for monitors and the probe rows are taken from here.
    y : Series or array, shape (n,), optional
        Its target; the name of the series becomes the name of the target.
    name : str
        Name of the model.
    path : path-like, optional
        Directory to write; by default `name` in the current directory. A bundle
        that exists is replaced in one step; anything else is an error.
    tune : (X, y), optional
        Rows that it was not fitted on, to choose a threshold and for the reference
        of scores.
    test : (X, y), optional
        Rows to evaluate it on.
    threshold : float or {"f1"}, optional
        Score from which the second of two classes is predicted, or ``"f1"`` for the
        best F1 on `tune`. By default the estimator's own rule.
    lineage : mapping of str to str, optional
        What you know of its origin, e.g. ``{"commit": "1a2b3c", "data": "march.csv"}``;
        recorded as declared. The rest is recorded as unknown.

    Returns
    -------
    Bundle
        Opened from where it was written.

    Raises
    ------
    NotCovered
        If a step has no packed form, or predictions would differ from the original's.

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
    from lockgate.models.converters.parity import check_parity

    _check_threshold(threshold, tune)
    table, frame = table_from(X, y)
    check_fitted(estimator, frame)
    raw, _ = packed_bytes(estimator, table.schema)
    check_parity(estimator, PackedModel(raw), frame)
    held_out = {
        key: table_from(*_pair(key, rows))[0]
        for key, rows in (("tune", tune), ("test", test))
        if rows is not None
    }
    return write_packed(
        raw,
        table,
        path=Path(path or name),
        name=name,
        threshold=threshold,
        lineage=dict(lineage or {}),
        **held_out,
    )


def _check_threshold(threshold: float | str | None, tune: object) -> None:
    if isinstance(threshold, str) and threshold == "f1" and tune is not None:
        return
    if isinstance(threshold, str) or not (threshold is None or isinstance(threshold, (int, float))):
        raise UsageError(f"threshold={threshold!r}: expected a number, or 'f1' together with tune")
    if threshold is not None and not 0 <= threshold <= 1:
        raise UsageError(f"threshold is {threshold}, expected a number from 0 to 1")


def _pair(name: str, rows: object) -> tuple[Any, Any]:
    if not isinstance(rows, tuple) or len(rows) != 2:
        raise UsageError(f"{name}: expected a pair (X, y), got {type(rows).__name__}")
    return rows


def packed_bytes(estimator: BaseEstimator, schema: Schema) -> tuple[bytes, tuple[str, ...]]:
    """Return the packed model and the steps that were covered."""
    from lockgate.models.converters.convert import inputs_of, pack_estimator

    converters = Converters(Catalogue.installed())
    try:
        packed = pack_estimator(
            estimator, inputs_of(schema.features), library_converters=converters
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
    lineage: Mapping[str, str] | None = None,
    tune: Table | None = None,
    test: Table | None = None,
) -> Bundle:
    """Write a bundle around a packed model, and open it."""
    from lockgate.data.schema import fit_schema
    from lockgate.modeling.statistics.histograms import build_reference, select_monitored_output

    _refuse_other_folder(path)
    model = PackedModel(raw)
    schema = match_schema(fit_schema(table), model.inputs)
    score_threshold = _choose_threshold(threshold, model, tune)
    predictor = _SchemaPredictor(PackedModel(raw, threshold=score_threshold), schema)
    features = _accepted_rows(model, table)[[column.name for column in model.inputs]]
    output = predictor.predict(_accepted_rows(model, tune or table))
    metrics = {} if test is None else _evaluate(predictor, test, score_threshold)
    declared = dict(lineage or {})
    reference = build_reference(
        features, schema, numpy_backend(), select_monitored_output(output, model.task)
    )
    content = BundleContent(
        name,
        model.task,
        "packed",
        schema,
        model.classes,
        score_threshold,
        None,
        {MODEL: raw},
        {
            "reference.json": msgspec.to_builtins(reference),
            "probes.json": probes_of(features, schema, predictor),
            "metrics.json": metrics,
            "card.md": render_card(name, model, schema, table, metrics, score_threshold, declared),
        },
        Hashes(None, table.digest, {}, declared),
        environment_of(Catalogue.installed().find("format", "packed").load()),
    )
    write_bundle(path, content)
    return open_bundle(path)


def _accepted_rows(model: PackedModel, table: Table) -> pd.DataFrame:
    """Return the rows that the model does not reject."""
    rejected = RejectedRows()
    model.predict(table.frame, rejected=rejected)
    keep = np.ones(len(table), bool)
    keep[list(rejected.reasons)] = False
    return table.frame[keep]


def _refuse_other_folder(path: Path) -> None:
    """Raise an error if the path exists and is not a bundle or an empty folder."""
    if (
        path.exists()
        and not (path / MANIFEST).is_file()
        and (not path.is_dir() or any(path.iterdir()))
    ):
        raise UsageError(f"{path} exists and is not a bundle; choose another path")


@dataclasses.dataclass
class _SchemaPredictor:
    """A packed model with the schema of its bundle."""

    model: PackedModel
    schema: Schema

    def predict(self, columns: Columns) -> Output:
        return self.model.predict(columns)


def _choose_threshold(
    threshold: float | str | None, model: PackedModel, tune: Table | None
) -> float | None:
    from lockgate.modeling.metrics.decisions import best_f1_threshold
    from lockgate.modeling.metrics.losses import class_indices

    if threshold is None:
        return None
    if model.task != "binary" or model.header.answers.score is None:
        raise UsageError("threshold needs a model with two classes and a probability")
    _check_threshold(threshold, tune)
    if isinstance(threshold, str) and tune is not None:
        score = model.predict(tune.frame).score
        return best_f1_threshold(class_indices(tune.target, model.classes) == 1, np.asarray(score))
    return float(threshold)


def _evaluate(predictor: _SchemaPredictor, test: Table, threshold: float | None) -> dict[str, Any]:
    """Evaluate the model with the default evaluator of its task."""
    model = predictor.model
    if model.task == "clustering" or test.schema.target is None:
        return {}
    name = "regression" if model.task == "regression" else "classification"
    output = predictor.predict(test.frame)
    if model.task != "regression" and output.score is None:
        return {}
    host = Host("pack")
    host.register("evaluator", name, Catalogue.installed().find("evaluator", name).load()())
    request = EvaluateRequest(
        predictor=predictor,
        table=test,
        output=output,
        task=model.task,  # type: ignore[arg-type]  # the header was checked
        classes=model.classes,
        threshold=threshold if threshold is not None else 0.5,
    )
    return {name: msgspec.to_builtins(host.call("evaluator", name, request).metrics)}
