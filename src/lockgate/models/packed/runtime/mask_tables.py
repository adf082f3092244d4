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
        arrays: Mapping[str, np.ndarray],
        nodes: ForestNodes,
        edges: Mapping[int, np.ndarray],
        codes: np.ndarray,
        max_bytes: int,
        backend: Any,
    ) -> MaskTables | None:
        """Build them, or None where a tree has over 64 leaves or they would be too large."""
        leaves = np.bincount(nodes.tree[nodes.leaf], minlength=forest.trees)
        bits = 32 if leaves.max() <= 32 else 64
        rows = sum(len(column_edges) + 2 for column_edges in edges.values()) + int(
            (codes + 1).sum()
        )
        if leaves.max() > 64 or rows * forest.trees * bits // 8 > max_bytes:
            return None
        return cls(forest, arrays, nodes, edges, codes, bits, backend)

    def __init__(
        self,
        forest: Forest,
        arrays: Mapping[str, np.ndarray],
        nodes: ForestNodes,
        edges: Mapping[int, np.ndarray],
        codes: np.ndarray,
        bits: int,
        backend: Any,
    ) -> None:
        self.forest, self.xp, self.bits = forest, backend.xp, bits
        mask_dtype = np.dtype(f"u{bits // 8}")
        start, count = _count_leaves(nodes)
        below = count[forest.trees + 2 * np.arange(len(nodes.inner))]
        left = ((np.uint64(1) << below.astype(np.uint64)) - np.uint64(1)) << start[
            nodes.inner
        ].astype(np.uint64)
        cleared = ~left.astype(mask_dtype)
        feature, rank = (
            arrays[forest.features].astype(np.int64),
            arrays[forest.ranks].astype(np.int64),
        )
        missing_goes_left, tree = missing_left(forest, arrays), nodes.tree[nodes.inner]
        sets = set_members(forest, arrays, codes)
        tables = []
        for k in sorted({*edges, *sets}):
            column_nodes = np.flatnonzero(feature == k)
            if k in edges:
                tables.append(
                    _number_table(
                        len(edges[k]),
                        column_nodes,
                        rank,
                        missing_goes_left,
                        tree,
                        cleared,
                        forest.trees,
                    )
                )
            else:
                tables.append(_set_table(sets[k], column_nodes, rank, tree, cleared, forest.trees))
        self._fill_values(forest, arrays, nodes, start, backend)
        self.single, self.buffers = forest.outputs == 1, Buffers()
        self.bytes = sum(table.nbytes for table in tables)
        self.tables = [backend.asarray(table) for table in tables]
        multiplier, shift = DE_BRUIJN[bits]
        self.multiplier = backend.asarray(np.array([multiplier], mask_dtype))
        self.shift = backend.asarray(np.array([shift], mask_dtype))
        self.ones = backend.asarray(np.array([1], mask_dtype))
        self.slots = backend.asarray(np.arange(forest.trees, dtype=np.int64) * bits)

    def _fill_values(
        self,
        forest: Forest,
        arrays: Mapping[str, np.ndarray],
        nodes: ForestNodes,
        start: np.ndarray,
        backend: Any,
    ) -> None:
        multiplier, shift = DE_BRUIJN[self.bits]
        products = (1 << start[nodes.leaf].astype(object)) * multiplier
        hashed = np.array([(int(p) & ((1 << self.bits) - 1)) >> shift for p in products], np.int64)
        values = arrays[forest.values][leaf_rows(forest, arrays, nodes)[nodes.leaf]]
        slot_values = np.zeros((forest.trees * self.bits, values.shape[1]))
        slot_values[nodes.tree[nodes.leaf] * self.bits + hashed] = values
        self.values = [
            backend.asarray(np.ascontiguousarray(slot_values[:, k]))
            for k in range(slot_values.shape[1])
        ]
        self.base = arrays[forest.base].tolist()
        self.members = None
        if forest.output is not None and forest.outputs > 1:
            tree_outputs = arrays[forest.output]
            self.members = [
                backend.asarray(np.flatnonzero(tree_outputs == k)) for k in range(forest.outputs)
            ]
        elif forest.output is not None:
            self.members = [None]

    def slots_of(self, codes: list[Any], rows: int) -> Any:
        """Return where each row's leaf of each tree stands, shape (n, trees)."""
        xp = self.xp
        if not self.tables:
            return self.slots + xp.zeros((rows, 1), dtype=xp.int64)
        alive = xp.take(self.tables[0], codes[0], axis=0)
        for table, code in zip(self.tables[1:], codes[1:], strict=True):
            alive &= xp.take(table, code, axis=0)
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
        totals = []
        for k in range(self.forest.outputs):
            if self.members is None:
                output_slots, values = flat, self.values[k]
                trees = slots.shape[0]
            else:
                members = self.members[k]
                part = slots if members is None else xp.take(slots, members, axis=0)
                output_slots, values, trees = xp.reshape(part, (-1,)), self.values[0], part.shape[0]
            leaves = xp.reshape(xp.take(values, output_slots), (trees, rows))
            totals.append(self._total(k, leaves, rows))
        return xp.stack(totals)

    def _host_sum(self, codes: list[Any], rows: int) -> Any:
        """Return the one sum as `sums` does, without asking for memory on the way."""
        trees, get, mask_dtype = self.forest.trees, self.buffers.get, self.ones.dtype
        alive, scratch = (
            get("alive", mask_dtype, rows, trees),
            get("other", mask_dtype, rows, trees),
        )
        slots, leaves = get("slots", np.int64, rows, trees), get("leaves", float, rows, trees)
        np.take(self.tables[0], codes[0], axis=0, out=alive, mode="clip")
        for table, code in zip(self.tables[1:], codes[1:], strict=True):
            np.take(table, code, axis=0, out=scratch, mode="clip")
            np.bitwise_and(alive, scratch, out=alive)
        np.invert(alive, out=scratch)
        scratch += self.ones
        alive &= scratch
        alive *= self.multiplier
        alive >>= self.shift
        np.add(alive, self.slots, out=slots, casting="unsafe")
        np.take(self.values[0], slots, out=leaves, mode="clip")
        transposed = get("turned", float, trees + 1, rows)
        transposed[0] = self.base[0]
        transposed[1:] = leaves.T
        total = ordered_sum(transposed, np)
        return (total / self.forest.divide if self.forest.divide != 1 else total)[None]

    def _total(self, k: int, leaves: Any, rows: int) -> Any:
        xp = self.xp
        start = self.base[k] + xp.zeros((1, rows), dtype=xp.float64)
        total = ordered_sum(xp.concat([start, leaves], axis=0), xp)
        return total / self.forest.divide if self.forest.divide != 1 else total

    def row(self) -> Any:
        """Make the function from one row's codes to its sums.

        A row of a table is one large whole number here: the conjunction of a dozen
        of them takes less time than that of small arrays.
        """
        trees, bits = self.forest.trees, self.bits
        size, dtype = trees * bits // 8, self.ones.dtype
        mask_cache: list[list[int | None]] = [[None] * len(table) for table in self.tables]
        all_leaves = (1 << (8 * size)) - 1
        multiplier, shift, slots = self.multiplier, self.shift, self.slots
        total = self._row_totals()

        def answer(codes: list[int]) -> list[float]:
            alive = all_leaves
            for index, code in enumerate(codes):
                mask = mask_cache[index][code]
                if mask is None:
                    mask = int.from_bytes(self.tables[index][code].tobytes(), "little")
                    mask_cache[index][code] = mask
                alive &= mask
            masks = np.frombuffer(alive.to_bytes(size, "little"), dtype)
            lowest = np.negative(masks)
            lowest &= masks
            lowest *= multiplier
            lowest >>= shift
            sums: list[float] = total(lowest + slots)
            return sums

        return answer

    def _row_totals(self) -> Any:
        """Make the function from one row's slots to its sums."""
        outputs, base, divide = self.forest.outputs, self.base, float(self.forest.divide)
        values, members = self.values, self.members

        def leaf_values_of(k: int, slot_indices: Any) -> Any:
            if members is None:
                return values[k].take(slot_indices)
            return values[0].take(
                slot_indices if members[k] is None else slot_indices.take(members[k])
            )

        def total(slots: Any) -> list[float]:
            slot_indices = slots.astype(np.int64)
            totals = []
            for k in range(outputs):
                leaf_values = leaf_values_of(k, slot_indices)
                if len(leaf_values):
                    leaf_values[0] += base[k]
                    totals.append(float(np.add.accumulate(leaf_values)[-1]) / divide)
                else:
                    totals.append(base[k] / divide)
            return totals

        return total


