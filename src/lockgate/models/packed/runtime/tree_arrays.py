"""The arrays of a forest in host memory, unpacked, as both ways to evaluate trees need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lockgate.models.packed.format.forest import Forest, ForestNodes, expand_nodes

__all__ = ["UnpackedForest"]


@dataclass(frozen=True)
class UnpackedForest:
    """A forest with its arrays unpacked.

    Attributes
    ----------
    forest : Forest
        The operation.
    arrays : mapping of str to ndarray
        Arrays of the file.
    nodes : ForestNodes
        Its nodes.
    edges : dict of int to ndarray
        Edges of each column of numbers that a node compares.
    codes : ndarray of int, shape (width,)
        Number of known codes of each column of categories; 0 is a column of numbers.

    """

    forest: Forest
    arrays: Mapping[str, np.ndarray]
    nodes: ForestNodes
    edges: dict[int, np.ndarray]
    codes: np.ndarray

    @classmethod
    def unpack(cls, forest: Forest, arrays: Mapping[str, np.ndarray]) -> UnpackedForest:
        """Unpack a forest that was checked."""
        counts = arrays[forest.counts].astype(np.int64)
        codes = np.zeros(len(counts), np.int64)
        if forest.codes is not None:
            codes = arrays[forest.codes].astype(np.int64)
        ends = np.cumsum(np.where(codes == 0, counts, 0))
        flat = arrays[forest.edges]
        edges = {
            int(k): flat[ends[k] - counts[k] : ends[k]]
            for k in np.flatnonzero((counts > 0) & (codes == 0))
        }
        return cls(forest, arrays, expand_nodes(forest, arrays), edges, codes)

    @property
    def counts(self) -> np.ndarray:
        """Number of edges or sets of each column."""
        return self.arrays[self.forest.counts].astype(np.int64)

    @property
    def feature(self) -> np.ndarray:
        """Column of each inner node."""
        return self.arrays[self.forest.features].astype(np.int64)

    @property
    def rank(self) -> np.ndarray:
        """Edge or set, within its column, of each inner node."""
        return self.arrays[self.forest.ranks].astype(np.int64)

    @property
    def missing_left(self) -> np.ndarray:
        """Whether a missing value goes left, for each inner node."""
        count = len(self.arrays[self.forest.features])
        if self.forest.missing_left is None:
            return np.zeros(count, bool)
        return np.unpackbits(self.arrays[self.forest.missing_left])[:count].astype(bool)

    @property
    def leaf_rows(self) -> np.ndarray:
        """Row of the forest's `values` of each node, 0 for inner nodes."""
        leaf = self.nodes.leaf
        rows = np.zeros(len(leaf), np.int64)
        stored = self.forest.leaf_rows
        rows[leaf] = np.arange(int(leaf.sum())) if stored is None else self.arrays[stored]
        return rows

    @property
    def sets(self) -> dict[int, np.ndarray]:
        """Sets of each column of categories, shape (sets, codes + 1)."""
        if self.forest.sets is None:
            return {}
        bits = np.unpackbits(self.arrays[self.forest.sets], axis=1).astype(bool)
        counts = np.where(self.codes > 0, self.counts, 0)
        ends = np.cumsum(counts)
        return {
            int(k): bits[ends[k] - counts[k] : ends[k], : self.codes[k] + 1]
            for k in np.flatnonzero(counts > 0)
        }
