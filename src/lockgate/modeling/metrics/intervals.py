"""Confidence intervals of metrics by resampling rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lockgate.contract.evaluation import Metric

__all__ = ["bootstrap_intervals"]

Array = np.ndarray[Any, np.dtype[Any]]


def bootstrap_intervals(
    compute_metrics: Callable[[Array | None], Mapping[str, float]],
    rows: int,
    *,
    weight: Array | None = None,
    groups: Array | None = None,
    resamples: int = 300,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Metric]:
    """Compute metrics with bootstrap percentile intervals (Efron, 1979).

    Parameters
    ----------
    compute_metrics : callable
        Function of row weights, shape (rows,), that returns metrics by name.
    rows : int
        Number of rows.
    weight : ndarray, shape (rows,), optional
        Weights of the rows in every resample.
    groups : ndarray, shape (rows,), optional
        Rows of a group are drawn together, since they are not independent.
    resamples : int
        Number of resamples with replacement; 0 for no intervals.
    confidence : float
        Coverage of the interval, in (0, 1).
    seed : int
        Seed of the resampling.

    Returns
    -------
    dict of str to Metric
        In the order of `compute_metrics`. Metrics that are undefined on these rows are
        left out; resamples on which a metric is undefined do not count for it.

    """
    rng = np.random.default_rng(seed)
    base = np.ones(rows) if weight is None else weight.astype(float)
    estimate = compute_metrics(None if weight is None else base)
    if resamples < 1:
        return {name: Metric(value) for name, value in estimate.items() if not np.isnan(value)}
    member = np.arange(rows) if groups is None else np.unique(groups, return_inverse=True)[1]
    units = int(member.max()) + 1 if rows else 0
    samples = []
    for _ in range(resamples):
        counts = np.bincount(rng.integers(0, units, units), minlength=units)
        samples.append(list(compute_metrics(base * counts[member]).values()))
    tail = (1 - confidence) / 2
    table = np.array(samples)
    metrics = {}
    for k, (name, value) in enumerate(estimate.items()):
        known = table[~np.isnan(table[:, k]), k]
        if np.isnan(value) or not len(known):
            continue
        low, high = np.quantile(known, [tail, 1 - tail])
        metrics[name] = Metric(value, float(low), float(high))
    return metrics
