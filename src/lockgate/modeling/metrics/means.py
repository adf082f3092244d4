"""Confidence intervals of means of skewed losses, and of the calibration error."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtri

from lockgate.contract.evaluation import Metric
from lockgate.modeling.metrics.rates import RowSample

__all__ = ["calibration_metric", "mean_metric"]

Array = np.ndarray[Any, np.dtype[Any]]

MANY = 20_000
"""Rows, or groups, from which a mean is normal, and nothing is resampled."""

LARGEST = 50.0
"""Standard deviations that an interval reaches at most."""

EQUAL = 1e-12
"""Relative deviation up to which losses are equal but for rounding."""

NORMAL_DRAWS = 4000
"""Draws of the noise of a calibration error."""


def mean_metric(
    values: Array,
    sample: RowSample,
    *,
    resamples: int = 300,
    confidence: float = 0.95,
    seed: int = 0,
) -> Metric:
    """Return the weighted mean of values with its bootstrap-t interval (Efron, 1981).

    Parameters
    ----------
    values : ndarray, shape (n,)
        A loss of each row, at least 0.
    sample : RowSample
        The rows.
    resamples : int
        Number of resamples of the rows, or of the groups.
    confidence : float
        Coverage of the interval, in (0, 1).
    seed : int
        Seed of the resampling.

    Examples
    --------
    >>> metric = mean_metric(np.array([0.0, 0.5, 1.0, 0.5] * 20), RowSample.of(80, None, None))
    >>> metric.estimate, round(metric.low, 2), round(metric.high, 2)
    (0.5, 0.42, 0.58)

    """
    units = np.arange(len(values)) if sample.groups is None else sample.groups
    sums, sizes = np.bincount(units, sample.weight * values), np.bincount(units, sample.weight)
    if not sizes.sum():
        return Metric(0.0)
    mean = float(sums.sum() / sizes.sum())
    deviation = _deviation(sums, sizes, np.ones((1, len(sums))))[1][0]
    if not resamples or deviation <= EQUAL * mean:  # equal losses say nothing of others
        return Metric(mean)
    tail = (1 - confidence) / 2
    low, high = float(ndtri(tail)), float(ndtri(1 - tail))
    if len(sums) < MANY:
        rng = np.random.default_rng(seed)
        quotients = []
        for _ in range(resamples):
            counts = np.bincount(rng.integers(0, len(sums), len(sums)), minlength=len(sums))
            means, deviations = _deviation(sums, sizes, counts[None, :])
            change = means[0] - mean
            quotients.append(
                change / deviations[0] if deviations[0] else np.copysign(np.inf, change)
            )
        low, high = np.quantile(quotients, [tail, 1 - tail], method="nearest")
    return Metric(
        mean,
        min(mean, max(0.0, float(mean - min(high, LARGEST) * deviation))),
        max(mean, float(mean - max(low, -LARGEST) * deviation)),
    )


def calibration_metric(
    error: float,
    score: Array,
    residual: Array,
    bins: Array,
    sample: RowSample,
    *,
    confidence: float = 0.95,
    seed: int = 0,
) -> Metric:
    """Return a calibration error with an interval that is on the safe side.

    The error is a sum of absolute residuals, so drawing other rows moves it by at most the sum
    of the absolute changes of the residuals, of which the normal distribution has the quantile.

    Parameters
    ----------
    error : float
        The calibration error.
    score, residual : ndarray, shape (n,)
        The scores, and scores minus truth.
    bins : ndarray of int, shape (n,)
        Bin of each row, from 0 on.
    sample : RowSample
        The rows.
    confidence : float
        Coverage of the interval, in (0, 1).
    seed : int
        Seed of the draws.

    """
    units = np.arange(len(residual)) if sample.groups is None else sample.groups
    count, size = int(bins.max()) + 1, int(units.max()) + 1
    cells = np.bincount(units * count + bins, sample.weight * residual, minlength=size * count)
    sums, sizes = cells.reshape(size, count), np.bincount(units, sample.weight, minlength=size)
    total = sizes.sum()
    influence = sums - sizes[:, None] * (sums.sum(axis=0) / total)
    variance = (influence**2).sum(axis=0) * size / max(1, size - 1)
    # a bin without an error yet varies as its scores say
    expected = np.bincount(bins, sample.weight**2 * score * (1 - score), minlength=count)
    deviation = np.sqrt(np.maximum(variance, expected)) / total
    noise = np.abs(np.random.default_rng(seed).normal(size=(NORMAL_DRAWS, count))) @ deviation
    reach = float(np.quantile(noise, confidence))
    return Metric(error, max(0.0, error - reach), min(1.0, error + reach))


def _deviation(sums: Array, sizes: Array, counts: Array) -> tuple[Array, Array]:
    """Return the mean of each resample, and its standard deviation."""
    total = counts @ sizes
    means = np.divide(counts @ sums, total, out=np.zeros(len(total)), where=total > 0)
    squares = (
        counts @ sums**2 - 2 * means * (counts @ (sums * sizes)) + means**2 * (counts @ sizes**2)
    )
    units = len(sums)
    variance = np.maximum(squares, 0.0) * units / max(1, units - 1)
    return means, np.divide(np.sqrt(variance), total, out=np.zeros(len(total)), where=total > 0)
