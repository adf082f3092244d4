"""Which cells of single rows a model fills, remembered for rows that are filled alike."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

from lockgate.data.columns.filled import count_filled
from lockgate.data.columns.inputs import ColumnInput
from lockgate.data.columns.parsing import read_columns
from lockgate.suggestions import nearest

__all__ = ["FilledMemory"]

MAX_COMBINATIONS = 1024
"""Combinations of filled cells that are remembered."""

MAX_TEXT = 100
"""Characters of a category that is remembered."""

Counts = tuple[dict[str, dict[str, int]], list[str]]
"""Missing and unknown cells by column, and warnings."""


class FilledMemory:
    """Counts the missing and unknown cells of a row, and describes them.

    Reading a row a second time takes several times as long as predicting it. But what is filled
    depends only on which cells are null and on the categories that are not known, so that the
    result is remembered by these.

    Parameters
    ----------
    inputs : sequence of ColumnInput
        Columns of the model.
    never_missing, suggest
        As for `FilledCells.warnings`.

    """

    def __init__(
        self,
        inputs: tuple[ColumnInput, ...],
        never_missing: Collection[str],
        suggest: Any = nearest,
    ) -> None:
        self._inputs, self._never_missing, self._suggest = inputs, never_missing, suggest
        self._columns = [
            (column.name, frozenset(column.categories) if column.kind == "category" else None)
            for column in inputs
        ]
        self._known = [
            (column.name, frozenset(column.categories))
            for column in inputs
            if column.kind == "category" and column.unknown == "ignore"
        ]
        self._remembered: dict[tuple[Any, ...], Counts] = {}

    def may_have_filled(self, row: dict[str, Any]) -> bool:
        """Return whether a row of JSON, which has no NaN, may hold missing or unknown cells."""
        return None in row.values() or any(row[name] not in known for name, known in self._known)

    def count(self, row: dict[str, Any]) -> Counts:
        """Return missing and unknown cells by column, and warnings.

        The result is shared between rows, and must not be changed.
        """
        key = self._key(row)
        if key is None:
            return self._count(row)
        filled = self._remembered.get(key)
        if filled is None:
            filled = self._count(row)
            if len(self._remembered) >= MAX_COMBINATIONS:
                self._remembered.clear()
            self._remembered[key] = filled
        return filled

    def _key(self, row: dict[str, Any]) -> tuple[Any, ...] | None:
        """Return what determines the result; None where it takes a reading of the cells."""
        key: list[tuple[str, str | None]] = []
        for name, categories in self._columns:
            cell = row.get(name)
            if cell is None:
                key.append((name, None))
            elif categories is None:
                if not _is_plain(cell):
                    return None
            elif cell.__class__ is not str:
                key.append((name, f"{cell.__class__.__name__} {cell!r}"))
            elif len(cell) > MAX_TEXT:
                return None
            elif cell not in categories:
                key.append((name, f"str {cell}"))
        return tuple(key)

    def _count(self, row: dict[str, Any]) -> Counts:
        cells, _ = read_columns(self._inputs, [row])
        return self.count_rows([row], cells, 1)

    def count_rows(
        self, source: Any, cells: Sequence[Any], rows: int, rejected: Collection[int] = ()
    ) -> Counts:
        """Return the same of several rows, whose cells have been read.

        Parameters
        ----------
        source, cells, rows, rejected
            As for `count_filled`.

        """
        filled = count_filled(self._inputs, source, cells, rows, rejected)
        counts = {"gaps": filled.missing, "unknown": filled.unknown}
        warnings = filled.warnings(self._inputs, self._never_missing, self._suggest)
        return {problem: by_column for problem, by_column in counts.items() if by_column}, warnings


def _is_plain(cell: Any) -> bool:
    """Whether a cell of a column without categories cannot be missing: a number, or a date."""
    if cell.__class__ is str:
        return bool(cell[:1].isdigit())  # no text that stands for a missing value begins so
    return cell.__class__ in (int, bool) or (cell.__class__ is float and not math.isnan(cell))
