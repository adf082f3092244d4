"""Clusters of two models, whose numbers mean nothing, matched by the rows that they share."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["MatchedClusters", "match_clusters"]

Array = np.ndarray[Any, np.dtype[Any]]


class MatchedClusters(NamedTuple):
    """Clusters of two models, matched so that as many rows as possible keep theirs.

    Attributes
    ----------
    same : float
        Share of rows whose number is the same in both.
    alike : float
        Share of rows whose number is the same after clusters are matched.
    pairs : dict of int to int
        Number in the second by number in the first.
    renumbered : ndarray of int, shape (rows,)
        Clusters of the first under the numbers of the second; -1 for one without a counterpart.

    """

    same: float
    alike: float
    pairs: dict[int, int]
    renumbered: Array


def match_clusters(first: Array, second: Array) -> MatchedClusters:
    """Match the clusters of two models (assignment problem, Kuhn, 1955).

    Examples
    --------
    >>> matched = match_clusters(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 1]))
    >>> matched.same, matched.alike, matched.pairs
    (0.25, 0.75, {0: 1, 1: 0})

    """
    from scipy.optimize import linear_sum_assignment

    old, new = first.astype(int), second.astype(int)
    counts = np.zeros((int(old.max()) + 1, int(new.max()) + 1))
    np.add.at(counts, (old, new), 1)
    rows, columns = linear_sum_assignment(-counts)
    numbers = np.full(len(counts), -1)
    numbers[rows] = columns
    renumbered = numbers[old]
    pairs = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    return MatchedClusters(
        float(np.mean(old == new)), float(np.mean(renumbered == new)), pairs, renumbered
    )
