"""Refuses files whose dates are in the other order than the model's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lockgate.data.columns.dates import as_micros
from lockgate.data.columns.inputs import ColumnInput
from lockgate.data.columns.rejections import RejectedRows
from lockgate.data.io.chunks import Chunk
from lockgate.errors import SchemaViolation

__all__ = ["OtherDateOrder", "check_date_order"]


class OtherDateOrder(SchemaViolation):
    """Dates of a file are in the other order than the model's."""


def check_date_order(inputs: Sequence[ColumnInput], chunk: Chunk, rejected: RejectedRows) -> None:
    """Refuse a file whose dates are in the other order than the model's.

    Of such a file, rows whose day is at most 12 would be predicted as of another day. Where a date
    exists in the model's order alone, one that does not is a mistake, and only its row is rejected.

    Raises
    ------
    OtherDateOrder
        With the first date that exists in the other order alone.

    """
    rows = sorted(rejected.reasons)
    for column in inputs:
        if column.kind != "date" or column.dates == "iso" or not rows:
            continue
        other = "month-first" if column.dates == "day-first" else "day-first"
        values = _select_cells(chunk.columns, column.name, rows)
        misplaced = [k for k, value in enumerate(values) if _only_in(other, column.dates, value)]
        if not misplaced:
            continue
        everything = _select_cells(chunk.columns, column.name, range(len(chunk.numbers)))
        if any(_only_in(column.dates, other, value) for value in everything):
            continue
        k = misplaced[0]
        raise OtherDateOrder(
            [
                f"column {column.name} holds {values[k]!r} in row {chunk.numbers[rows[k]]}, a date "
                f"{other.replace('-', ' ')}, and the model reads them "
                f"{column.dates.replace('-', ' ')}: other rows would be taken for other days; "
                "nothing was written. Expected dates like 2024-07-02, or in the model's order"
            ]
        )


def _only_in(order: str, other: str, value: object) -> bool:
    return as_micros(value, other) is None and as_micros(value, order) is not None


def _select_cells(
    columns: Mapping[str, Any] | list[dict[str, Any]], name: str, rows: Sequence[int]
) -> list[Any]:
    if isinstance(columns, list):
        return [columns[row].get(name) for row in rows]
    cells = columns[name]
    picked = [cells[row] for row in rows]
    return [cell.as_py() if hasattr(cell, "as_py") else cell for cell in picked]
