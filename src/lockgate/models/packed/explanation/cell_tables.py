"""Explanations of trees with few leaves: all possible ones, looked up.

The leaves of a subtree are a unit while what a row may show to them, the product of the cells
into which their conditions divide each code, stays small. For each unit a table holds the
values of all inputs for all combinations of cells. A row adds up, for every unit, where its
codes lead in that table, and then sums the units' rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lockgate.models.packed.explanation.tree_paths import TreePaths
from lockgate.models.packed.explanation.tree_units import Shares, Unit, UnitBuilder

__all__ = ["MAX_LEAVES", "CellTables"]

MAX_LEAVES = 1 << 14
"""Most leaves for which tables are tried."""

UNIT_SIZES = (1 << 15, 1 << 12)
"""Most numbers in the table of a unit: fewer units are faster, smaller ones need less memory."""

MAX_BYTES = 1 << 26
"""Largest size of all tables together."""

ROWS = 32
"""Rows that are looked up together."""


class CellTables:
    """Tables of explanations.

    Parameters
    ----------
    units : sequence
        Made by `build`.
    paths : TreePaths
        The forest.
    inputs, outputs : int
        Shape of an explanation.

    """

    name = "cell tables"

    def __init__(self, units: Sequence[Unit], paths: TreePaths, inputs: int, outputs: int) -> None:
        self.size = inputs * outputs
        bases, start = [], 0
        self.steps = [np.zeros((size, len(units)), np.int32) for size in paths.sizes]
        for number, unit in enumerate(units):
            bases.append(start)
            stride = len(unit.targets)
            for entry in reversed(unit.cells):
                cells = unit.cells[entry]
                self.steps[entry][:, number] = cells * stride
                stride *= int(cells.max()) + 1
            start += unit.table.size
        used = [k for k, steps in enumerate(self.steps) if steps.any()]
        self.used, self.steps = used, [self.steps[k] for k in used]
        self.bases = np.array(bases, np.int64)
        counts = [len(unit.targets) for unit in units]
        self.unit_of = np.repeat(np.arange(len(units)), counts)
        self.offsets = np.concatenate([np.arange(count) for count in counts] or [np.zeros(0, int)])
        self.targets = np.array(
            [player * outputs + output for unit in units for player, output in unit.targets],
            np.int64,
        )
        self.values = np.concatenate([unit.table.ravel() for unit in units] or [np.zeros(0)])
        # where each number of a unit's row starts, without the way to that row
        self.starts = self.bases[self.unit_of] + self.offsets if len(units) else self.offsets

    @classmethod
    def build(
        cls,
        paths: TreePaths,
        values: np.ndarray,
        shares: Shares,
        inputs: int,
        max_bytes: int = MAX_BYTES,
    ) -> CellTables | None:
        """Build the tables, or return None where they would be too large.

        Parameters
        ----------
        paths : TreePaths
            The forest.
        values : ndarray of float, shape (nodes, outputs)
            What each leaf adds.
        shares : callable
            Share of each input on the way to a leaf.
        inputs : int
            Number of inputs.
        max_bytes : int
            Largest size of all tables.

        """
        if int(paths.unpacked.nodes.leaf.sum()) > MAX_LEAVES:
            return None
        for unit_size in UNIT_SIZES:
            units = UnitBuilder(paths, values, shares, max_bytes, unit_size).build()
            if units is not None:
                return cls(units, paths, inputs, values.shape[1])
        return None

    def row(self, codes: list[int]) -> np.ndarray:
        """Return the values of one row, shape (inputs * outputs,)."""
        if not len(self.values):
            return np.zeros(self.size)
        way = np.zeros(len(self.bases), np.int32)
        for entry, steps in zip(self.used, self.steps, strict=True):
            way += steps[codes[entry]]
        position = way.astype(np.int64).take(self.unit_of)
        position += self.starts
        return np.bincount(self.targets, self.values.take(position), minlength=self.size)

    def columns(self, codes: Sequence[np.ndarray], rows: int) -> np.ndarray:
        """Return the values of rows, shape (rows, inputs * outputs)."""
        result = np.zeros((rows, self.size))
        if not len(self.values):
            return result
        for low in range(0, rows, ROWS):
            high = min(low + ROWS, rows)
            way = np.zeros((high - low, len(self.bases)), np.int32)
            for entry, steps in zip(self.used, self.steps, strict=True):
                way += steps.take(codes[entry][low:high], axis=0)
            position = way.astype(np.int64).take(self.unit_of, axis=1)
            position += self.starts
            targets = self.targets + self.size * np.arange(high - low)[:, None]
            result[low:high] = np.bincount(
                targets.ravel(),
                self.values.take(position).ravel(),
                minlength=self.size * (high - low),
            ).reshape(high - low, self.size)
        return result
