"""Trees of any size: all trees of a block of rows, level by level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.models.packed.format.arithmetic import ordered_sum
from lockgate.models.packed.runtime.buffers import Buffers
from lockgate.models.packed.runtime.tree_arrays import leaf_rows, missing_left, set_members

if TYPE_CHECKING:
    from lockgate.models.packed.format.forest import Forest, ForestNodes

__all__ = ["TreeWalk"]

CODE_BITS, NODE_BITS = 22, 26


class TreeWalk:
    """One word a node: column, largest code that goes left, left child; leaves lead to themselves.

    Codes of gaps and of categories get columns of their own, in which 0 goes
    left and 1 goes right, so that walking compares small integers and nothing else.
    """

    name = "level by level"
    block = 1024

    def __init__(
        self,
        forest: Forest,
        a: Mapping[str, np.ndarray],
        nodes: ForestNodes,
        edges: Mapping[int, np.ndarray],
        codes: np.ndarray,
        backend: Any,
    ) -> None:
        self.forest, self.xp = forest, backend.xp
        self.asarray = backend.asarray
        feature, rank = a[forest.features].astype(np.int64), a[forest.ranks].astype(np.int64)
        order = {
            k: place for place, k in enumerate(sorted({*edges, *set_members(forest, a, codes)}))
        }
        column = np.zeros(len(feature), np.int64)
        for k, place in order.items():
            column[feature == k] = place
        self._columns(forest, a, codes, order, column, feature, rank)
        self._words(forest, nodes, column, rank)
        self._leaves(forest, a, nodes)
        self.buffers = Buffers()

    def _columns(
        self,
        forest: Forest,
        a: Mapping[str, np.ndarray],
        codes: np.ndarray,
        order: Mapping[int, int],
        column: np.ndarray,
        feature: np.ndarray,
        rank: np.ndarray,
    ) -> None:
        """Give nodes that send gaps left, and nodes that look for a set, columns of their own."""
        gap = missing_left(forest, a)
        sets = set_members(forest, a, codes)
        self.made: list[tuple[int, Any]] = []
        width = len(order)
        for k, place in order.items():
            if k in sets:
                for number, members in enumerate(sets[k]):
                    own = (feature == k) & (rank == number)
                    column[own], rank[own] = width + len(self.made), 0
                    self.made.append((place, self.asarray((~members).astype(np.int64))))
            elif (own := (feature == k) & gap).any():
                column[own] = width + len(self.made)
                self.made.append((place, None))
        self.gap_codes = [int(a[forest.counts][k]) + 1 if k not in sets else -1 for k in order]

    def _words(
        self, forest: Forest, nodes: ForestNodes, column: np.ndarray, rank: np.ndarray
    ) -> None:
        total = len(nodes.leaf)
        child = np.arange(total, dtype=np.int64)
        child[nodes.inner] = forest.trees + 2 * np.arange(len(nodes.inner))
        limit = np.full(total, (1 << CODE_BITS) - 1, np.int64)
        limit[nodes.inner] = rank
        place = np.zeros(total, np.int64)
        place[nodes.inner] = column
        self.words = self.asarray(place << (CODE_BITS + NODE_BITS) | limit << NODE_BITS | child)
        depth = np.zeros(forest.trees, np.int64)
        for level, (low, high) in enumerate(nodes.levels):
            depth[nodes.tree[low:high]] = level
        self.depths = depth
        order = np.argsort(-depth, kind="stable")
        self.roots = self.asarray(order)
        self.back = self.asarray(np.argsort(order, kind="stable"))
        self.alive = [int((depth > level).sum()) for level in range(int(depth.max()))]

    def _leaves(self, forest: Forest, a: Mapping[str, np.ndarray], nodes: ForestNodes) -> None:
        rows = leaf_rows(forest, a, nodes)
        self.rows = self.asarray(rows)
        values = a[forest.values]
        self.values = [
            self.asarray(np.ascontiguousarray(values[:, k])) for k in range(values.shape[1])
        ]
        self.base = a[forest.base].tolist()
        self.members = None
        if forest.output is not None:
            owners = a[forest.output]
            self.members = [
                self.asarray(np.flatnonzero(owners == k)) for k in range(forest.outputs)
            ]

    def _wide(self, codes: list[Any]) -> Any:
        """Return all columns of codes, own ones for gaps and sets included, shape (columns, n)."""
        xp = self.xp
        made = list(codes)
        for place, outside in self.made:
            if outside is None:
                made.append(
                    xp.where(codes[place] == self.gap_codes[place], 0 * codes[place], codes[place])
                )
            else:
                made.append(xp.take(outside, codes[place]))
        return xp.stack(made) if made else xp.zeros((1, 1), dtype=xp.int64)

    def sums(self, codes: list[Any], rows: int) -> Any:
        """Return the sums of leaves, shape (outputs, n)."""
        xp = self.xp
        wide = self._wide(codes)
        if xp is np and rows:
            return self._summed(self._host_state(wide, rows), rows)
        flat = xp.reshape(wide, (-1,))
        at = xp.reshape(xp.arange(rows, dtype=xp.int64), (1, -1))
        state = xp.reshape(self.roots, (-1, 1)) + 0 * at
        low, code_mask = (1 << NODE_BITS) - 1, (1 << CODE_BITS) - 1
        for alive in self.alive:
            words = xp.reshape(
                xp.take(self.words, xp.reshape(state[:alive, :], (-1,))), (alive, rows)
            )
            place = (words >> (CODE_BITS + NODE_BITS)) * rows + at
            code = xp.reshape(xp.take(flat, xp.reshape(place, (-1,))), (alive, rows))
            right = code > ((words >> NODE_BITS) & code_mask)
            state[:alive, :] = (words & low) + xp.astype(right, xp.int64)
        return self._summed(state, rows)

    def _host_state(self, wide: Any, rows: int) -> Any:
        """Return where each row ends in each tree, without asking for memory on the way."""
        trees, get = self.forest.trees, self.buffers.get
        names = ("state", "words", "place", "code")
        state, words, place, code = (get(name, np.int64, trees, rows) for name in names)
        right = get("right", bool, trees, rows)
        # a code, shifted, is above limit and child together where it is above the limit
        flat = (wide << NODE_BITS).reshape(-1)
        at = np.arange(rows)
        np.copyto(state, self.roots[:, None])
        for alive in self.alive:
            own = state[:alive]
            np.take(self.words, own, out=words[:alive], mode="clip")
            np.right_shift(words[:alive], CODE_BITS + NODE_BITS, out=place[:alive])
            place[:alive] *= rows
            place[:alive] += at
            np.take(flat, place[:alive], out=code[:alive], mode="clip")
            words[:alive] &= (1 << (CODE_BITS + NODE_BITS)) - 1
            np.greater(code[:alive], words[:alive], out=right[:alive])
            np.bitwise_and(words[:alive], (1 << NODE_BITS) - 1, out=own)
            own += right[:alive]
        return state

    def _summed(self, state: Any, rows: int) -> Any:
        xp = self.xp
        leaves = xp.take(self.rows, xp.reshape(state, (-1,)))
        leaves = xp.take(xp.reshape(leaves, (self.forest.trees, rows)), self.back, axis=0)
        return xp.stack([self._total(k, leaves, rows) for k in range(self.forest.outputs)])

    def _total(self, k: int, leaves: Any, rows: int) -> Any:
        xp = self.xp
        if self.members is None:
            values, own = self.values[k], leaves
        else:
            values, own = self.values[0], xp.take(leaves, self.members[k], axis=0)
        found = xp.reshape(xp.take(values, xp.reshape(own, (-1,))), (own.shape[0], rows))
        start = self.base[k] + xp.zeros((1, rows), dtype=xp.float64)
        total = ordered_sum(xp.concat([start, found], axis=0), xp)
        return total / self.forest.divide if self.forest.divide != 1 else total

    def row(self) -> Any:
        """Make the function from one row's codes to its sums."""

        def answer(codes: list[int]) -> list[float]:
            found: list[float] = self.sums([np.array([code]) for code in codes], 1)[:, 0].tolist()
            return found

        return answer
