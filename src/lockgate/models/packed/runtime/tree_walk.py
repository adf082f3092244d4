"""Trees of any size: all trees for a block of rows, level by level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lockgate.contract.requests import Backend
from lockgate.models.packed.format.arithmetic import ordered_sum
from lockgate.models.packed.format.array_types import Array, RowFunction
from lockgate.models.packed.format.forest import ForestNodes
from lockgate.models.packed.runtime.buffers import Buffers
from lockgate.models.packed.runtime.tree_arrays import UnpackedForest

__all__ = ["TreeWalk"]

CODE_BITS, NODE_BITS = 22, 26


class TreeWalk:
    """One word per node: column, largest code that goes left, left child; leaves repeat.

    A leaf is its own child, so that short trees wait for deep ones. Sets of
    categories, and missing values that go left, get extra columns in which 0 goes
    left and 1 goes right, so that walking compares small integers only.
    """

    name = "level by level"
    block = 1024

    def __init__(self, unpacked: UnpackedForest, backend: Backend) -> None:
        self.forest, self.xp = unpacked.forest, backend.xp
        self.asarray = backend.asarray
        feature, rank, sets = unpacked.feature, unpacked.rank, unpacked.sets
        order = {k: index for index, k in enumerate(sorted({*unpacked.edges, *sets}))}
        column = np.zeros(len(feature), np.int64)
        for k, index in order.items():
            column[feature == k] = index
        self._add_columns(unpacked, order, column, rank)
        self._pack_nodes(unpacked.nodes, column, rank)
        self._set_leaves(unpacked)
        self.buffers = Buffers()

    def _add_columns(
        self,
        unpacked: UnpackedForest,
        order: Mapping[int, int],
        column: np.ndarray,
        rank: np.ndarray,
    ) -> None:
        """Add columns for nodes that send missing values left and for nodes with a set."""
        feature, sets = unpacked.feature, unpacked.sets
        missing_left = unpacked.missing_left
        self.extra_columns: list[tuple[int, Any]] = []
        width = len(order)
        for k, index in order.items():
            if k in sets:
                for number, members in enumerate(sets[k]):
                    node_mask = (feature == k) & (rank == number)
                    column[node_mask], rank[node_mask] = width + len(self.extra_columns), 0
                    self.extra_columns.append((index, self.asarray((~members).astype(np.int64))))
            elif (node_mask := (feature == k) & missing_left).any():
                column[node_mask] = width + len(self.extra_columns)
                self.extra_columns.append((index, None))
        self.missing_codes = [int(unpacked.counts[k]) + 1 if k not in sets else -1 for k in order]

    def _pack_nodes(self, nodes: ForestNodes, column: np.ndarray, rank: np.ndarray) -> None:
        trees, total = self.forest.trees, len(nodes.leaf)
        child = np.arange(total, dtype=np.int64)
        child[nodes.inner] = nodes.left
        limit = np.full(total, (1 << CODE_BITS) - 1, np.int64)
        limit[nodes.inner] = rank
        node_column = np.zeros(total, np.int64)
        node_column[nodes.inner] = column
        self.packed_nodes = self.asarray(
            node_column << (CODE_BITS + NODE_BITS) | limit << NODE_BITS | child
        )
        depth = np.zeros(trees, np.int64)
        for level, (low, high) in enumerate(nodes.levels):
            depth[nodes.tree[low:high]] = level
        self.depths = depth
        order = np.argsort(-depth, kind="stable")
        self.roots = self.asarray(order)
        self.back = self.asarray(np.argsort(order, kind="stable"))
        self.alive = [int((depth > level).sum()) for level in range(int(depth.max()))]

    def unpack_nodes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the column, the largest code that goes left and the left child of each node."""
        packed = np.asarray(self.packed_nodes)
        return (
            packed >> (CODE_BITS + NODE_BITS),
            packed >> NODE_BITS & (1 << CODE_BITS) - 1,
            packed & (1 << NODE_BITS) - 1,
        )

    def _set_leaves(self, unpacked: UnpackedForest) -> None:
        forest, arrays = unpacked.forest, unpacked.arrays
        self.rows = self.asarray(unpacked.leaf_rows)
        values = arrays[forest.values]
        self.values = [
            self.asarray(np.ascontiguousarray(values[:, k])) for k in range(values.shape[1])
        ]
        self.base = arrays[forest.base].tolist()
        self.members: list[Any] | None = None
        if forest.output is not None:
            tree_outputs = arrays[forest.output]
            self.members = [
                self.asarray(np.flatnonzero(tree_outputs == k)) for k in range(forest.outputs)
            ]

    def widen_codes(self, codes: list[Array]) -> Array:
        """Return all columns of codes, the extra ones included, shape (columns, n)."""
        xp = self.xp
        columns = list(codes)
        for index, outside in self.extra_columns:
            if outside is None:
                columns.append(
                    xp.where(
                        codes[index] == self.missing_codes[index], 0 * codes[index], codes[index]
                    )
                )
            else:
                columns.append(xp.take(outside, codes[index]))
        return xp.stack(columns) if columns else xp.zeros((1, 1), dtype=xp.int64)

    def sums(self, codes: list[Array], rows: int) -> Array:
        """Return the sums of leaves, shape (outputs, n)."""
        xp = self.xp
        wide = self.widen_codes(codes)
        if xp is np and rows:
            return self._sum_leaves(self._host_state(wide, rows), rows)
        flat = xp.reshape(wide, (-1,))
        row_indices = xp.reshape(xp.arange(rows, dtype=xp.int64), (1, -1))
        state = xp.reshape(self.roots, (-1, 1)) + 0 * row_indices
        low, code_mask = (1 << NODE_BITS) - 1, (1 << CODE_BITS) - 1
        for alive in self.alive:
            packed = xp.reshape(
                xp.take(self.packed_nodes, xp.reshape(state[:alive, :], (-1,))), (alive, rows)
            )
            code_indices = (packed >> (CODE_BITS + NODE_BITS)) * rows + row_indices
            code = xp.reshape(xp.take(flat, xp.reshape(code_indices, (-1,))), (alive, rows))
            right = code > ((packed >> NODE_BITS) & code_mask)
            state[:alive, :] = (packed & low) + xp.astype(right, xp.int64)
        return self._sum_leaves(state, rows)

    def _host_state(self, wide: np.ndarray, rows: int) -> np.ndarray:
        """Return the leaf of each row in each tree, without allocating memory on the way."""
        trees, get = self.forest.trees, self.buffers.get
        names = ("state", "packed", "code_indices", "code")
        state, packed, code_indices, code = (get(name, np.int64, trees, rows) for name in names)
        right = get("right", bool, trees, rows)
        # shifted, a code exceeds limit and child together if and only if it exceeds the limit
        flat = (wide << NODE_BITS).reshape(-1)
        row_indices = np.arange(rows)
        np.copyto(state, self.roots[:, None])
        for alive in self.alive:
            alive_state = state[:alive]
            np.take(self.packed_nodes, alive_state, out=packed[:alive], mode="clip")
            np.right_shift(packed[:alive], CODE_BITS + NODE_BITS, out=code_indices[:alive])
            code_indices[:alive] *= rows
            code_indices[:alive] += row_indices
            np.take(flat, code_indices[:alive], out=code[:alive], mode="clip")
            packed[:alive] &= (1 << (CODE_BITS + NODE_BITS)) - 1
            np.greater(code[:alive], packed[:alive], out=right[:alive])
            np.bitwise_and(packed[:alive], (1 << NODE_BITS) - 1, out=alive_state)
            alive_state += right[:alive]
        return state

    def _sum_leaves(self, state: Array, rows: int) -> Array:
        xp = self.xp
        leaves = xp.take(self.rows, xp.reshape(state, (-1,)))
        leaves = xp.take(xp.reshape(leaves, (self.forest.trees, rows)), self.back, axis=0)
        return xp.stack([self._total(k, leaves, rows) for k in range(self.forest.outputs)])

    def _total(self, k: int, leaves: Array, rows: int) -> Array:
        xp = self.xp
        if self.members is None:
            values, output_leaves = self.values[k], leaves
        else:
            values, output_leaves = self.values[0], xp.take(leaves, self.members[k], axis=0)
        leaf_values = xp.reshape(
            xp.take(values, xp.reshape(output_leaves, (-1,))), (output_leaves.shape[0], rows)
        )
        start = self.base[k] + xp.zeros((1, rows), dtype=xp.float64)
        total = ordered_sum(xp.concat([start, leaf_values], axis=0), xp)
        return total / self.forest.divide if self.forest.divide != 1 else total

    def row(self) -> RowFunction:
        """Make the function from one row's codes to its sums."""

        def sum_row(codes: list[int]) -> list[float]:
            sums: list[float] = self.sums([np.array([code]) for code in codes], 1)[:, 0].tolist()
            return sums

        return sum_row
