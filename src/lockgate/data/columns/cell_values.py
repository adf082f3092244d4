"""Cells as people and JSON write them."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, TypeAlias

from lockgate.data.columns.dates import EPOCH, MISSING_DATE
from lockgate.data.columns.inputs import ColumnInput

__all__ = ["UNKNOWN", "CellValue", "cell_value", "cell_values"]

UNKNOWN = "(unknown)"
"""Text of a category that training did not have."""

CellValue: TypeAlias = str | bool | int | float | None
"""A text, a truth value or a number; None is a missing cell."""


def cell_value(column: ColumnInput, cell: Any) -> CellValue:
    """Return a cell, as `read_columns` reads it, as a value for people.

    Examples
    --------
    >>> cell_value(ColumnInput("age", "integer"), 41.0)
    41
    >>> cell_value(ColumnInput("plan", "category", categories=("basic", "pro")), 1)
    'pro'
    >>> cell_value(ColumnInput("since", "date"), 86_400_000_000)
    '1970-01-02T00:00:00'

    """
    value: CellValue
    if column.kind == "text":
        value = str(cell)
    elif column.kind == "category":
        value = (*column.categories, None, UNKNOWN)[int(cell)]
    elif column.kind == "date":
        missing = int(cell) == MISSING_DATE
        value = (
            None if missing else (EPOCH + datetime.timedelta(microseconds=int(cell))).isoformat()
        )
    elif cell != cell:
        value = None
    elif column.kind == "boolean":
        value = bool(cell)
    else:
        value = int(cell) if column.kind == "integer" else float(cell)
    return value


def cell_values(column: ColumnInput, cells: Sequence[Any]) -> list[CellValue]:
    """Return the cells of a column as values for people."""
    return [cell_value(column, cell) for cell in cells]
