"""Trees with few leaves: tables of masks instead of walks.

The idea is QuickScorer's (Lucchese et al., SIGIR 2015) as plain array code: for
every column, code and tree, the mask of leaves that are still possible. The
leaf that a row reaches is the lowest bit of the bitwise AND of the masks over columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lockgate.contract.requests import Backend
from lockgate.models.packed.format.arithmetic import ordered_sum
from lockgate.models.packed.format.array_types import Array, RowFunction
from lockgate.models.packed.format.forest import ForestNodes
from lockgate.models.packed.runtime.buffers import Buffers
from lockgate.models.packed.runtime.one_hot_masks import (
    ForestPart,
    count_rows,
    merge_one_hot,
    plan_columns,
)
from lockgate.models.packed.runtime.tree_arrays import UnpackedForest

__all__ = ["MaskTables"]

DE_BRUIJN = {32: (0x077CB531, 27), 64: (0x03F79D71B4CB0A89, 58)}
"""Multiplier and shift that map each single bit of a word to a number of its own."""


class MaskTables:
    """Masks by column, code and tree."""

    name = "mask tables"
    block = 256

    @classmethod
    def of(
        cls,
        unpacked: UnpackedForest,
        backend: Backend,
        max_bytes: int,
        parts: Sequence[ForestPart] = (),
    ) -> MaskTables | None:
        """Build them, or return None if a tree has over 64 leaves or they would be too large."""
        nodes, trees = unpacked.nodes, unpacked.forest.trees
        leaves = np.bincount(nodes.tree[nodes.leaf], minlength=trees)
        bits = 32 if leaves.max() <= 32 else 64
        column_rows = {k: len(edges) + 2 for k, edges in unpacked.edges.items()}
        if parts:
            rows = count_rows(parts, plan_columns(parts, sorted(column_rows)), column_rows)
        else:
            rows = sum(column_rows.values()) + int((unpacked.codes + 1).sum())
        if leaves.max() > 64 or rows * trees * bits // 8 > max_bytes:
            return None
        return cls(unpacked, backend, bits, parts)

    def __init__(
        self,
        unpacked: UnpackedForest,
        backend: Backend,
        bits: int,
        parts: Sequence[ForestPart] = (),
    ) -> None:
        self.forest, self.xp, self.bits = unpacked.forest, backend.xp, bits
        mask_dtype = np.dtype(f"u{bits // 8}")
        start, count = _count_leaves(unpacked.nodes)
        tables_by_column = _build_tables(unpacked, start, count, mask_dtype)
        tables = list(tables_by_column.values())
        if parts:
            plan = plan_columns(parts, list(tables_by_column))
            tables = merge_one_hot(parts, plan, tables_by_column, unpacked.edges)
        self._fill_values(unpacked, start, backend)
        self.single, self.buffers = self.forest.outputs == 1, Buffers()
        self.bytes = sum(table.nbytes for table in tables)
        self.tables = [backend.asarray(table) for table in tables]
        multiplier, shift = DE_BRUIJN[bits]
        self.multiplier = backend.asarray(np.array([multiplier], mask_dtype))
        self.shift = backend.asarray(np.array([shift], mask_dtype))
        self.ones = backend.asarray(np.array([1], mask_dtype))
        self.slots = backend.asarray(np.arange(self.forest.trees, dtype=np.int64) * bits)

    def _fill_values(self, unpacked: UnpackedForest, start: np.ndarray, backend: Backend) -> None:
        forest, arrays, nodes = unpacked.forest, unpacked.arrays, unpacked.nodes
        multiplier, shift = DE_BRUIJN[self.bits]
        products = (1 << start[nodes.leaf].astype(object)) * multiplier
        hashed = np.array([(int(p) & ((1 << self.bits) - 1)) >> shift for p in products], np.int64)
        values = arrays[forest.values][unpacked.leaf_rows[nodes.leaf]]
        slot_values = np.zeros((forest.trees * self.bits, values.shape[1]))
        slot_values[nodes.tree[nodes.leaf] * self.bits + hashed] = values
        self.values = [
            backend.asarray(np.ascontiguousarray(slot_values[:, k]))
            for k in range(slot_values.shape[1])
        ]
        self.base = arrays[forest.base].tolist()
        self.members: list[Any] | None = None
        if forest.output is not None and forest.outputs > 1:
            tree_outputs = arrays[forest.output]
            self.members = [
                backend.asarray(np.flatnonzero(tree_outputs == k)) for k in range(forest.outputs)
            ]
        elif forest.output is not None:
            self.members = [None]

    def slots_of(self, codes: list[Array], rows: int) -> Array:
        """Return the slot of each row's leaf in each tree, shape (n, trees)."""
        xp = self.xp
        if not self.tables:
            return self.slots + xp.zeros((rows, 1), dtype=xp.int64)
        alive = xp.take(self.tables[0], codes[0], axis=0)
        for table, code in zip(self.tables[1:], codes[1:], strict=True):
            alive &= xp.take(table, code, axis=0)
        alive &= ~alive + self.ones  # ~a + 1 is -a: keeps the lowest bit alone
        alive *= self.multiplier
        alive >>= self.shift
        return xp.astype(alive, xp.int64) + self.slots

    def sums(self, codes: list[Array], rows: int) -> Array:
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

    def _host_sum(self, codes: list[Array], rows: int) -> Array:
        """Return the single sum as `sums` does, without allocating memory on the way."""
        trees, get, mask_dtype = self.forest.trees, self.buffers.get, self.ones.dtype
        alive, scratch = (
            get("alive", mask_dtype, rows, trees),
            get("other", mask_dtype, rows, trees),
        )
        slots, leaves = get("slots", np.int64, rows, trees), get("leaves", float, rows, trees)
        self.tables[0].take(codes[0], axis=0, out=alive, mode="clip")
        for table, code in zip(self.tables[1:], codes[1:], strict=True):
            table.take(code, axis=0, out=scratch, mode="clip")
            np.bitwise_and(alive, scratch, out=alive)
        np.invert(alive, out=scratch)
        scratch += self.ones
        alive &= scratch
        alive *= self.multiplier
        alive >>= self.shift
        np.add(alive, self.slots, out=slots, casting="unsafe")
        self.values[0].take(slots, out=leaves, mode="clip")
        transposed = get("transposed", float, trees + 1, rows)
        transposed[0] = self.base[0]
        transposed[1:] = leaves.T
        total = ordered_sum(transposed, np)
        return (total / self.forest.divide if self.forest.divide != 1 else total)[None]

    def _total(self, k: int, leaves: Array, rows: int) -> Array:
        xp = self.xp
        start = self.base[k] + xp.zeros((1, rows), dtype=xp.float64)
        total = ordered_sum(xp.concat([start, leaves], axis=0), xp)
        return total / self.forest.divide if self.forest.divide != 1 else total

    def row(self) -> RowFunction:
        """Make the function from one row's codes to its sums.

        A row of a table is one large Python integer here: combining a dozen of them
        takes less time than combining as many small arrays.
        """
        trees, bits = self.forest.trees, self.bits
        size, dtype = trees * bits // 8, self.ones.dtype
        mask_cache: list[list[int | None]] = [[None] * len(table) for table in self.tables]
        all_leaves = (1 << (8 * size)) - 1
        multiplier, shift, slots = self.multiplier, self.shift, self.slots
        total = self._row_totals()

        def sum_row(codes: list[int]) -> list[float]:
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

        return sum_row

    def _row_totals(self) -> Callable[[np.ndarray], list[float]]:
        """Make the function from one row's slots to its sums."""
        outputs, base, divide = self.forest.outputs, self.base, float(self.forest.divide)
        values, members = self.values, self.members

        def leaf_values_of(k: int, slot_indices: np.ndarray) -> Array:
            if members is None:
                return values[k].take(slot_indices)
            return values[0].take(
                slot_indices if members[k] is None else slot_indices.take(members[k])
            )

        def total(slots: np.ndarray) -> list[float]:
            slot_indices = slots.astype(np.int64, copy=False)
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
    """Return each node's first leaf, counted from the left of its tree, and its leaf count."""
    total = len(nodes.leaf)
    child = np.full(total, -1, np.int64)
    child[nodes.inner] = nodes.left
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