def _count_leaves(nodes: ForestNodes) -> tuple[np.ndarray, np.ndarray]:
    """Return each node's first leaf, counted from the left of its tree, and how many it has."""
    trees, total = nodes.levels[0][1], len(nodes.leaf)
    child = np.full(total, -1, np.int64)
    child[nodes.inner] = trees + 2 * np.arange(len(nodes.inner))
    count = np.ones(total, np.int64)
    for low, high in reversed(nodes.levels):
        level_inner = np.flatnonzero(~nodes.leaf[low:high]) + low
        count[level_inner] = count[child[level_inner]] + count[child[level_inner] + 1]
    start = np.zeros(total, np.int64)
    for low, high in nodes.levels:
        level_inner = np.flatnonzero(~nodes.leaf[low:high]) + low
        start[child[level_inner]] = start[level_inner]
        start[child[level_inner] + 1] = start[level_inner] + count[child[level_inner]]
    return start, count


def _number_table(
    edges: int,
    column_nodes: np.ndarray,
    rank: np.ndarray,
    missing_goes_left: np.ndarray,
    tree: np.ndarray,
    cleared: np.ndarray,
    trees: int,
) -> np.ndarray:
    """Masks for codes 0 .. edges, and for a gap as the last row."""
    table = np.full((edges + 2, trees), np.iinfo(cleared.dtype).max, cleared.dtype)
    np.bitwise_and.at(table, (rank[column_nodes] + 1, tree[column_nodes]), cleared[column_nodes])
    table[: edges + 1] = np.bitwise_and.accumulate(table[: edges + 1], axis=0)
    table[edges + 1] = np.iinfo(cleared.dtype).max
    right = column_nodes[~missing_goes_left[column_nodes]]
    np.bitwise_and.at(table, (edges + 1, tree[right]), cleared[right])
    return table


def _set_table(
    sets: np.ndarray,
    column_nodes: np.ndarray,
    rank: np.ndarray,
    tree: np.ndarray,
    cleared: np.ndarray,
    trees: int,
) -> np.ndarray:
    """Masks for each code, the last for gaps and codes out of range."""
    table = np.full((sets.shape[1], trees), np.iinfo(cleared.dtype).max, cleared.dtype)
    for node in column_nodes.tolist():
        table[~sets[rank[node]], tree[node]] &= cleared[node]
    return table
