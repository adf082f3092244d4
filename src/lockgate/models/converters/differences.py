"""How far apart two models' numbers for the same rows are."""

from __future__ import annotations

import numpy as np

__all__ = ["relative_distances", "within_rounding"]


def relative_distances(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Return the largest difference of each row, shape (n,), relative for values above 1."""
    if np.shape(ours) != np.shape(theirs):
        return np.full(len(ours), np.inf)
    scale = np.maximum(1.0, np.abs(theirs))
    with np.errstate(invalid="ignore"):
        difference = np.abs(ours - theirs) / scale
    difference = np.where(ours == theirs, 0.0, difference).reshape(len(ours), -1)
    return np.asarray(difference.max(axis=1, initial=0.0))


def within_rounding(
    ours: np.ndarray, theirs: np.ndarray, tolerance: float, bound: np.ndarray
) -> np.ndarray:
    """Return the rows of which each number is within the tolerance, or within what rounding does.

    Parameters
    ----------
    ours, theirs : ndarray, shape (n,) or (n, k)
        The numbers.
    tolerance : float
        Difference that is allowed; relative for values above 1.
    bound : ndarray, shape (n,)
        Difference that rounding explains.

    """
    if np.shape(ours) != np.shape(theirs):
        return np.zeros(len(ours), bool)
    scale = np.maximum(1.0, np.abs(theirs)).reshape(len(ours), -1)
    difference = np.abs(ours - theirs).reshape(len(ours), -1)
    within: np.ndarray = difference <= np.maximum(tolerance * scale, bound[:, None])
    return np.asarray(within.all(axis=1))
