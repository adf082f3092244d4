"""Rows that a model rejects, with the reasons, and counts of missing and unknown cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import numpy as np

from lockgate.data.columns.dates import MISSING_DATE, NUMERIC_DATE
from lockgate.data.columns.inputs import CellColumn, ColumnInput
from lockgate.data.columns.personal import is_personal
from lockgate.errors import SchemaViolation

__all__ = [
    "RejectedRows",
    "count_missing",
    "describe_infinite",
    "describe_unknown_category",
    "expected_date",
    "format_value",
    "reject_missing",
]

MAX_LISTED = 20


class RejectedRows:
    """Rows with invalid cells, and the reasons; a row may have several.

    Attributes
    ----------
    reasons : dict of int to list of str
        Reasons by row.
    fatal : list of str
        Reasons to reject the whole table.
    cells : sequence of column
        Columns that were read, for `count_missing`.

    """

    def __init__(self) -> None:
        self.reasons: dict[int, list[str]] = {}
        self.fatal: list[str] = []
        self.cells: Sequence[Any] = ()

    def add(self, rows: Iterable[int], reason: Callable[[int], str]) -> None:
        """Reject these rows; `reason` returns the message for a row."""
        for row in rows:
            self.note(int(row), reason(int(row)))

    def note(self, row: int, reason: str) -> None:
        """Reject a row."""
        self.reasons.setdefault(row, []).append(reason)

    def raise_first(self) -> None:
        """Raise an error with the first rejected rows, if there are any."""
        if self.fatal:
            raise SchemaViolation(self.fatal)
        if self.reasons:
            reasons = [
                reason for row in sorted(self.reasons)[:MAX_LISTED] for reason in self.reasons[row]
            ]
            remaining = len(self.reasons) - min(MAX_LISTED, len(self.reasons))
            more = [f"and {remaining} more rows"] if remaining > 0 else []
            raise SchemaViolation(reasons + more)

    def summary(self) -> str | None:
        """Return the first reason and the number of further rows; None without any."""
        if not self.reasons:
            return None
        more = len(self.reasons) - 1
        further = f" (and {more} more row{'s' if more > 1 else ''})" if more else ""
        return self.reasons[min(self.reasons)][0] + further


def format_value(value: object) -> str:
    """Format a value for a message."""
    try:
        return repr(value.item() if isinstance(value, np.generic) else value)[:80]
    except ValueError:  # an integer of thousands of digits
        return f"a very long {type(value).__name__}"


def describe_unknown_category(column: CellColumn, value: object, row: int) -> str:
    """Return the message for an unknown category; known ones of personal data are not listed."""
    subject = f"column {column.name} holds {format_value(value)} in row {row}, an unknown category"
    if is_personal(column.name):
        return subject
    return f"{subject}; available: {', '.join(column.categories[:MAX_LISTED])}"


def describe_infinite(column: CellColumn, row: int) -> str:
    """Return the message for an infinite number."""
    return f"column {column.name} is infinite in row {row}, expected a finite number"


def reject_missing(column: CellColumn, missing: np.ndarray, rejected: RejectedRows) -> None:
    """Reject the rows with a missing value, if the input does not allow them."""
    if column.missing == "refuse" and missing.any():
        rejected.add(
            np.flatnonzero(missing),
            lambda row: (
                f"column {column.name} has no value in row {row}; missing values are not allowed"
            ),
        )


def count_missing(
    inputs: Sequence[ColumnInput], cells: Sequence[Any], rejected: Collection[int] = ()
) -> dict[str, dict[str, int]]:
    """Count missing cells and unknown categories by column.

    The keys are those of HTTP responses and metrics; columns without any are left out.

    Parameters
    ----------
    inputs : sequence of ColumnInput
        Columns of the model.
    cells : sequence of column
        Their cells, as `read_columns` returns them.
    rejected : collection of int
        Rows without a prediction; their cells are not counted.

    """
    counts_by_problem: dict[str, dict[str, int]] = {"gaps": {}, "unknown": {}}
    for column_input, column in zip(inputs, cells, strict=True):
        unknown = 0
        if rejected:
            column = np.delete(np.asarray(column), list(rejected))
        if column_input.kind == "text":
            missing = 0  # a missing text is read as an empty one
        elif column_input.kind == "category":
            codes = np.asarray(column)
            missing = int(np.count_nonzero(codes == len(column_input.categories)))
            unknown = int(np.count_nonzero(codes > len(column_input.categories)))
        elif column_input.kind == "date":
            missing = int(np.count_nonzero(np.asarray(column) == MISSING_DATE))
        else:
            missing = int(np.count_nonzero(np.isnan(np.asarray(column, dtype=float))))
        if missing:
            counts_by_problem["gaps"][column_input.name] = missing
        if unknown:
            counts_by_problem["unknown"][column_input.name] = unknown
    return {problem: counts for problem, counts in counts_by_problem.items() if counts}


def expected_date(column: CellColumn, value: object) -> str:
    """Say what was expected where a cell is not a date."""
    if isinstance(value, str) and re.fullmatch(NUMERIC_DATE, value.strip()):
        if column.dates != "iso":
            return f"which is not a date with the {column.dates.removesuffix('-first')} first"
        return (
            "which can be read day first or month first; expected a date like 2024-07-02, or, "
            "where the data are loaded, the setting dates=day-first or dates=month-first"
        )
    return "expected a date like 2024-07-02 or 2024-07-02T14:30:00+02:00"
