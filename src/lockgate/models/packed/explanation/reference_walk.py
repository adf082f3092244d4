"""Explanations of trees of any size against one reference, by a walk of both rows at once.

A leaf counts where every input on the way to it is met by the row or by the reference. So the
walk forks only where the two go different ways on an input that was not assigned to one of them
before. With p inputs met by the row alone and q by the reference alone, a leaf gives
1 / (p C(p + q, p)) of its value to each of the first, and takes 1 / (q C(p + q, q)) from each
of the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lockgate.contract.requests import numpy_backend
from lockgate.models.packed.runtime.tree_arrays import UnpackedForest
from lockgate.models.packed.runtime.tree_walk import TreeWalk

__all__ = ["ReferenceWalk"]

STATES = 1 << 15
"""Trees and rows that a walk starts with together."""


class ReferenceWalk:
    """Walks of rows and of the reference.

    Parameters
    ----------
    unpacked : UnpackedForest
        The forest.
    values : ndarray of float, shape (nodes, outputs)
        What each leaf adds.
    players : ndarray of int, shape (width,)
        Input of each column.
    reference : list of int
        Codes of the reference.
    inputs : int
        Number of inputs.

    """

    name = "walk of both rows"

    def __init__(
        self,
        unpacked: UnpackedForest,
        values: np.ndarray,
        players: np.ndarray,
        reference: list[int],
        inputs: int,
    ) -> None:
        self.walk = TreeWalk(unpacked, numpy_backend())
        self.values, self.inputs, self.trees = values, inputs, unpacked.forest.trees
        self.column, self.limit, self.left = self.walk.unpack_nodes()
        wide = self.walk.widen_codes([np.array([code]) for code in reference])[:, 0]
        self.reference_right = wide[self.column] > self.limit
        self.depth = len(unpacked.nodes.levels) - 1
        # inputs that the forest compares, numbered anew: a bit each, 64 in a word
        node_player = players[unpacked.feature]
        self.players, numbers = np.unique(node_player, return_inverse=True)
        self.word_count = max(1, -(-len(self.players) // 64))
        self.bits = np.zeros((self.word_count, len(unpacked.nodes.leaf)), np.uint64)
        shifted = np.uint64(1) << (numbers % 64).astype(np.uint64)
        self.bits[numbers // 64, unpacked.nodes.inner] = shifted
        limit = min(len(self.players), self.depth) + 1
        self.gain = np.zeros((limit, limit))
        self.loss = np.zeros((limit, limit))
        for p in range(limit):
            for q in range(limit - p):
                if p:
                    self.gain[p, q] = 1 / (p * math.comb(p + q, p))
                if q:
                    self.loss[p, q] = 1 / (q * math.comb(p + q, q))

    def columns(self, codes: Sequence[np.ndarray], rows: int) -> np.ndarray:
        """Return the values of rows, shape (rows, inputs * outputs)."""
        outputs = self.values.shape[1]
        result = np.zeros((rows, self.inputs, outputs))
        step = max(1, STATES // self.trees)
        for low in range(0, rows, step):
            high = min(low + step, rows)
            wide = self.walk.widen_codes([code[low:high] for code in codes])
            result[low:high] = self._explain(wide, high - low)
        return result.reshape(rows, -1)

    def _explain(self, wide: np.ndarray, rows: int) -> np.ndarray:
        """Go down all trees: with the row, with the reference, or both ways.

        Rows that have reached a leaf stay there, so that no level has to look for them.
        """
        flat = wide.ravel()
        node = np.tile(np.arange(self.trees), rows)
        row = np.repeat(np.arange(rows), self.trees)
        row_mask, reference_mask = (
            [np.zeros(len(node), np.uint64) for _ in range(self.word_count)] for _ in range(2)
        )
        for _ in range(self.depth):
            right = flat.take(self.column.take(node) * rows + row) > self.limit.take(node)
            reference_right = self.reference_right.take(node)
            left = self.left.take(node)
            differ = np.flatnonzero(right != reference_right)
            bits = [bit.take(node.take(differ)) for bit in self.bits]
            in_row_mask, in_reference_mask = (
                _shares_bit(row_mask, bits, differ),
                _shares_bit(reference_mask, bits, differ),
            )
            with_reference = differ[in_reference_mask]
            fork = ~(in_row_mask | in_reference_mask)
            forked = differ[fork]
            right[with_reference] = reference_right[with_reference]
            node = np.concatenate([left + right, left[forked] + reference_right[forked]])
            row = np.concatenate([row, row[forked]])
            for k, bit in enumerate(bits):
                row_mask_before = row_mask[k][forked]
                row_mask[k][forked] |= bit[fork]
                row_mask[k] = np.concatenate([row_mask[k], row_mask_before])
                reference_mask[k] = np.concatenate(
                    [reference_mask[k], reference_mask[k][forked] | bit[fork]]
                )
        return self._add_leaves(
            node, row, rows, self._unpack(row_mask), self._unpack(reference_mask)
        )

    def _add_leaves(
        self,
        leaf: np.ndarray,
        row: np.ndarray,
        rows: int,
        row_mask: np.ndarray,
        reference_mask: np.ndarray,
    ) -> np.ndarray:
        """Add what leaves give to the inputs of the row, and take from those of the reference."""
        total = np.zeros((rows, self.inputs, self.values.shape[1]))
        p, q = row_mask.sum(axis=1), reference_mask.sum(axis=1)
        for bits, share in ((row_mask, self.gain[p, q]), (reference_mask, -self.loss[p, q])):
            state, number = np.nonzero(bits)
            target = row[state] * self.inputs + self.players[number]
            for output in range(self.values.shape[1]):
                added = np.bincount(
                    target,
                    (self.values[leaf, output] * share)[state],
                    minlength=rows * self.inputs,
                )
                total[:, :, output] += added.reshape(rows, self.inputs)
        return total

    def _unpack(self, masks: Sequence[np.ndarray]) -> np.ndarray:
        """Return bits as bools, shape (states, inputs compared)."""
        raw = np.stack(masks, axis=1).astype("<u8").view(np.uint8)
        bits = np.unpackbits(raw, axis=1, bitorder="little", count=len(self.players))
        return np.asarray(bits.view(bool))


def _shares_bit(
    masks: Sequence[np.ndarray], bits: Sequence[np.ndarray], states: np.ndarray
) -> np.ndarray:
    """Return for each of these states whether it has a bit."""
    common = masks[0].take(states) & bits[0]
    for word, bit in zip(masks[1:], bits[1:], strict=True):
        common |= word.take(states) & bit
    return np.asarray(common != 0)
