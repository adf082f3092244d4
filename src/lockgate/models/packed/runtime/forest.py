"""A forest compiled for one backend."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

import numpy as np

from lockgate.contract.requests import Backend
from lockgate.models.packed.format.array_types import Array, RowFunction
from lockgate.models.packed.format.forest import Forest
from lockgate.models.packed.runtime.mask_tables import MaskTables
from lockgate.models.packed.runtime.tree_arrays import UnpackedForest
from lockgate.models.packed.runtime.tree_walk import TreeWalk

__all__ = ["MAX_TABLE_BYTES", "CompiledForest"]


MAX_TABLE_BYTES = 1 << 26
"""Largest mask tables, in bytes; larger ones leave the cache and are slower than walking."""


class CompiledForest:
    """A forest compiled for one backend.

    Parameters
    ----------
    forest : Forest
        Checked.
    arrays : mapping of str to ndarray
        Arrays of the file, in host memory.
    backend : Backend
        Where the forest runs.
    max_bytes : int
        Largest size of mask tables.

    """

    def __init__(
        self,
        forest: Forest,
        arrays: Mapping[str, np.ndarray],
        backend: Backend,
        max_bytes: int = MAX_TABLE_BYTES,
    ) -> None:
        self.forest, self.arrays, self.backend = forest, arrays, backend
        self.xp = backend.xp
        unpacked = UnpackedForest.unpack(forest, arrays)
        self.codes, self.edges = unpacked.codes, unpacked.edges
        self.used = np.flatnonzero(unpacked.counts > 0)
        self.device_edges = {
            k: backend.asarray(column_edges) for k, column_edges in self.edges.items()
        }
        tables = MaskTables.of(unpacked, backend, max_bytes)
        self.engine: MaskTables | TreeWalk = tables or TreeWalk(unpacked, backend)

    @property
    def name(self) -> str:
        """Name of the chosen way to evaluate the trees."""
        return self.engine.name

    def run(self, x: Array) -> Array:
        """Return the sums for columns of shape (width, n), as shape (outputs, n)."""
        xp, block = self.xp, self.engine.block
        rows = x.shape[1]
        if self.backend.name != "numpy":
            return self.engine.sums(self._encode_columns(x), rows)
        parts = []
        for start in range(0, max(rows, 1), block):
            chunk = x[:, start : start + block]
            parts.append(self.engine.sums(self._encode_columns(chunk), chunk.shape[1]))
        return parts[0] if len(parts) == 1 else xp.concat(parts, axis=1)

    def _encode_columns(self, x: Array) -> list[Array]:
        """Return the codes of each used column; a missing value is one above the largest code."""
        xp = self.xp
        codes = []
        for k in self.used.tolist():
            column = x[k, :]
            missing = xp.isnan(column)
            if self.codes[k] == 0:
                edges = self.device_edges[k]
                ranks = xp.astype(xp.searchsorted(edges, column, side="left"), xp.int64)
                codes.append(xp.where(missing, edges.shape[0] + 1, ranks))
            else:
                known = int(self.codes[k])
                invalid = missing | (column <= -1) | (column >= known)
                safe = xp.where(invalid, 0.0 * xp.ones_like(column), column)
                codes.append(xp.where(invalid, known, xp.astype(xp.trunc(safe), xp.int64)))
        return codes

    def row(self) -> RowFunction:
        """Make the function for one row."""
        plan = []
        for k in self.used.tolist():
            if self.codes[k] == 0:
                edges = self.edges[k].tolist()
                plan.append((k, edges, len(edges) + 1))
            else:
                plan.append((k, None, int(self.codes[k])))
        compute_sums = self.engine.row()

        def encode(x: list[float]) -> list[int]:
            row_codes = []
            for k, edges, missing_code in plan:
                value = x[k]
                if value != value:
                    row_codes.append(missing_code)
                elif edges is not None:
                    row_codes.append(bisect_left(edges, value))
                else:
                    row_codes.append(int(value) if -1 < value < missing_code else missing_code)
            return row_codes

        return lambda x: compute_sums(encode(x))
