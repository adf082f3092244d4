"""The conditions on the way to each leaf, by the input that they are about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lockgate.models.packed.runtime.forest_codes import ForestCodes
from lockgate.models.packed.runtime.tree_arrays import UnpackedForest

__all__ = ["Condition", "TreePaths", "leaf_values"]


@dataclass(frozen=True)
class Condition:
    """A comparison of a node.

    Attributes
    ----------
    entry : int
        Which of the forest's codes is compared.
    column, rank : int
        Column of the forest, and its edge or set.
    missing_left : bool
        Whether a missing value goes left.

    """

    entry: int
    column: int
    rank: int
    missing_left: bool


class TreePaths:
    """The nodes of a forest with their conditions, and which codes meet them.

    Parameters
    ----------
    unpacked : UnpackedForest
        The forest.
    codes : ForestCodes
        How rows are encoded.
    players : ndarray of int, shape (width,)
        Input of each column.

    Attributes
    ----------
    entry_players : list of int
        Input that each of the codes is about.
    sizes : list of int
        How many values each of the codes has.

    """

    def __init__(
        self,
        unpacked: UnpackedForest,
        codes: ForestCodes,
        players: np.ndarray,
    ) -> None:
        self.unpacked, self.codes, self.plan = unpacked, codes, codes.plan
        self.entry_players = [int(players[entry.column]) for entry in codes.plan]
        self._sets = unpacked.sets
        counts = unpacked.counts
        self.sizes = [
            len(codes.code_columns(entry))
            if entry.row is None
            else int(unpacked.codes[entry.column]) + 1
            if unpacked.codes[entry.column]
            else int(counts[entry.column]) + 2
            for entry in codes.plan
        ]
        entry_of = {}
        for number, entry in enumerate(codes.plan):
            width = codes.parts[entry.part].width if entry.row is None else 1
            entry_of.update({entry.column + k: number for k in range(width)})
        feature, rank = unpacked.feature.tolist(), unpacked.rank.tolist()
        self.conditions = [
            Condition(entry_of[column], column, edge, missing)
            for column, edge, missing in zip(
                feature, rank, unpacked.missing_left.tolist(), strict=True
            )
        ]
        inner = unpacked.nodes.inner
        total = len(unpacked.nodes.leaf)
        self.left = np.full(total, -1)
        self.left[inner] = unpacked.nodes.left
        self.inner_index = np.full(total, -1)
        self.inner_index[inner] = np.arange(len(inner))
        self._met: dict[Condition, np.ndarray] = {}

    def met(self, condition: Condition) -> np.ndarray:
        """Return for each value of the code whether it goes left, bool of shape (codes,)."""
        if condition not in self._met:
            self._met[condition] = self._goes_left(condition)
        return self._met[condition]

    def _goes_left(self, condition: Condition) -> np.ndarray:
        column, rank = condition.column, condition.rank
        size = self.sizes[condition.entry]
        entry = self.plan[condition.entry]
        if column in self._sets:
            return np.asarray(self._sets[column][rank])
        if entry.row is None:
            return np.asarray(self.codes.ranks(entry, column) <= rank)
        left = np.arange(size) <= rank
        left[-1] = condition.missing_left
        return left


def leaf_values(unpacked: UnpackedForest, weights: np.ndarray) -> np.ndarray:
    """Return what each node adds to the explained numbers, 0 for inner nodes.

    Parameters
    ----------
    unpacked : UnpackedForest
        The forest.
    weights : ndarray of float, shape (outputs, sums)
        How its sums are added.

    Returns
    -------
    ndarray of float, shape (nodes, outputs)

    """
    forest, nodes = unpacked.forest, unpacked.nodes
    values = unpacked.arrays[forest.values][unpacked.leaf_rows]
    if forest.output is not None:
        trees = unpacked.arrays[forest.output].astype(np.int64)[nodes.tree]
        spread = values * weights.T[trees]
    else:
        spread = values @ weights.T
    spread[~nodes.leaf] = 0.0
    return np.asarray(spread / forest.divide)
