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
    "describe_infinite",
    "describe_unknown_category",
    "format_value",
    "reject_missing",
]

MAX_LISTED = 20


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
            reasons = [
                reason for row in sorted(self.reasons)[:MAX_LISTED] for reason in self.reasons[row]
            ]
            remaining = len(self.reasons) - min(MAX_LISTED, len(self.reasons))
            more = [f"and {remaining} more rows"] if remaining > 0 else []
            raise SchemaViolation(reasons + more)


def format_value(value: Any) -> str:
    """Return a value as an error shows it."""
    try:
        return repr(value.item() if isinstance(value, np.generic) else value)[:80]
    except ValueError:  # a whole number of thousands of digits
        return f"a very long {type(value).__name__}"


def describe_unknown_category(column: ColumnInput, value: Any, row: int) -> str:
    """Say that a value is not one of those that are known."""
    known = ", ".join(column.categories[:MAX_LISTED])
    subject = f"column {column.name} holds {format_value(value)} in row {row}"
    return f"{subject}, which training never saw; known: {known}"


def describe_infinite(column: ColumnInput, row: int) -> str:
    """Say that a number is infinite."""
    return f"column {column.name} is infinite in row {row}, expected a finite number"


def reject_missing(column: ColumnInput, missing: Any, rejected: RejectedRows) -> None:
    """Note the rows with a gap, where the input refuses them."""
    if column.missing == "refuse" and missing.any():
        rejected.add(
            np.flatnonzero(missing),
            lambda row: f"column {column.name} has no value in row {row}, and gaps are refused",
        )


def count_missing(inputs: Sequence[ColumnInput], cells: Sequence[Any]) -> dict[str, dict[str, int]]:
    """Count cells without a value (``missing``), and of no known category (``unknown``), by column.

    Parameters
    ----------
    inputs : sequence of Input
        What was asked for.
    cells : sequence of column
        As `read_columns` gives them.

    """
    counts_by_problem: dict[str, dict[str, int]] = {"gaps": {}, "unknown": {}}
    for column_input, column in zip(inputs, cells, strict=True):
        unknown = 0
        if column_input.kind == "text":
            missing = 0  # an absent text is read as an empty one
        elif column_input.kind == "category":
            codes = np.asarray(column)
            missing = int((codes == len(column_input.categories)).sum())
            unknown = int((codes > len(column_input.categories)).sum())
        elif column_input.kind == "date":
            missing = int((np.asarray(column) == MISSING_DATE).sum())
        else:
            missing = int(np.isnan(np.asarray(column, dtype=float)).sum())
        if missing:
            counts_by_problem["gaps"][column_input.name] = missing
        if unknown:
            counts_by_problem["unknown"][column_input.name] = unknown
    return {problem: counts for problem, counts in counts_by_problem.items() if counts}
