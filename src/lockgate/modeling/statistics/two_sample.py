"""Two-sample tests on histograms, and corrections for multiple tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from lockgate.contract.monitoring import BinCounts

__all__ = ["adjust_p_values", "chi_square", "compare_counts", "kolmogorov_smirnov"]

Array = np.ndarray[Any, np.dtype[Any]]


def compare_counts(reference: BinCounts, window: BinCounts) -> tuple[str, float, float]:
    """Compare two histograms over the same bins.

    Returns
    -------
    test : str
        ``kolmogorov-smirnov`` for ordered columns, ``chi-square`` for nominal ones.
    effect : float
        Largest difference of the cumulative shares, or half the sum of the
        differences of the shares (total variation); both from 0 to 1.
    p : float
        Probability of so large an effect if both have the same distribution.

    """
    a, b = np.asarray(reference.counts, float), np.asarray(window.counts, float)
    if reference.kind == "ordered":
        return "kolmogorov-smirnov", *kolmogorov_smirnov(a, b)
    return "chi-square", *chi_square(a, b)


def kolmogorov_smirnov(a: Array, b: Array) -> tuple[float, float]:
    """Test two ordered histograms (Smirnov, 1948); the bin of missing values is the lowest.

    On bins the statistic cannot exceed the one on the values, so the test is
    conservative.

    Examples
    --------
    >>> import numpy as np
    >>> kolmogorov_smirnov(np.array([50.0, 50.0]), np.array([50.0, 50.0]))
    (0.0, 1.0)

    """
    from scipy.special import kolmogorov  # an optional dependency

    n, m = a.sum(), b.sum()
    if not n or not m:
        return 0.0, 1.0
    distance = min(1.0, float(np.abs(np.cumsum(a) / n - np.cumsum(b) / m).max()))
    return distance, float(kolmogorov(distance * np.sqrt(n * m / (n + m))))


def chi_square(a: Array, b: Array) -> tuple[float, float]:
    """Test two nominal histograms for homogeneity (Pearson, 1911), rare bins merged.

    Bins are merged, rarest first, until every expected count is at least five
    (Cochran, 1954), since the approximation does not hold below.
    """
    from scipy.special import chdtrc  # an optional dependency

    n, m = a.sum(), b.sum()
    if not n or not m:
        return 0.0, 1.0
    # rounding may carry a sum of shares past 1
    effect = min(1.0, float(np.abs(a / n - b / m).sum() / 2))
    table = _merge_rare_bins(np.stack([a, b]))
    degrees = table.shape[1] - 1
    if degrees < 1:
        return effect, 1.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    return effect, float(chdtrc(degrees, statistic))


def adjust_p_values(p: Array, method: str) -> Array:
    """Adjust p-values for multiple tests.

    Parameters
    ----------
    p : ndarray, shape (k,)
        p-values of the tests.
    method : {"holm", "benjamini-hochberg"}
        Holm (1979) bounds the probability of any false alarm; Benjamini and Hochberg
        (1995) the expected share of false alarms among all alarms.

    Returns
    -------
    ndarray, shape (k,)
        Adjusted p-values in the order of `p`, to be compared with the level.

    Examples
    --------
    >>> import numpy as np
    >>> adjust_p_values(np.array([0.01, 0.04, 0.03]), "holm").round(3).tolist()
    [0.03, 0.06, 0.06]
    >>> adjust_p_values(np.array([0.01, 0.04, 0.03]), "benjamini-hochberg").round(3).tolist()
    [0.03, 0.04, 0.04]

    """
    k = len(p)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(k)
    if method == "holm":
        stepped = np.maximum.accumulate(p[order] * (k - np.arange(k)))
    elif method == "benjamini-hochberg":
        scaled = p[order] * k / (np.arange(k) + 1)
        stepped = np.minimum.accumulate(scaled[::-1])[::-1]
    else:
        raise ValueError(f"unknown correction {method!r}; available: holm, benjamini-hochberg")
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def _merge_rare_bins(table: Array) -> Array:
    columns = table[:, table.sum(axis=0) > 0]
    smaller_share = columns.sum(axis=1).min() / columns.sum()
    columns = columns[:, np.argsort(columns.sum(axis=0), kind="stable")]
    while columns.shape[1] > 1 and columns[:, 0].sum() * smaller_share < 5:
        merged = columns[:, 0] + columns[:, 1]
        rest = columns[:, 2:]
        columns = np.concatenate([merged[:, None], rest], axis=1)
        columns = columns[:, np.argsort(columns.sum(axis=0), kind="stable")]
    return columns
