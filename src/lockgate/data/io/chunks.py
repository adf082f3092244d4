"""Chunks of the rows of a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.data.columns.inputs import CellColumn
from lockgate.errors import DataError
from lockgate.suggestions import nearest

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Chunk", "check_names", "rechunk"]


@dataclass
class Chunk:
    """A block of consecutive rows of a file.

    Attributes
    ----------
    numbers : ndarray of int
        Index of each valid row in the file, from 0.
    columns : mapping of str to column, or list of mappings
        Columns of the model, and those to copy to the output file.
    malformed : dict of int to str
        Reason by index, for rows that cannot be parsed.
    count : int
        Number of rows of the file that the chunk covers.

    """

    numbers: np.ndarray
    columns: Any
    malformed: dict[int, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Count the rows of the file that the chunk covers."""
        return len(self.numbers) + len(self.malformed)


def check_names(
    source: str, names: Sequence[str], inputs: Sequence[CellColumn], keep: Sequence[str]
) -> None:
    """Reject a source that lacks a column, or has it more than once."""
    requested = [*(column.name for column in inputs), *keep]
    problems = [
        f"column {name} is missing{nearest(name, names)}" for name in requested if name not in names
    ]
    problems += [
        f"column {name} is duplicated"
        for name in dict.fromkeys(requested)
        if list(names).count(name) > 1
    ]
    if problems:
        raise DataError(f"{source}: " + "; ".join(problems))


def rechunk(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[tuple[int, pa.Table]]:
    """Yield the index of the first row and the table of each chunk of `rows` rows."""
    import pyarrow as pa  # an optional dependency of a server

    pending: list[Any] = []
    pending_rows = start = 0
    for batch in batches:
        pending.append(batch)
        pending_rows += batch.num_rows
        while pending_rows >= rows:
            table = pa.Table.from_batches(pending)
            yield start, table.slice(0, rows)
            rest = table.slice(rows)
            pending = rest.to_batches()
            pending_rows, start = rest.num_rows, start + rows
    if pending_rows:
        yield start, pa.Table.from_batches(pending)
