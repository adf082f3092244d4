"""Refuses files whose dates are in the other order than the model's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from lockgate.data.columns.dates import as_micros
from lockgate.data.columns.inputs import ColumnInput
from lockgate.data.columns.rejections import RejectedRows
from lockgate.data.io.chunks import Chunk
from lockgate.errors import SchemaViolation

__all__ = ["DateOrderChecker", "OtherDateOrder"]


class OtherDateOrder(SchemaViolation):
    """Dates of a file are in the other order than the model's."""


class DateOrderChecker:
    """Refuses a file whose dates are in the other order than the model's.

    Of such a file, rows whose day is at most 12 would be predicted as of another day. Where a date
    of the file exists in the model's order alone, one that does not is a mistake, and only its row
    is rejected.

    Parameters
    ----------
    inputs : sequence of ColumnInput
        The model's inputs.
    read_file : callable
        Reads the whole file again.

    """

    def __init__(
        self, inputs: Sequence[ColumnInput], read_file: Callable[[], Iterable[Chunk]]
    ) -> None:
        self._columns = [c for c in inputs if c.kind == "date" and c.dates != "iso"]
        self._read_file = read_file
        self._proven: set[str] = set()

    def check(self, chunk: Chunk, rejected: RejectedRows) -> None:
        """Check the rejected rows of a part.

        Raises
        ------
        OtherDateOrder
            With the first date that exists in the other order alone, if in the whole file none
            exists in the model's order alone.

        """
        rows = sorted(rejected.reasons)
        for column in self._columns if rows else ():
            if column.name in self._proven:
                continue
            other = _other_order(column)
            values = _select_cells(chunk.columns, column.name, rows)
            misplaced = [k for k, v in enumerate(values) if _only_in(other, column.dates, v)]
            if not misplaced:
                continue
            if not any(_proves_order(column, part) for part in self._read_file()):
                k = misplaced[0]
                raise OtherDateOrder(
                    [
                        f"column {column.name} holds {values[k]!r} in row "
                        f"{chunk.numbers[rows[k]]}, a date {other.replace('-', ' ')}, and the "
                        f"model reads them {column.dates.replace('-', ' ')}: other rows would be "
                        "taken for other days; nothing was written. Expected dates like "
                        "2024-07-02, or in the model's order"
                    ]
                )
            self._proven.add(column.name)


def _other_order(column: ColumnInput) -> str:
    return "month-first" if column.dates == "day-first" else "day-first"


def _proves_order(column: ColumnInput, chunk: Chunk) -> bool:
    """Return whether a date of a part exists in the model's order alone."""
    values = _select_cells(chunk.columns, column.name, range(len(chunk.numbers)))
    return any(_only_in(column.dates, _other_order(column), value) for value in values)


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
