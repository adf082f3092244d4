"""Trees of few leaves: tables of masks instead of walks.

The idea is QuickScorer's (Lucchese et al., SIGIR 2015) as plain array code: for
every column, code and tree, the mask of leaves that are still possible. The
leaf that a row reaches is the lowest bit of the masks' conjunction over columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.models.packed.format.arithmetic import ordered_sum
from lockgate.models.packed.runtime.buffers import Buffers
from lockgate.models.packed.runtime.tree_arrays import leaf_rows, missing_left, set_members

if TYPE_CHECKING:
    from lockgate.models.packed.format.forest import Forest, ForestNodes

__all__ = ["MaskTables"]

DE_BRUIJN = {32: (0x077CB531, 27), 64: (0x03F79D71B4CB0A89, 58)}
"""Multiplier and shift that number the single bits of a word."""


class MaskTables:
    """Masks by column, code and tree."""

    name = "mask tables"
    block = 256

    @classmethod
    def of(
        cls,
        forest: Forest,
        a: Mapping[str, np.ndarray],
        nodes: ForestNodes,
        edges: Mapping[int, np.ndarray],
        codes: np.ndarray,
        most_bytes: int,
        backend: Any,
    ) -> MaskTables | None:
        """Build them, or None where a tree has over 64 leaves or they would be too large."""
        leaves = np.bincount(nodes.tree[nodes.leaf], minlength=forest.trees)
        bits = 32 if leaves.max() <= 32 else 64
        rows = sum(len(one) + 2 for one in edges.values()) + int((codes + 1).sum())
        if leaves.max() > 64 or rows * forest.trees * bits // 8 > most_bytes:
            return None
        return cls(forest, a, nodes, edges, codes, bits, backend)

    def __init__(
        self,
        forest: Forest,
        a: Mapping[str, np.ndarray],
        nodes: ForestNodes,
        edges: Mapping[int, np.ndarray],
        codes: np.ndarray,
        bits: int,
        backend: Any,
    ) -> None:
        self.forest, self.xp, self.bits = forest, backend.xp, bits
        word = np.dtype(f"u{bits // 8}")
        start, count = _places(nodes)
        below = count[forest.trees + 2 * np.arange(len(nodes.inner))]
        left = ((np.uint64(1) << below.astype(np.uint64)) - np.uint64(1)) << start[
            nodes.inner
        ].astype(np.uint64)
        cleared = ~left.astype(word)
        feature, rank = a[forest.features].astype(np.int64), a[forest.ranks].astype(np.int64)
        gap, tree = missing_left(forest, a), nodes.tree[nodes.inner]
        sets = set_members(forest, a, codes)
        tables = []
        for k in sorted({*edges, *sets}):
            own = np.flatnonzero(feature == k)
            if k in edges:
                tables.append(
                    _number_table(len(edges[k]), own, rank, gap, tree, cleared, forest.trees)
                )
            else:
                tables.append(_set_table(sets[k], own, rank, tree, cleared, forest.trees))
        self._fill_values(forest, a, nodes, start, backend)
        self.single, self.buffers = forest.outputs == 1, Buffers()
        self.bytes = sum(table.nbytes for table in tables)
        self.tables = [backend.asarray(table) for table in tables]
        multiplier, shift = DE_BRUIJN[bits]
        self.multiplier = backend.asarray(np.array([multiplier], word))
        self.shift = backend.asarray(np.array([shift], word))
        self.ones = backend.asarray(np.array([1], word))
        self.slots = backend.asarray(np.arange(forest.trees, dtype=np.int64) * bits)

    def _fill_values(
        self,
        forest: Forest,
        a: Mapping[str, np.ndarray],
        nodes: ForestNodes,
        start: np.ndarray,
        backend: Any,
    ) -> None:
        multiplier, shift = DE_BRUIJN[self.bits]
        places = (1 << start[nodes.leaf].astype(object)) * multiplier
        hashed = np.array([(int(p) & ((1 << self.bits) - 1)) >> shift for p in places], np.int64)
        values = a[forest.values][leaf_rows(forest, a, nodes)[nodes.leaf]]
        made = np.zeros((forest.trees * self.bits, values.shape[1]))
        made[nodes.tree[nodes.leaf] * self.bits + hashed] = values
        self.values = [
            backend.asarray(np.ascontiguousarray(made[:, k])) for k in range(made.shape[1])
        ]
        self.base = a[forest.base].tolist()
        self.members = None
        if forest.output is not None and forest.outputs > 1:
            owners = a[forest.output]
            self.members = [
                backend.asarray(np.flatnonzero(owners == k)) for k in range(forest.outputs)
            ]
        elif forest.output is not None:
            self.members = [None]

    def slots_of(self, codes: list[Any], rows: int) -> Any:
        """Return where each row's leaf of each tree stands, shape (n, trees)."""
        xp = self.xp
        if not self.tables:
            return self.slots + xp.zeros((rows, 1), dtype=xp.int64)
        alive = xp.take(self.tables[0], codes[0], axis=0)
        for table, one in zip(self.tables[1:], codes[1:], strict=True):
            alive &= xp.take(table, one, axis=0)
        alive &= ~alive + self.ones
        alive *= self.multiplier
        alive >>= self.shift
        return xp.astype(alive, xp.int64) + self.slots

    def sums(self, codes: list[Any], rows: int) -> Any:
        """Return the sums of leaves, shape (outputs, n)."""
        xp = self.xp
        if xp is np and self.tables and self.single and rows:
            return self._host_sum(codes, rows)
        slots = xp.permute_dims(self.slots_of(codes, rows), (1, 0))
        flat = xp.reshape(slots, (-1,))
        made = []
        for k in range(self.forest.outputs):
            if self.members is None:
                own, values = flat, self.values[k]
                trees = slots.shape[0]
            else:
                members = self.members[k]
                part = slots if members is None else xp.take(slots, members, axis=0)
                own, values, trees = xp.reshape(part, (-1,)), self.values[0], part.shape[0]
            leaves = xp.reshape(xp.take(values, own), (trees, rows))
            made.append(self._total(k, leaves, rows))
        return xp.stack(made)

    def _host_sum(self, codes: list[Any], rows: int) -> Any:
        """Return the one sum as `sums` does, without asking for memory on the way."""
        trees, get, word = self.forest.trees, self.buffers.get, self.ones.dtype
        alive, other = get("alive", word, rows, trees), get("other", word, rows, trees)
        slots, leaves = get("slots", np.int64, rows, trees), get("leaves", float, rows, trees)
        np.take(self.tables[0], codes[0], axis=0, out=alive, mode="clip")
        for table, one in zip(self.tables[1:], codes[1:], strict=True):
            np.take(table, one, axis=0, out=other, mode="clip")
            np.bitwise_and(alive, other, out=alive)
        np.invert(alive, out=other)
        other += self.ones
        alive &= other
        alive *= self.multiplier
        alive >>= self.shift
        np.add(alive, self.slots, out=slots, casting="unsafe")
        np.take(self.values[0], slots, out=leaves, mode="clip")
        turned = get("turned", float, trees + 1, rows)
        turned[0] = self.base[0]
        turned[1:] = leaves.T
        total = ordered_sum(turned, np)
        return (total / self.forest.divide if self.forest.divide != 1 else total)[None]

    def _total(self, k: int, leaves: Any, rows: int) -> Any:
        xp = self.xp
        start = self.base[k] + xp.zeros((1, rows), dtype=xp.float64)
        found = ordered_sum(xp.concat([start, leaves], axis=0), xp)
        return found / self.forest.divide if self.forest.divide != 1 else found

    def row(self) -> Any:
        """Make the function from one row's codes to its sums.

        A row of a table is one large whole number here: the conjunction of a dozen
        of them takes less time than that of small arrays.
        """
        trees, bits = self.forest.trees, self.bits
        size, dtype = trees * bits // 8, self.ones.dtype
        kept: list[list[int | None]] = [[None] * len(table) for table in self.tables]
        everything = (1 << (8 * size)) - 1
        multiplier, shift, slots = self.multiplier, self.shift, self.slots
        total = self._row_totals()

        def answer(codes: list[int]) -> list[float]:
            alive = everything
            for place, code in enumerate(codes):
                own = kept[place][code]
                if own is None:
                    own = int.from_bytes(self.tables[place][code].tobytes(), "little")
                    kept[place][code] = own
                alive &= own
            words = np.frombuffer(alive.to_bytes(size, "little"), dtype)
            lowest = np.negative(words)
            lowest &= words
            lowest *= multiplier
            lowest >>= shift
            found: list[float] = total(lowest + slots)
            return found

        return answer

    def _row_totals(self) -> Any:
        """Make the function from one row's slots to its sums."""
        outputs, base, divide = self.forest.outputs, self.base, float(self.forest.divide)
        values, members = self.values, self.members

        def leaves(k: int, own: Any) -> Any:
            if members is None:
                return values[k].take(own)
            return values[0].take(own if members[k] is None else own.take(members[k]))

        def total(slots: Any) -> list[float]:
            own = slots.astype(np.int64)
            made = []
            for k in range(outputs):
                found = leaves(k, own)
                if len(found):
                    found[0] += base[k]
                    made.append(float(np.add.accumulate(found)[-1]) / divide)
                else:
                    made.append(base[k] / divide)
            return made

        return total


