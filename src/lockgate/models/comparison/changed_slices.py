"""Slices of rows on which two models disagree most, and on which either is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.modeling.metrics.row_losses import row_losses
from lockgate.modeling.statistics.column_slices import ColumnSlice, find_slices, without_roles
from lockgate.modeling.statistics.slices import compare_slices, measure_slice_changes
from lockgate.models.comparison.pair import Pair

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MIN_ROWS",
    "ChangedSlices",
    "Disagreement",
    "LossChange",
    "find_changed_slices",
]

Array = np.ndarray[Any, np.dtype[Any]]

MIN_ROWS = 50
"""Rows of the smallest slice that is compared."""

LEVEL = 0.025
"""Probability that any slice is named in either of both tables although none stands out."""


@dataclass(frozen=True)
class NamedSlice:
    """A slice that stands out.

    Attributes
    ----------
    column, value : str
        The column, and the value or interval of values that the rows have.
    rows : int
        Number of rows.

    """

    column: str
    value: str
    rows: int


@dataclass(frozen=True)
class LossChange(NamedSlice):
    """A slice on which one of two models is better.

    Attributes
    ----------
    first, second : float
        Mean loss of each model on these rows.
    low, high : float
        Simultaneous 95 % interval of second minus first.
    p : float
        Probability that chance alone changes any of the slices as much.

    """

    first: float
    second: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Disagreement(NamedSlice):
    """A slice on which two models disagree more often than on other rows.

    Attributes
    ----------
    disagreement, others : float
        Share of rows that both predict differently, on the slice and on other rows; for numbers
        the mean absolute difference of predictions.
    p : float
        Probability that chance alone makes any of the slices stand out as much.

    """

    disagreement: float
    others: float
    p: float


@dataclass(frozen=True)
class ChangedSlices:
    """What stands out among the slices of all columns.

    Attributes
    ----------
    compared : int
        Number of slices.
    are_more : bool
        Whether there are more slices, which were not compared.
    loss : str
        Name of the loss, e.g. ``Brier score``.
    changed : tuple of LossChange
        Slices on which either model is better beyond chance, the largest gain first.
    disagreeing : tuple of Disagreement
        Slices on which they disagree beyond chance, the most first.

    """

    compared: int
    loss: str
    changed: tuple[LossChange, ...] = ()
    disagreeing: tuple[Disagreement, ...] = ()
    are_more: bool = False


def find_changed_slices(pair: Pair, rows: pd.DataFrame, seed: int) -> ChangedSlices:
    """Find them among the values of all columns, also those that neither model takes.

    Parameters
    ----------
    pair : Pair
        Predictions of both for the rows.
    rows : DataFrame
        The rows, with all columns.
    seed : int
        Seed of the draws that tell what chance does.

    """
    table, weight = pair.tables[1], pair.tables[1].weight
    by_labels = any(output.score is None for output in pair.outputs)
    (name, first), (_, second) = (
        row_losses(taken_by, pair.task, output, classes, by_labels=by_labels)
        for taken_by, output, classes in zip(pair.tables, pair.outputs, pair.classes, strict=True)
    )
    of_columns = find_slices(rows, without_roles(rows, table.schema), MIN_ROWS, weight)
    slices = of_columns.slices
    if not slices:
        return ChangedSlices(0, name)
    members = of_columns.members
    changes = measure_slice_changes(second - first, members, weight, table.groups, seed=seed)
    changed = [
        LossChange(
            *_describe(part),
            _mean(first, part, weight),
            _mean(second, part, weight),
            change.low,
            change.high,
            change.p,
        )
        for part, change in zip(slices, changes, strict=True)
        if change.p <= LEVEL
    ]
    results = compare_slices(pair.distance, members, weight, table.groups, seed=seed)
    disagreeing = [
        Disagreement(*_describe(part), result.loss, result.others, result.p)
        for part, result in zip(slices, results, strict=True)
        if result.p <= LEVEL
    ]
    return ChangedSlices(
        len(slices),
        name,
        tuple(sorted(changed, key=lambda change: change.second - change.first)),
        tuple(sorted(disagreeing, key=lambda part: -part.disagreement)),
        of_columns.are_more,
    )


def _describe(part: ColumnSlice) -> tuple[str, str, int]:
    return part.column, part.value, int(part.members.sum())


def _mean(loss: Array, part: ColumnSlice, weight: Array | None) -> float:
    chosen = None if weight is None else weight[part.members].astype(float)
    return float(np.average(loss[part.members], weights=chosen))
