"""The codes of a forest's columns: the rank of a number among the edges, or a category's code."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lockgate.contract.requests import Backend
from lockgate.models.packed.format.array_types import Array
from lockgate.models.packed.runtime.one_hot_masks import ForestColumn, ForestPart, plan_columns
from lockgate.models.packed.runtime.tree_arrays import UnpackedForest

__all__ = ["ForestCodes"]


class ForestCodes:
    """Encodes the columns that a forest compares.

    Parameters
    ----------
    unpacked : UnpackedForest
        The forest.
    backend : Backend
        Where columns are encoded.
    parts : sequence of ForestPart
        The blocks of which its columns consist, where codes of one-hot columns are taken
        instead of these columns; by default it takes one block of all columns.

    Attributes
    ----------
    plan : list of ForestColumn
        What gives each of the codes.
    parts : tuple of ForestPart
        The blocks of columns; empty where there is one block of all.

    """

    def __init__(
        self, unpacked: UnpackedForest, backend: Backend, parts: Sequence[ForestPart] = ()
    ) -> None:
        self.xp, self.codes, self.edges = backend.xp, unpacked.codes, unpacked.edges
        self.used = np.flatnonzero(unpacked.counts > 0).tolist()
        self.device_edges = {
            k: backend.asarray(column_edges) for k, column_edges in self.edges.items()
        }
        self.parts = tuple(parts)
        self.plan = [ForestColumn(0, k, k) for k in self.used]
        if parts:
            self.plan = plan_columns(parts, self.used)

    def code_columns(self, entry: ForestColumn) -> np.ndarray:
        """Return the column of each code of a block of one-hot columns, -1 for none."""
        code_columns = self.parts[entry.part].code_columns
        assert code_columns is not None  # as the plan has no row for it
        return code_columns

    def ranks(self, entry: ForestColumn, column: int) -> np.ndarray:
        """Return the rank that a one-hot column of the forest has for each code of its block."""
        values = (self.code_columns(entry) == column - entry.column).astype(float)
        return np.asarray(self.edges[column].searchsorted(values))

    def columns(self, parts: Sequence[Array]) -> list[Array]:
        """Return the codes for blocks of columns.

        A missing value is one above the largest code.
        """
        xp = self.xp
        codes = []
        for entry in self.plan:
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

    def row(self) -> Callable[..., list[int]]:
        """Make the function from the row of each part to the row's codes."""
        plan: list[tuple[int, int | None, Any, int]] = []
        for entry in self.plan:
            k = entry.column
            if entry.row is None:
                plan.append((entry.part, None, None, 0))
            elif self.codes[k] == 0:
                edges = self.edges[k].tolist()
                plan.append((entry.part, entry.row, edges, len(edges) + 1))
            else:
                plan.append((entry.part, entry.row, None, int(self.codes[k])))

        def encode_row(*parts: Any) -> list[int]:
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
            return row_codes

        return encode_row