def _places(nodes: ForestNodes) -> tuple[np.ndarray, np.ndarray]:
    """Return each node's first leaf, counted from the left of its tree, and how many it has."""
    trees, total = nodes.levels[0][1], len(nodes.leaf)
    child = np.full(total, -1, np.int64)
    child[nodes.inner] = trees + 2 * np.arange(len(nodes.inner))
    count = np.ones(total, np.int64)
    for low, high in reversed(nodes.levels):
        own = np.flatnonzero(~nodes.leaf[low:high]) + low
        count[own] = count[child[own]] + count[child[own] + 1]
    start = np.zeros(total, np.int64)
    for low, high in nodes.levels:
        own = np.flatnonzero(~nodes.leaf[low:high]) + low
        start[child[own]] = start[own]
        start[child[own] + 1] = start[own] + count[child[own]]
    return start, count


def _number_table(
    edges: int,
    own: np.ndarray,
    rank: np.ndarray,
    gap: np.ndarray,
    tree: np.ndarray,
    cleared: np.ndarray,
    trees: int,
) -> np.ndarray:
    """Masks for codes 0 .. edges, and for a gap as the last row."""
    made = np.full((edges + 2, trees), np.iinfo(cleared.dtype).max, cleared.dtype)
    np.bitwise_and.at(made, (rank[own] + 1, tree[own]), cleared[own])
    made[: edges + 1] = np.bitwise_and.accumulate(made[: edges + 1], axis=0)
    made[edges + 1] = np.iinfo(cleared.dtype).max
    right = own[~gap[own]]
    np.bitwise_and.at(made, (edges + 1, tree[right]), cleared[right])
    return made


def _set_table(
    sets: np.ndarray,
    own: np.ndarray,
    rank: np.ndarray,
    tree: np.ndarray,
    cleared: np.ndarray,
    trees: int,
) -> np.ndarray:
    """Masks for each code, the last for gaps and codes out of range."""
    made = np.full((sets.shape[1], trees), np.iinfo(cleared.dtype).max, cleared.dtype)
    for node in own.tolist():
        made[~sets[rank[node]], tree[node]] &= cleared[node]
    return made
