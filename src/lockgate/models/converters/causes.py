"""Why predictions of a packed model differ from the original's: columns, and likely causes."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lockgate.models.converters.fitted_columns import as_fitted
from lockgate.models.converters.libraries import library_of_last
from lockgate.models.packed.runtime.model import PackedModel

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["columns_behind", "columns_of_none", "describe_row", "likely_causes"]

MAX_CELLS = 8
"""Cells of a row that a message shows."""

MOST_COLUMNS = 200
"""Columns of which the influence on a difference is tried."""


def columns_behind(
    differs: Callable[[pd.DataFrame], np.ndarray],
    frame: pd.DataFrame,
    row: int,
    wrong: np.ndarray,
) -> list[str]:
    """Return the columns without whose cells a row that differs would not.

    Parameters
    ----------
    differs : callable
        From rows to whether the predictions for each differ.
    frame : DataFrame
        Rows that were compared.
    row : int
        A row that differs.
    wrong : ndarray of bool, shape (n,)
        Which of them differ.

    """
    if wrong.all() or frame.shape[1] > MOST_COLUMNS:
        return []
    good = int(np.argmin(wrong))
    copies = frame.iloc[np.full(frame.shape[1], row)].reset_index(drop=True)
    for k, name in enumerate(frame):
        cells = copies[name].copy()
        cells.iloc[k] = frame[name].iloc[good]
        copies[name] = cells
    return [str(name) for name, still in zip(frame, differs(copies), strict=True) if not still]


def likely_causes(estimator: BaseEstimator, packed: PackedModel, frame: pd.DataFrame) -> list[str]:
    """Return what may be behind a difference, with what to do, the likeliest first."""
    causes = []
    short = [column.name for column in packed.inputs if column.bits < 64]
    if short:
        causes.append(
            f"X holds numbers of 32 bits or fewer ({', '.join(short[:5])}) and the model computes "
            "with them in 32 bits, a packed model in 64: fit it on X.astype('float64')"
        )
    missing = {str(name): _missing_cells(frame[name]) for name in frame}
    apart = [name for name, cells in missing.items() if None in cells and len(cells) > 1]
    if apart:
        causes.append(
            f"column {apart[0]} holds both None and NaN, and scikit-learn's imputers and encoders "
            "tell None from NaN: make them one with X.fillna(np.nan), and fit again"
        )
    library = library_of_last(estimator)
    if library == "xgboost" and _is_sparse_before_last(estimator, frame):
        causes.append(
            "XGBoost takes the zeros of a sparse matrix for missing values: fit the steps before "
            "it with OneHotEncoder(sparse_output=False) or ColumnTransformer(sparse_threshold=0)"
        )
        return causes
    converted = library not in ("sklearn", "lockgate")
    address = f" to the authors of the converter {library}" if converted else ""
    causes.append(
        "the model was fitted with other versions of its libraries: pack it where it was fitted"
    )
    causes.append(f"otherwise it is a fault of the conversion: please report it{address}")
    return causes


def _is_sparse_before_last(estimator: BaseEstimator, frame: pd.DataFrame) -> bool:
    """Whether the last step of a pipeline gets a sparse matrix."""
    if len(getattr(estimator, "steps", ())) < 2:
        return False
    with contextlib.suppress(Exception), warnings.catch_warnings():  # any step may fail
        warnings.simplefilter("ignore")
        return hasattr(estimator[:-1].transform(as_fitted(estimator, frame.iloc[:50])), "tocsr")
    return False


def columns_of_none(frame: pd.DataFrame) -> list[str]:
    """Return the columns whose missing cells are all None: scikit-learn tells it from NaN."""
    return [str(name) for name in frame if _missing_cells(frame[name]) == {None}]


def _missing_cells(values: pd.Series) -> set[float | None]:
    """Return what stands for missing values in a column of objects: None, NaN, or both."""
    if values.dtype != object:
        return set()
    return {None if cell is None else math.nan for cell in values[values.isna()].tolist()}


def describe_row(
    frame: pd.DataFrame, row: int, ours: tuple[Any, Any], theirs: tuple[Any, Any]
) -> str:
    """Describe a row by its cells, and both predictions for it."""
    cells = [f"{name}={value!r}" for name, value in frame.iloc[row].to_dict().items()]
    shown = ", ".join(cells[:MAX_CELLS]) + ", ..." * (len(cells) > MAX_CELLS)
    label, number = (f"{_plain(pair[0])} ({_plain(pair[1])})" for pair in (ours, theirs))
    return f"for {shown}: {label} instead of {number}"


def _plain(value: Any) -> str:
    return repr(np.asarray(value).tolist())
