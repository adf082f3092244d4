"""Arrays that both ways of walking trees take from a forest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lockgate.models.packed.format.forest import Forest, ForestNodes


__all__ = ["leaf_rows", "missing_left", "set_members"]


def missing_left(forest: Forest, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return for each inner node whether a gap goes left."""
    count = len(arrays[forest.features])
    if forest.gaps is None:
        return np.zeros(count, bool)
    return np.unpackbits(arrays[forest.gaps])[:count].astype(bool)


def leaf_rows(forest: Forest, arrays: Mapping[str, np.ndarray], nodes: ForestNodes) -> np.ndarray:
    """Return the row of `values` of each node, 0 for inner ones."""
    rows = np.zeros(len(nodes.leaf), np.int64)
    count = int(nodes.leaf.sum())
    rows[nodes.leaf] = np.arange(count) if forest.leaf_rows is None else arrays[forest.leaf_rows]
    return rows


def set_members(
    forest: Forest, arrays: Mapping[str, np.ndarray], codes: np.ndarray
) -> dict[int, np.ndarray]:
    """Return the sets of each column of categories, shape (sets, codes + 1)."""
    if forest.sets is None:
        return {}
    bits = np.unpackbits(arrays[forest.sets], axis=1).astype(bool)
    counts = np.where(codes > 0, arrays[forest.counts].astype(np.int64), 0)
    ends = np.cumsum(counts)
    return {
        int(k): bits[ends[k] - counts[k] : ends[k], : codes[k] + 1]
        for k in np.flatnonzero(counts > 0)
    }
