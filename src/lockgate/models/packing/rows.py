"""Converts rows from users (frames, arrays, texts) to tables, and checks estimators."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lockgate.contract.recipes import NUMERIC, UNSUPERVISED
from lockgate.contract.tables import Table
from lockgate.data.columns.sources import column_name
from lockgate.errors import DataError, NotCovered, SchemaViolation
from lockgate.modeling.metrics.losses import class_indices
from lockgate.models.converters.fitted_columns import arrange_columns, fitted_columns
from lockgate.models.packing.target_columns import add_targets

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator


__all__ = [
    "Rows",
    "check_fitted",
    "check_sparse",
    "check_target",
    "count_values",
    "table_from",
]

MAX_COLUMNS = 10_000
"""Columns that the rows of a bundle may have."""

COMPARED_ROWS = 2000
"""Rows of a sparse matrix for which predictions are compared with those for an array."""

Rows: TypeAlias = "pd.DataFrame | pd.Series[Any] | ArrayLike"
"""Rows as estimators take them: a frame, a series of texts, or an array."""


def check_fitted(estimator: BaseEstimator) -> None:
    """Reject an estimator that is not fitted."""
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    if getattr(estimator, "refit", True) is False:
        raise NotCovered(
            f"{type(estimator).__name__} with refit=False has no fitted model; search with "
            "refit=True, or pack the model that you fit with its best_params_"
        )
    if len(getattr(estimator, "classes_", (0, 1))) == 1:
        raise NotCovered(
            f"{type(estimator).__name__} is a classifier with a single class, "
            f"{np.asarray(estimator.classes_).tolist()[0]!r}: fit it on rows of two classes or more"
        )
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        class_name = type(estimator).__name__
        raise NotCovered(f"{class_name} is not fitted; call fit before packing it") from None
    except TypeError:
        raise NotCovered(f"{type(estimator).__name__} is not an estimator") from None


def count_values(estimator: BaseEstimator, frame: pd.DataFrame) -> int:
    """Return how many values an estimator predicts for a row; 1 where it cannot be known."""
    from lockgate.models.converters.fitted_columns import as_fitted

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            predicted = np.asarray(estimator.predict(as_fitted(estimator, frame[:1])))
        except Exception:  # the comparison with the original says why
            return 1
    return predicted.shape[1] if predicted.ndim == 2 else 1


def check_sparse(estimator: BaseEstimator, X: Rows) -> None:
    """Reject a model that predicts otherwise for a sparse matrix than for its cells as numbers.

    XGBoost takes absent cells for missing values; a bundle is asked for numbers.
    """
    if not (hasattr(X, "tocsr") and hasattr(X, "toarray")):
        return
    sparse: Any = X
    rows = sparse.tocsr()[:COMPARED_ROWS]
    if not np.array_equal(estimator.predict(rows), estimator.predict(rows.toarray())):
        raise NotCovered(
            f"{type(estimator).__name__} predicts otherwise for the sparse matrix X than for its "
            "cells as numbers, as XGBoost does, which takes absent cells for missing values: fit "
            "it on X.toarray()"
        )


def check_target(subject: str, table: Table, task: str, classes: Sequence[Any]) -> None:
    """Reject a target with missing values, or with labels that the model does not predict.

    Parameters
    ----------
    subject : str
        What the rows are, for messages.
    table : Table
        Rows, with or without a target.
    task : str
        What the model predicts.
    classes : sequence
        Labels that it predicts.

    """
    if table.schema.target is None or task in UNSUPERVISED:
        return
    cells = table.frame[list(table.schema.targets)].isna()
    if missing := int(cells.any(axis=1).sum()):
        counts = ", ".join(f"{name}: {n}" for name, n in cells.sum().items() if n)
        of = f" ({counts})" if cells.shape[1] > 1 else ""
        raise DataError(f"{subject}: {missing} rows lack a value of the target{of}; leave them out")
    if task in NUMERIC:
        kinds = {table.schema[name].kind for name in table.schema.targets}
        if not kinds <= {"number", "integer", "boolean"}:
            raise DataError(f"{subject}: the model predicts numbers, and the target holds others")
        return
    try:
        class_indices(table.target, classes)
    except SchemaViolation as error:
        raise DataError(f"{subject}: {error.problems[0]}") from None


def table_from(
    X: Rows,
    y: ArrayLike | None = None,
    *,
    estimator: BaseEstimator | None = None,
    target: str | tuple[str, ...] | None = None,
) -> tuple[Table, pd.DataFrame]:
    """Make a table of rows as an estimator takes them, and a frame for its predictions.

    Parameters
    ----------
    X : DataFrame, Series, array, sparse matrix or list, shape (n, features)
        The rows.
    y : array-like, shape (n,) or (n, targets), optional
        The target, or the numbers of several.
    estimator : fitted estimator, optional
        The model. It gives names to the columns of an array, and the order to those of a frame.
    target : str or tuple of str, optional
        Name of the target, or names of several; by default those of `y`.

    Returns
    -------
    Table
        The rows, with the target.
    DataFrame
        The rows without it.

    Raises
    ------
    UsageError
        If columns are missing, or the model was not fitted on some.
    DataError
        If `X` is of another form, or `y` does not belong to it.

    """
    from lockgate.data.schema import table

    frame = _frame(X, () if estimator is None else fitted_columns(estimator).names)
    if estimator is not None:
        frame = arrange_columns(estimator, frame)
    kinds = {str(name): kind for name in frame if (kind := _declared_kind(frame[name]))}
    with_target = frame
    if y is None:
        target = None
    else:
        target, with_target = add_targets(frame, y, target)
    typed_table = table(with_target, target=target, kinds=kinds)
    return typed_table, frame.reset_index(drop=True)


def _declared_kind(values: pd.Series[Any]) -> str | None:
    """Return the kind of a column that is not to be inferred from its cells."""
    import pandas as pd

    types = pd.api.types
    if isinstance(values.dtype, pd.CategoricalDtype):
        # scikit-learn takes categories that are true or false for numbers
        truths = pd.api.types.is_bool_dtype(values.dtype.categories)
        return "boolean" if truths else "category"
    if types.is_bool_dtype(values.dtype):
        return "boolean"
    if types.is_numeric_dtype(values) or types.is_datetime64_any_dtype(values):
        return None
    numbers = ("integer", "floating", "mixed-integer-float", "boolean", "decimal")
    if types.infer_dtype(values, skipna=True) in numbers:
        return None
    return "category"


def _frame(X: Rows, names: Sequence[str]) -> pd.DataFrame:
    """Return rows as a frame; `names` are for the columns of an array."""
    import pandas as pd
    import scipy.sparse

    if isinstance(X, pd.Series):
        return X.to_frame("text" if X.name is None or X.name == "" else column_name(X.name))
    rows: Any = X
    if hasattr(rows, "to_pandas"):
        rows = rows.to_pandas()
    if scipy.sparse.issparse(rows):
        _check_width(rows.shape[1])
        rows = rows.toarray()
    frame = rows if isinstance(rows, pd.DataFrame) else _frame_of_array(rows, names)
    _check_width(frame.shape[1])
    keys_by_name: dict[str, list[object]] = {}
    for key in frame.columns:
        keys_by_name.setdefault(column_name(key), []).append(key)
    for name, keys in keys_by_name.items():
        if len(keys) > 1:
            raise DataError(f"columns {keys[0]!r} and {keys[1]!r} of X are both called {name}")
    return frame.set_axis(list(keys_by_name), axis=1)


def _frame_of_array(X: Any, names: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    # np.asarray would turn the numbers of [[1, "a"], [2, "b"]] into texts
    array = X if isinstance(X, np.ndarray) else np.asarray(X, dtype=object)
    if array.ndim == 1 and len(array):
        text = all(isinstance(cell, str) for cell in array)
        if text:
            return pd.DataFrame({"text": array.astype(object)})
    if array.ndim != 2:
        raise DataError(
            "X: expected a DataFrame, a Series, a list of texts, a sparse matrix, or an array of "
            f"rows and columns, got {type(X).__name__} of shape {array.shape}"
        )
    columns = list(names)
    if len(columns) != array.shape[1]:
        columns = [f"x{k}" for k in range(array.shape[1])]
    return pd.DataFrame(array, columns=columns).infer_objects()


def _check_width(columns: int) -> None:
    if columns > MAX_COLUMNS:
        raise NotCovered(
            f"X has {columns:,} columns, a bundle at most {MAX_COLUMNS:,}; pack the pipeline with "
            "the vectorizer or encoder that makes them, and with the rows before it"
        )
