"""Rows whose cells a model refuses, with the reasons; cells that it answers with a gap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lockgate.data.columns.dates import MISSING_DATE
from lockgate.data.columns.inputs import ColumnInput
from lockgate.errors import SchemaViolation

__all__ = [
    "RejectedRows",
    "count_missing",
    "format_value",
    "not_finite",
    "reject_missing",
    "unknown_category",
]

SHOWN = 20


class RejectedRows:
    """Rows whose cells the inputs refuse, with the reasons; a row may have several.

    Attributes
    ----------
    reasons : dict of int to list of str
        Why each refused row is refused.
    cells : sequence of column
        What was read, for `filled`.

    """

    def __init__(self) -> None:
        self.reasons: dict[int, list[str]] = {}
        self.fatal: list[str] = []
        self.cells: Sequence[Any] = ()

    def add(self, rows: Any, reason: Callable[[int], str]) -> None:
        """Note these rows; `reason` is asked for each."""
        for row in rows:
            self.note(int(row), reason(int(row)))

    def note(self, row: int, reason: str) -> None:
        """Note one row."""
        self.reasons.setdefault(row, []).append(reason)

    def raise_first(self) -> None:
        """Raise what was found, a few rows at most."""
        if self.fatal:
            raise SchemaViolation(self.fatal)
        if self.reasons:
            listed = [one for row in sorted(self.reasons)[:SHOWN] for one in self.reasons[row]]
            left = len(self.reasons) - min(SHOWN, len(self.reasons))
            more = [f"and {left} more rows"] if left > 0 else []
            raise SchemaViolation(listed + more)


def format_value(value: Any) -> str:
    """Return a value as an error shows it."""
    try:
        return repr(value.item() if isinstance(value, np.generic) else value)[:80]
    except ValueError:  # a whole number of thousands of digits
        return f"a very long {type(value).__name__}"


def unknown_category(one: ColumnInput, value: Any, row: int) -> str:
    """Say that a value is not one of those that are known."""
    listed = ", ".join(one.categories[:SHOWN])
    what = f"column {one.name} holds {format_value(value)} in row {row}"
    return f"{what}, which training never saw; known: {listed}"


def not_finite(one: ColumnInput, row: int) -> str:
    """Say that a number is infinite."""
    return f"column {one.name} is infinite in row {row}, expected a finite number"


def reject_missing(one: ColumnInput, gaps: Any, found: RejectedRows) -> None:
    """Note the rows with a gap, where the input refuses them."""
    if one.missing == "refuse" and gaps.any():
        found.add(
            np.flatnonzero(gaps),
            lambda row: f"column {one.name} has no value in row {row}, and gaps are refused",
        )


def count_missing(inputs: Sequence[ColumnInput], cells: Sequence[Any]) -> dict[str, dict[str, int]]:
    """Count cells without a value (``gaps``), and of no known category (``unknown``), by column.

    Parameters
    ----------
    inputs : sequence of Input
        What was asked for.
    cells : sequence of column
        As `read_columns` gives them.

    """
    made: dict[str, dict[str, int]] = {"gaps": {}, "unknown": {}}
    for one, column in zip(inputs, cells, strict=True):
        strange = 0
        if one.kind == "text":
            gaps = 0  # an absent text is read as an empty one
        elif one.kind == "category":
            codes = np.asarray(column)
            gaps = int((codes == len(one.categories)).sum())
            strange = int((codes > len(one.categories)).sum())
        elif one.kind == "date":
            gaps = int((np.asarray(column) == MISSING_DATE).sum())
        else:
            gaps = int(np.isnan(np.asarray(column, dtype=float)).sum())
        if gaps:
            made["gaps"][one.name] = gaps
        if strange:
            made["unknown"][one.name] = strange
    return {what: counts for what, counts in made.items() if counts}
