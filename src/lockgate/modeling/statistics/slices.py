"""Slices of rows that stand out, without false discoveries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["SliceChange", "SliceLoss", "compare_slices", "measure_slice_changes"]

Array = np.ndarray[Any, np.dtype[Any]]

DRAWS = 2000
"""Draws of the largest difference that chance gives."""

EQUAL = 1e-9
"""Relative deviation up to which losses are equal but for rounding."""

BLOCK = 1 << 22
"""Numbers of draws that are held at once."""


@dataclass(frozen=True)
class SliceLoss:
    """The loss of a model on a slice, beside its loss on all other rows.

    Attributes
    ----------
    loss, others : float
        Mean loss on the rows of the slice, and on the others.
    p : float
        Probability that chance alone makes any of the slices stand out as much, in (0, 1].

    """

    loss: float
    others: float
    p: float


@dataclass(frozen=True)
class SliceChange:
    """The mean change of a quantity on a slice.

    Attributes
    ----------
    change : float
        Mean change of the rows of the slice.
    low, high : float
        Ends of its interval, simultaneous for all slices: with 95 % probability each of the
        intervals holds the true change of its slice.
    p : float
        Probability that chance alone makes any of the slices change as much, in (0, 1].

    """

    change: float
    low: float
    high: float
    p: float


def compare_slices(
    loss: Array,
    members: Array,
    weight: Array | None = None,
    groups: Array | None = None,
    *,
    seed: int = 0,
) -> list[SliceLoss]:
    """Compare the mean loss on each slice with that on the other rows, one-sided.

    The largest standardized difference of all slices is compared with what it is by chance:
    each row's, or group's, influence is given a random sign (the multiplier bootstrap of
    Chernozhukov, Chetverikov and Kato, 2013). If no slice is worse, any has p <= level in
    at most that share of data sets, however many slices there are and however they overlap.

    Parameters
    ----------
    loss : ndarray, shape (n,)
        Loss of each row.
    members : ndarray of bool, shape (n, slices)
        Which rows are in which slice; each has rows, and leaves some.
    weight : ndarray, shape (n,), optional
        Weights of the rows.
    groups : ndarray, shape (n,), optional
        Rows of a group are not independent.
    seed : int
        Seed of the draws.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> loss, members = rng.random(400), np.arange(400)[:, None] % 4 == np.arange(2)
    >>> loss[members[:, 1]] += 1
    >>> [result.p < 0.05 for result in compare_slices(loss, members)]
    [False, True]

    """
    w = _weights(loss, weight)
    inside = members * w[:, None]
    outside = w[:, None] - inside
    totals, rest = inside.sum(axis=0), outside.sum(axis=0)
    means, others = loss @ inside / totals, loss @ outside / rest
    influence = inside / totals * (loss[:, None] - means)
    influence -= outside / rest * (loss[:, None] - others)
    influence, spread = _standardize(influence, groups, EQUAL * float(np.abs(loss).max()))
    statistic = (means - others) / spread
    largest = _largest_by_chance(influence, seed)
    return [
        SliceLoss(float(mean), float(other), float((1 + (largest >= value).sum()) / (1 + DRAWS)))
        for mean, other, value in zip(means, others, statistic, strict=True)
    ]


def measure_slice_changes(
    change: Array,
    members: Array,
    weight: Array | None = None,
    groups: Array | None = None,
    *,
    seed: int = 0,
) -> list[SliceChange]:
    """Measure the mean change on each slice, two-sided; parameters as for `compare_slices`.

    The test flips signs of changes, and knows a change that is the same for all rows. If nothing
    changes on any slice, any has p <= level in about that share of data sets, in at most that
    share where each change is as likely as its opposite. An interval holds zero where p > 0.05.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> change, members = rng.normal(size=400), np.arange(400)[:, None] % 4 == np.arange(2)
    >>> change[members[:, 1]] -= 1
    >>> [result.p < 0.05 for result in measure_slice_changes(change, members)]
    [False, True]

    """
    inside = members * _weights(change, weight)[:, None]
    totals = inside.sum(axis=0)
    means = change @ inside / totals
    influence, spread = _standardize(inside / totals * change[:, None], groups)
    largest = _largest_by_chance(influence, seed, two_sided=True)
    half = np.quantile(largest, 0.95, method="higher") * np.where(np.isinf(spread), 0.0, spread)
    return [
        SliceChange(
            float(mean),
            float(mean - width),
            float(mean + width),
            float((1 + (largest >= abs(mean) / deviation).sum()) / (1 + DRAWS)),
        )
        for mean, width, deviation in zip(means, half, spread, strict=True)
    ]


def _weights(values: Array, weight: Array | None) -> Array:
    return np.ones(len(values)) if weight is None else weight.astype(float)


def _standardize(
    influence: Array, groups: Array | None, rounding: float = 0.0
) -> tuple[Array, Array]:
    """Return the influence of each row, or group, in units of its spread, and the spreads."""
    if groups is not None:
        codes = np.unique(groups, return_inverse=True)[1]
        influence = np.stack([np.bincount(codes, part) for part in influence.T], axis=1)
    spread = np.sqrt((influence**2).sum(axis=0))
    spread[spread <= rounding] = np.inf  # of a single group, or without any difference
    return influence / spread, spread


def _largest_by_chance(influence: Array, seed: int, *, two_sided: bool = False) -> Array:
    """Return the largest statistic of each draw, or the largest size, shape (draws,)."""
    rng = np.random.default_rng(seed)
    block = max(1, BLOCK // len(influence))
    parts = []
    for start in range(0, DRAWS, block):
        signs = rng.integers(0, 2, (min(block, DRAWS - start), len(influence)), dtype=np.int8)
        statistics = (2.0 * signs - 1) @ influence
        parts.append((np.abs(statistics) if two_sided else statistics).max(axis=1))
    return np.concatenate(parts)
