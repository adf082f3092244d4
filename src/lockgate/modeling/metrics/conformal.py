"""Measures prediction regions on rows that a model was not fitted on (split conformal)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lockgate.contract.prediction import Output
from lockgate.contract.recipes import UNSUPERVISED
from lockgate.contract.regions import IntervalRegion, PredictionRegion, SetRegion
from lockgate.contract.tables import Table
from lockgate.errors import UsageError
from lockgate.modeling.metrics.losses import class_indices

__all__ = ["measure_region", "measure_table_region"]

Array = np.ndarray[Any, np.dtype[Any]]

FEWEST_ROWS, MOST_GROUPS = 100, 10
"""Rows of a group at least, and groups of the predicted value at most."""

ROUNDING = 1e-11
"""What is added to a bound, relative to the largest value: packed answers may differ by 1e-12."""


def measure_table_region(
    table: Table, output: Output, task: str, classes: Sequence[object], coverage: float
) -> PredictionRegion:
    """Return the region for a model's predictions on rows that it was not fitted on.

    Raises
    ------
    UsageError
        If the task has no truth, the model no scores, or the rows are too few.

    """
    if task in UNSUPERVISED:
        raise UsageError(
            f"coverage is {coverage}, and the task {task} has no true value that an interval could "
            "hold: leave it out"
        )
    if task == "regression":
        return measure_region(table.target, output, coverage, table.weight)
    if output.score is None:
        raise UsageError(
            "prediction sets need scores, and the model has none: choose another, or leave the "
            "coverage out"
        )
    truth = class_indices(table.target, classes)
    return measure_region(truth, output, coverage, table.weight)


def measure_region(
    truth: Array, output: Output, coverage: float, weight: Array | None = None
) -> PredictionRegion:
    """Return the region that held the truth of these rows as often as asked.

    That is an interval around values, or a set by scores where the predictions have some.

    Parameters
    ----------
    truth : ndarray, shape (n,)
        Actual values of a regression, or indices of the actual classes.
    output : Output
        Predictions for the same rows.
    coverage : float
        Share of rows whose truth shall lie in the region, in (0, 1).
    weight : ndarray, shape (n,), optional
        Weights of the rows.

    Raises
    ------
    UsageError
        If the rows are too few for that share.

    Examples
    --------
    >>> truth = np.arange(1.0, 100.0)
    >>> region = measure_region(truth, Output(np.zeros(99)), 0.9)
    >>> [round(reach, 6) for reach in (*region.below, *region.above)]
    [-5.0, 95.0]

    """
    miss = 1 - coverage
    if output.score is None:
        return _measure_interval(truth.astype(float), output.label, coverage, weight)
    of_true = output.class_scores()[np.arange(len(truth)), truth]
    least = -_upper_quantile(-of_true, miss, weight)
    return SetRegion(coverage, max(least - ROUNDING, 0.0))


def _measure_interval(
    truth: Array, value: Array, coverage: float, weight: Array | None
) -> IntervalRegion:
    """Measure how far the truth is from the value, in groups of the value with enough rows."""
    tail = (1 - coverage) / 2
    edges = _edges_between_groups(value, max(FEWEST_ROWS, math.ceil(5 / tail)))
    group = np.searchsorted(edges, value)
    # a bound that is rounded must not lose the rows that lie on it
    largest = max(np.abs(truth).max(initial=0.0), np.abs(value).max(initial=0.0))
    reaches: list[tuple[float, ...]] = []
    for sign in (-1, 1):
        residual = sign * (truth - value)
        reaches.append(
            tuple(
                _upper_quantile(
                    residual[group == k], tail, None if weight is None else weight[group == k]
                )
                + ROUNDING * float(largest)
                for k in range(len(edges) + 1)
            )
        )
    return IntervalRegion(coverage, tuple(edges.tolist()), *reaches)


def _edges_between_groups(value: Array, fewest: int) -> Array:
    """Return the edges between at most `MOST_GROUPS` groups of like size, with enough rows each."""
    ordered = np.sort(value)
    groups = min(MOST_GROUPS, len(ordered) // fewest)
    edges: list[float] = []
    start = 0
    for k in range(1, groups):
        cut = max(len(ordered) * k // groups, start + fewest)
        # equal values stay together, and edges lie between values, which rounding does not reach
        cut = int(np.searchsorted(ordered, ordered[min(cut, len(ordered) - 1)]))
        if cut - start >= fewest and len(ordered) - cut >= fewest:
            edges.append(float(ordered[cut - 1] / 2 + ordered[cut] / 2))
            start = cut
    return np.array(edges)


def _upper_quantile(values: Array, miss: float, weight: Array | None) -> float:
    """Return a value that another row's exceeds with that probability.

    The row in question counts as one more, beyond all others. Between two rows the value is
    interpolated: the larger of them would hold the truth up to 1 / (n + 1) too often.
    """
    w = np.ones(len(values)) if weight is None else weight.astype(float)
    order = np.argsort(values, kind="stable")
    total = w.sum() + w.mean()
    shares = np.cumsum(w[order]) / total
    # a sum that should be a whole number of rows may miss it by rounding
    if shares[-1] < 1 - miss - 1e-12:
        needed = math.ceil((1 - miss) / miss)
        raise UsageError(
            f"{len(values)} tune rows are too few for that coverage, which needs {needed}: use "
            "more (split.tune), or a smaller coverage"
        )
    return float(np.interp(1 - miss, shares, values[order]))
