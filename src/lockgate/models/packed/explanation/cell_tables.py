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
from lockgate.models.packed.explanation.tree_units import LeafShares, Unit, UnitBuilder

__all__ = ["CellTables"]

UNIT_SIZES = (1 << 15, 1 << 13)
"""Most numbers in the table of a unit: fewer units are faster, smaller ones need less memory."""

MAX_BYTES = 1 << 27
"""Largest size of all tables together."""

ROWS = 32
"""Rows that are looked up together."""


class CellTables:
    """Tables of explanations.

    Parameters
    ----------
    units : sequence of Unit
        The subtrees of a forest.
    inputs, outputs : int
        Shape of an explanation.

    """

    name = "cell tables"

    def __init__(self, units: Sequence[Unit], inputs: int, outputs: int) -> None:
        self.size = inputs * outputs
        units = sorted(units, key=lambda unit: len(unit.targets))
        # for each code the units that use it, and how far each of its values leads in their tables
        steps: dict[int, list[np.ndarray]] = {}
        users: dict[int, list[int]] = {}
        for number, unit in enumerate(units):
            for entry, unit_steps in unit.steps.items():
                steps.setdefault(entry, []).append(unit_steps.astype(float))
                users.setdefault(entry, []).append(number)
        self.used = sorted(steps)
        self.steps = [np.stack(steps[entry], axis=1) for entry in self.used]
        self.users = np.array([number for entry in self.used for number in users[entry]], np.int64)
        self.units = len(units)
        self.targets = np.array(
            [player * outputs + output for unit in units for player, output in unit.targets],
            np.int64,
        )
        # the tables of units of as many targets are one; each unit has its first row in it
        self.tables: list[tuple[slice, np.ndarray, np.ndarray]] = []
        counts = np.array([len(unit.targets) for unit in units], np.int64)
        for count in np.unique(counts).tolist():
            low, high = np.searchsorted(counts, [count, count + 1]).tolist()
            rows = [unit.table.reshape(-1, count) for unit in units[low:high]]
            lengths = np.array([len(part) for part in rows], np.int64)
            first = np.cumsum(lengths) - lengths
            self.tables.append((slice(low, high), first, np.concatenate(rows)))

    @classmethod
    def build(
        cls,
        paths: TreePaths,
        values: np.ndarray,
        shares: LeafShares,
        inputs: int,
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

        """
        for unit_size in UNIT_SIZES:
            units = UnitBuilder(paths, values, shares, MAX_BYTES, unit_size).build()
            if units is not None:
                return cls(units, inputs, values.shape[1])
        return None

    def row(self, codes: list[int]) -> np.ndarray:
        """Return the values of one row, shape (inputs * outputs,)."""
        if not self.units:
            return np.zeros(self.size)
        steps = np.concatenate(
            [steps[codes[entry]] for entry, steps in zip(self.used, self.steps, strict=True)]
        )
        # bincount adds whole numbers of doubles, exactly
        ways = np.bincount(self.users, steps, minlength=self.units).astype(np.int64)
        values = [
            table.take(ways[span] + first, axis=0).ravel() for span, first, table in self.tables
        ]
        return np.bincount(self.targets, np.concatenate(values), minlength=self.size)

    def columns(self, codes: Sequence[np.ndarray], rows: int) -> np.ndarray:
        """Return the values of rows, shape (rows, inputs * outputs)."""
        result = np.zeros((rows, self.size))
        if not self.units:
            return result
        for low in range(0, rows, ROWS):
            chunk = [codes[entry][low : low + ROWS] for entry in self.used]
            count = len(chunk[0])
            steps = [
                steps.take(code, axis=0) for code, steps in zip(chunk, self.steps, strict=True)
            ]
            ways = _sum_rows(self.users, np.concatenate(steps, axis=1), self.units)
            ways = ways.astype(np.int64)
            values = [
                table.take(ways[:, span] + first, axis=0).reshape(count, -1)
                for span, first, table in self.tables
            ]
            result[low : low + ROWS] = _sum_rows(
                self.targets, np.concatenate(values, axis=1), self.size
            )
        return result


def _sum_rows(targets: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    """Return for each row the sums of its values by target, shape (rows, size)."""
    rows = len(values)
    offsets = targets + size * np.arange(rows)[:, None]
    return np.bincount(offsets.ravel(), values.ravel(), minlength=size * rows).reshape(rows, size)
