"""How often rows are equal by chance, so that copies can be told from coarse columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lockgate.contract.tables import Column

__all__ = ["chance_of_equal_row"]

FINE = 0.1
"""Share of the steps between smallest and largest number that are taken by some row, up to which
numbers rarely coincide by chance."""

NEGLIGIBLE = 1e-4
"""Expected number of equal rows from which further columns are not looked at."""


def chance_of_equal_row(frame: pd.DataFrame, columns: Sequence[Column], others: int) -> float:
    """Return the probability that a row equals one of some others by chance.

    Columns are taken one after the other, those first in which rows rarely agree. Each counts
    with the probability that two rows agree on it if they agree on the earlier column that it
    depends on most.

    Parameters
    ----------
    frame : DataFrame, shape (rows, columns)
        The rows.
    columns : sequence of Column
        Their columns with kinds.
    others : int
        Number of other rows.

    Returns
    -------
    float
        From 0 to 1; 1 without columns.

    """
    names = [column.name for column in columns]
    distinct = frame[names].drop_duplicates()  # among copies every column would depend on all
    codes = {name: pd.factorize(distinct[name])[0] for name in names}
    alone = {column.name: _agreement(frame[column.name], column.kind) for column in columns}
    expected = float(others)
    earlier: list[str] = []
    for name in sorted(alone, key=lambda name: alone[name]):
        if expected < NEGLIGIBLE:
            break
        dependent = [_agreement_given(codes[name], codes[other]) for other in earlier]
        expected *= max([alone[name], *dependent])
        earlier.append(name)
    return float(-np.expm1(-expected)) if columns else 1.0


def _agreement(values: pd.Series, kind: str) -> float:
    """Return the probability that two rows agree on a column by chance."""
    if kind == "text":
        return 0.0  # sentences rarely coincide
    if kind in ("number", "integer", "date"):
        numbers = np.unique(_numbers(values))
        steps = (numbers[-1] - numbers[0]) / np.diff(numbers).min() + 1 if len(numbers) > 1 else 1.0
        if len(numbers) <= FINE * steps:
            return float(1 / steps)  # copies make fine numbers coincide, not chance
    rates = values.value_counts(dropna=False, normalize=True).to_numpy()
    return float((rates**2).sum())


def _agreement_given(codes: np.ndarray, other: np.ndarray) -> float:
    """Return how often rows that agree on another column agree on this one, too.

    It is 1 where no rows agree on the other one, which may then determine this one.
    """
    pairs = _equal_pairs(other)
    joint = (other + 1).astype(np.int64) * (codes.max(initial=0) + 2) + codes + 1
    return _equal_pairs(joint) / pairs if pairs else 1.0


def _equal_pairs(codes: np.ndarray) -> float:
    counts = np.unique(codes, return_counts=True)[1].astype(float)
    return float((counts * (counts - 1)).sum())


def _numbers(values: pd.Series) -> np.ndarray:
    known = values.dropna()
    if pd.api.types.is_datetime64_any_dtype(known):
        return known.to_numpy("datetime64[us]").astype(np.int64).astype(float)
    return np.asarray(pd.to_numeric(known, errors="coerce").dropna().to_numpy(float))
