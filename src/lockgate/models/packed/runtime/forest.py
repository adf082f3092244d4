"""A forest compiled for one backend."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lockgate.contract.requests import Backend
from lockgate.models.packed.format.array_types import Array
from lockgate.models.packed.format.forest import Forest
from lockgate.models.packed.runtime.mask_tables import MaskTables
from lockgate.models.packed.runtime.one_hot_masks import (
    ForestColumn,
    ForestPart,
    plan_columns,
)
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
    parts : sequence of ForestPart
        The blocks of which its columns consist. Mask tables take these, codes for one-hot
        columns, instead of all columns; see `takes_parts`.

    """

    def __init__(
        self,
        forest: Forest,
        arrays: Mapping[str, np.ndarray],
        backend: Backend,
        max_bytes: int = MAX_TABLE_BYTES,
        parts: Sequence[ForestPart] = (),
    ) -> None:
        self.forest, self.arrays, self.backend = forest, arrays, backend
        self.xp = backend.xp
        unpacked = UnpackedForest.unpack(forest, arrays)
        self.codes, self.edges = unpacked.codes, unpacked.edges
        self.used = np.flatnonzero(unpacked.counts > 0)
        self.device_edges = {
            k: backend.asarray(column_edges) for k, column_edges in self.edges.items()
        }
        self._parts: tuple[ForestPart, ...] = ()
        self._plan = [ForestColumn(0, k, k) for k in self.used.tolist()]
        tables = None
        # a forest that splits categories by sets reads their codes from its columns
        if any(part.code_columns is not None for part in parts) and not self.codes.any():
            tables = MaskTables.of(unpacked, backend, max_bytes, parts)
        if tables is not None:
            self._parts = tuple(parts)
            self._plan = plan_columns(self._parts, self.used.tolist())
        else:
            tables = MaskTables.of(unpacked, backend, max_bytes)
        self.engine: MaskTables | TreeWalk = tables or TreeWalk(unpacked, backend)

    @property
    def name(self) -> str:
        """Name of the chosen way to evaluate the trees."""
        return self.engine.name

    @property
    def takes_parts(self) -> bool:
        """Whether it takes its parts, not one block of all columns."""
        return bool(self._parts)

    def run(self, *parts: Array) -> Array:
        """Return the sums for columns of shape (width, n), as shape (outputs, n)."""
        xp, block = self.xp, self.engine.block
        rows = parts[0].shape[-1]
        if self.backend.name != "numpy":
            return self.engine.sums(self._encode_columns(parts), rows)
        pieces = []
        for start in range(0, max(rows, 1), block):
            chunk = [part[..., start : start + block] for part in parts]
            pieces.append(self.engine.sums(self._encode_columns(chunk), chunk[0].shape[-1]))
        return pieces[0] if len(pieces) == 1 else xp.concat(pieces, axis=1)

    def _encode_columns(self, parts: Sequence[Array]) -> list[Array]:
        """Return the codes of each used column; a missing value is one above the largest code."""
        xp = self.xp
        codes = []
        for entry in self._plan:
            if entry.row is None:
                codes.append(parts[entry.part])
                continue
            k, column = entry.column, parts[entry.part][entry.row, :]
            if xp is np and self.codes[k] == 0:
                # NumPy ranks NaN behind all edges
                ranks = self.edges[k].searchsorted(column)
                ranks += column != column
                codes.append(ranks)
                continue
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

    def row(self) -> Callable[..., list[float]]:
        """Make the function for one row, which takes the row of each part."""
        plan: list[tuple[int, int | None, Any, int]] = []
        for entry in self._plan:
            k = entry.column
            if entry.row is None:
                plan.append((entry.part, None, None, 0))
            elif self.codes[k] == 0:
                edges = self.edges[k].tolist()
                plan.append((entry.part, entry.row, edges, len(edges) + 1))
            else:
                plan.append((entry.part, entry.row, None, int(self.codes[k])))
        compute_sums: Callable[[list[int]], list[float]] = self.engine.row()

        def sum_row(*parts: Any) -> list[float]:
            row_codes = []
            for part, row, edges, missing_code in plan:
                if row is None:
                    row_codes.append(parts[part])
                    continue
                value = parts[part][row]
                if value != value:
                    row_codes.append(missing_code)
                elif edges is not None:
                    row_codes.append(bisect_left(edges, value))
                else:
                    row_codes.append(int(value) if -1 < value < missing_code else missing_code)
            return compute_sums(row_codes)

        return sum_row
