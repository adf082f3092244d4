"""A forest made ready to run on one backend."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

import numpy as np

from lockgate.models.packed.format.forest import Forest, expand_nodes
from lockgate.models.packed.runtime.mask_tables import MaskTables
from lockgate.models.packed.runtime.tree_walk import TreeWalk

__all__ = ["MAX_TABLE_BYTES", "CompiledForest"]


MAX_TABLE_BYTES = 1 << 26
"""Largest mask tables; larger ones leave the cache and lose to walking."""


class CompiledForest:
    """A forest ready to run on one backend.

    Parameters
    ----------
    forest : Forest
        Checked.
    arrays : mapping of str to ndarray
        Arrays of the file, in host memory.
    backend : Backend
        Where to run.
    max_bytes : int
        What mask tables may take.

    """

    def __init__(
        self,
        forest: Forest,
        arrays: Mapping[str, np.ndarray],
        backend: Any,
        max_bytes: int = MAX_TABLE_BYTES,
    ) -> None:
        self.forest, self.arrays, self.backend = forest, arrays, backend
        self.xp = backend.xp
        counts = arrays[forest.counts].astype(np.int64)
        codes = np.zeros(len(counts), np.int64)
        if forest.codes is not None:
            codes = arrays[forest.codes].astype(np.int64)
        ends = np.cumsum(np.where(codes == 0, counts, 0))
        edges = arrays[forest.edges]
        self.codes = codes
        self.used = np.flatnonzero(counts > 0)
        self.edges = {
            int(k): edges[ends[k] - counts[k] : ends[k]] for k in self.used if codes[k] == 0
        }
        self.device_edges = {
            k: backend.asarray(column_edges) for k, column_edges in self.edges.items()
        }
        nodes = expand_nodes(forest, arrays)
        tables = MaskTables.of(forest, arrays, nodes, self.edges, codes, max_bytes, backend)
        self.engine = tables or TreeWalk(forest, arrays, nodes, self.edges, codes, backend)
        self.lists: dict[int, list[float]] | None = None

    @property
    def name(self) -> str:
        """Which way of walking was chosen, in words."""
        return self.engine.name

    def run(self, x: Any) -> Any:
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

    def _encode_columns(self, x: Any) -> list[Any]:
        """Return the code of each used column; a gap is one more than the largest."""
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

    def row(self) -> Any:
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
