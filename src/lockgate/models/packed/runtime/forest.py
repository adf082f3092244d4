"""A forest made ready to run on one backend."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

import numpy as np

from lockgate.models.packed.format.forest import Forest, expand_nodes
from lockgate.models.packed.runtime.mask_tables import MaskTables
from lockgate.models.packed.runtime.tree_walk import TreeWalk

__all__ = ["MOST_TABLE_BYTES", "CompiledForest"]


MOST_TABLE_BYTES = 1 << 26
"""Largest mask tables; larger ones leave the cache and lose to walking."""


class CompiledForest:
    """A forest ready to run on one backend.

    Parameters
    ----------
    forest : Forest
        Checked.
    a : mapping of str to ndarray
        Arrays of the file, in host memory.
    backend : Backend
        Where to run.
    most_bytes : int
        What mask tables may take.

    """

    def __init__(
        self,
        forest: Forest,
        a: Mapping[str, np.ndarray],
        backend: Any,
        most_bytes: int = MOST_TABLE_BYTES,
    ) -> None:
        self.forest, self.a, self.backend = forest, a, backend
        self.xp = backend.xp
        counts = a[forest.counts].astype(np.int64)
        codes = np.zeros(len(counts), np.int64)
        if forest.codes is not None:
            codes = a[forest.codes].astype(np.int64)
        ends = np.cumsum(np.where(codes == 0, counts, 0))
        edges = a[forest.edges]
        self.codes = codes
        self.used = np.flatnonzero(counts > 0)
        self.edges = {
            int(k): edges[ends[k] - counts[k] : ends[k]] for k in self.used if codes[k] == 0
        }
        self.device_edges = {k: backend.asarray(one) for k, one in self.edges.items()}
        nodes = expand_nodes(forest, a)
        tables = MaskTables.of(forest, a, nodes, self.edges, codes, most_bytes, backend)
        self.engine = tables or TreeWalk(forest, a, nodes, self.edges, codes, backend)
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
            return self.engine.sums(self._codes(x), rows)
        parts = []
        for at in range(0, max(rows, 1), block):
            some = x[:, at : at + block]
            parts.append(self.engine.sums(self._codes(some), some.shape[1]))
        return parts[0] if len(parts) == 1 else xp.concat(parts, axis=1)

    def _codes(self, x: Any) -> list[Any]:
        """Return the code of each used column; a gap is one more than the largest."""
        xp = self.xp
        made = []
        for k in self.used.tolist():
            column = x[k, :]
            empty = xp.isnan(column)
            if self.codes[k] == 0:
                edges = self.device_edges[k]
                found = xp.astype(xp.searchsorted(edges, column, side="left"), xp.int64)
                made.append(xp.where(empty, edges.shape[0] + 1, found))
            else:
                known = int(self.codes[k])
                odd = empty | (column <= -1) | (column >= known)
                safe = xp.where(odd, 0.0 * xp.ones_like(column), column)
                made.append(xp.where(odd, known, xp.astype(xp.trunc(safe), xp.int64)))
        return made

    def row(self) -> Any:
        """Make the function for one row."""
        plan = []
        for k in self.used.tolist():
            if self.codes[k] == 0:
                edges = self.edges[k].tolist()
                plan.append((k, edges, len(edges) + 1))
            else:
                plan.append((k, None, int(self.codes[k])))
        answer = self.engine.row()

        def codes(x: list[float]) -> list[int]:
            made = []
            for k, edges, gap in plan:
                value = x[k]
                if value != value:
                    made.append(gap)
                elif edges is not None:
                    made.append(bisect_left(edges, value))
                else:
                    made.append(int(value) if -1 < value < gap else gap)
            return made

        return lambda x: answer(codes(x))