def _build_tables(
    unpacked: UnpackedForest, start: np.ndarray, count: np.ndarray, mask_dtype: np.dtype
) -> dict[int, np.ndarray]:
    """Return the table of each used column: a row per code, a column per tree."""
    nodes, trees = unpacked.nodes, unpacked.forest.trees
    below = count[nodes.left].astype(np.uint64)
    left = ((np.uint64(1) << below) - np.uint64(1)) << start[nodes.inner].astype(np.uint64)
    splits = _Splits(
        tree=nodes.tree[nodes.inner],
        rank=unpacked.rank,
        missing_left=unpacked.missing_left,
        cleared=~left.astype(mask_dtype),
    )
    feature, sets = unpacked.feature, unpacked.sets
    tables = {}
    for k in sorted({*unpacked.edges, *sets}):
        selected = np.flatnonzero(feature == k)
        if k in unpacked.edges:
            tables[k] = _number_table(len(unpacked.edges[k]), selected, splits, trees)
        else:
            tables[k] = _set_table(sets[k], selected, splits, trees)
    return tables


@dataclass(frozen=True)
class _Splits:
    """The inner nodes: `cleared` is the mask without the leaves on the left of each node."""

    tree: np.ndarray
    rank: np.ndarray
    missing_left: np.ndarray
    cleared: np.ndarray


def _number_table(edges: int, selected: np.ndarray, splits: _Splits, trees: int) -> np.ndarray:
    """Return the masks for codes 0 to `edges`, the last row for a missing value."""
    tree, cleared = splits.tree, splits.cleared
    table = np.full((edges + 2, trees), np.iinfo(cleared.dtype).max, cleared.dtype)
    np.bitwise_and.at(table, (splits.rank[selected] + 1, tree[selected]), cleared[selected])
    table[: edges + 1] = np.bitwise_and.accumulate(table[: edges + 1], axis=0)
    table[edges + 1] = np.iinfo(cleared.dtype).max
    right = selected[~splits.missing_left[selected]]
    np.bitwise_and.at(table, (edges + 1, tree[right]), cleared[right])
    return table


def _set_table(sets: np.ndarray, selected: np.ndarray, splits: _Splits, trees: int) -> np.ndarray:
    """Return the masks for each code, the last for missing values and codes out of range."""
    cleared = splits.cleared
    table = np.full((sets.shape[1], trees), np.iinfo(cleared.dtype).max, cleared.dtype)
    for node in selected.tolist():
        table[~sets[splits.rank[node]], splits.tree[node]] &= cleared[node]
    return table
