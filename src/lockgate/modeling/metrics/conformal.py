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
    if task == "multioutput":
        raise UsageError(
            "several targets have no prediction intervals: leave the coverage out, or fit a model "
            "for each target that needs them"
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
    w = np.ones(len(value)) if weight is None else weight.astype(float)
    truth, value, w = truth[w > 0], value[w > 0], w[w > 0]
    tail = (1 - coverage) / 2
    fewest = max(FEWEST_ROWS, math.ceil(round(5 / tail, 6)))
    edges = _edges_between_groups(value, w, fewest)
    group = np.searchsorted(edges, value)
    below: list[float] = []
    above: list[float] = []
    for k in range(len(edges) + 1):
        rows = group == k
        residual = truth[rows] - value[rows]
        # a bound that is rounded must not lose the rows that lie on it
        largest = max(np.abs(truth[rows]).max(initial=0.0), np.abs(value[rows]).max(initial=0.0))
        for reaches, sign in ((below, -1), (above, 1)):
            reach = _upper_quantile(sign * residual, tail, w[rows])
            reaches.append(reach + ROUNDING * float(largest))
    return IntervalRegion(coverage, tuple(edges.tolist()), tuple(below), tuple(above))


def _effective_rows(weight: Array) -> float:
    """Return how many rows of equal weight tell as much (Kish, Survey Sampling, 1965)."""
    return float(weight.sum() ** 2 / (weight**2).sum()) if len(weight) else 0.0


def _edges_between_groups(value: Array, weight: Array, fewest: int) -> Array:
    """Return the edges between at most `MOST_GROUPS` groups of like size, with enough rows each."""
    order = np.argsort(value, kind="stable")
    ordered, w = value[order], weight[order]
    groups = min(MOST_GROUPS, int(_effective_rows(w) // fewest))
    edges: list[float] = []
    start = 0
    for k in range(1, groups):
        # equal values stay together, and edges lie between values, which rounding does not reach
        cut = int(np.searchsorted(ordered, ordered[len(ordered) * k // groups]))
        if min(_effective_rows(w[start:cut]), _effective_rows(w[cut:])) >= fewest:
            edges.append(float(ordered[cut - 1] / 2 + ordered[cut] / 2))
            start = cut
    return np.array(edges)


def _upper_quantile(values: Array, miss: float, weight: Array | None) -> float:
    """Return a value that another row's exceeds with that probability.

    The row in question counts as one more, beyond all others, of the weight that a unit of weight
    has on average. Between two rows the value is interpolated: the larger of them would hold the
    truth up to 1 / (n + 1) too often.
    """
    w = np.ones(len(values)) if weight is None else weight.astype(float)
    values, w = values[w > 0], w[w > 0]
    order = np.argsort(values, kind="stable")
    total = w.sum() + (w**2).sum() / max(w.sum(), np.finfo(float).tiny)
    shares = np.cumsum(w[order]) / max(total, np.finfo(float).tiny)
    # a sum that should be a whole number of rows may miss it by rounding
    if not len(shares) or shares[-1] < 1 - miss - 1e-12:
        needed = math.ceil(round((1 - miss) / miss, 6))
        counted = f"{len(values)} tune rows"
        if (effective := _effective_rows(w)) < len(values) - 0.5:
            counted += f" (as good as {effective:.0f} of equal weight)"
        raise UsageError(
            f"{counted} are too few for that coverage, which needs {needed}: use more "
            "(split.tune), or a smaller coverage"
        )
    return float(np.interp(1 - miss, shares, values[order]))
