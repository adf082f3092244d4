"""How far the predictions of two models agree, and which of them is right where they differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr

from lockgate.contract.recipes import UNSUPERVISED
from lockgate.modeling.statistics.slices import measure_slice_changes
from lockgate.models.comparison.pair import Pair

__all__ = ["Agreement", "measure_agreement", "sign_test"]


@dataclass(frozen=True)
class Agreement:
    """How far the predictions of two models agree on the same rows.

    Attributes
    ----------
    rows : int
        Number of rows.
    different : int
        Rows that they predict differently: another class, cluster or number.
    first_better, second_better : int or None
        Rows on which only the first, or the second, is right; of numbers those on which its
        loss is smaller. None without a target.
    p : float or None
        Probability that chance alone divides these rows as unevenly: the exact test of signs,
        which for classes is McNemar's (1947). With weights or groups signs are flipped at random,
        those of the rows of a group together.
    mean_change : float or None
        Mean absolute difference of the numbers that they predict, of several targets relative to
        the mean absolute deviation of each; None for classes.

    """

    rows: int
    different: int
    first_better: int | None = None
    second_better: int | None = None
    p: float | None = None
    mean_change: float | None = None


def measure_agreement(pair: Pair, seed: int) -> Agreement:
    """Measure how far two models agree; the seed is that of random signs."""
    table = pair.tables[1]
    rows, different = len(table), int(pair.differ.sum())
    if pair.task in UNSUPERVISED:
        return Agreement(rows, different)
    old, new = pair.losses
    first, second = int((old < new).sum()), int((new < old).sum())
    if table.weight is None and table.groups is None:
        p = sign_test(first, second)
    else:
        every_row = np.ones((rows, 1), dtype=bool)
        signs = np.sign(new - old)
        (change,) = measure_slice_changes(signs, every_row, table.weight, table.groups, seed=seed)
        p = change.p
    change_of_numbers = None if pair.labels else float(pair.distance.mean())
    return Agreement(rows, different, first, second, p, change_of_numbers)


def sign_test(first: int, second: int) -> float:
    """Return the probability that chance divides rows as unevenly, two-sided and exact.

    Examples
    --------
    >>> round(sign_test(1, 9), 4), sign_test(5, 5)
    (0.0215, 1.0)

    """
    return min(1.0, 2 * float(bdtr(min(first, second), first + second, 0.5)))
