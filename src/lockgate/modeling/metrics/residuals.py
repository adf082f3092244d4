"""Errors of predicted values: how they are distributed, and where they are large."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["ERROR_QUANTILES", "error_distribution", "error_quantiles", "errors_by_prediction"]

Array = np.ndarray[Any, np.dtype[Any]]

ERROR_QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)

BINS = 30
"""Intervals of the distribution of errors, between the outer quantiles."""

GROUPS = 10
"""Groups of rows with similar predictions."""


def error_quantiles(truth: Array, predicted: Array) -> list[dict[str, float]]:
    """Return the quantiles of the errors, predicted less actual value, and of their size.

    Examples
    --------
    >>> rows = error_quantiles(np.zeros(101), np.arange(-50.0, 51.0))
    >>> rows[4]
    {'quantile': 0.5, 'error': 0.0, 'absolute error': 25.0}

    """
    errors = predicted - truth
    signed, sizes = (np.quantile(e, ERROR_QUANTILES) for e in (errors, np.abs(errors)))
    return [
        {"quantile": share, "error": float(error), "absolute error": float(size)}
        for share, error, size in zip(ERROR_QUANTILES, signed, sizes, strict=True)
    ]


def error_distribution(truth: Array, predicted: Array) -> tuple[Array, Array]:
    """Return the middle of each interval of errors, and the share of rows in it.

    The intervals reach from the 1 % to the 99 % quantile; the shares are of all rows.
    """
    errors = predicted - truth
    low, high = np.quantile(errors, [0.01, 0.99])
    if high <= low:
        return np.array([low]), np.array([1.0])
    counts, edges = np.histogram(errors, BINS, (low, high))
    return (edges[:-1] + edges[1:]) / 2, counts / len(errors)


def errors_by_prediction(truth: Array, predicted: Array) -> tuple[Array, Array]:
    """Return, of groups of rows with similar predictions, the mean prediction and the errors.

    Returns
    -------
    tuple of ndarray
        Mean predictions, shape (groups,), and the 10 %, 50 % and 90 % quantile of the errors,
        predicted less actual value, shape (3, groups).

    """
    groups = np.array_split(np.argsort(predicted, kind="stable"), min(GROUPS, len(predicted)))
    means = np.array([predicted[group].mean() for group in groups])
    spread = [np.quantile(predicted[g] - truth[g], [0.1, 0.5, 0.9]) for g in groups]
    return means, np.array(spread).T
