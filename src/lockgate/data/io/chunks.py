"""Rows that were read together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lockgate.errors import DataError, nearest

__all__ = ["Chunk", "check_names", "rechunk"]


@dataclass
class Chunk:
    """Rows that were read together.

    Attributes
    ----------
    numbers : ndarray of int
        Place of each row in the file, from 0 on.
    columns : mapping of str to column, or list of mappings
        What the model and the answers' file need of the rows.
    malformed : dict of int to str
        Rows of the file that could not even be read, with the reason.
    count : int
        How many rows of the file the chunk covers.

    """

    numbers: np.ndarray
    columns: Any
    malformed: dict[int, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Count the rows of the file that the chunk covers."""
        return len(self.numbers) + len(self.malformed)


def check_names(source: str, names: Sequence[str], inputs: Sequence[Any], keep: list[str]) -> None:
    """Refuse rows that lack a column, or have it twice."""
    requested = [*(column.name for column in inputs), *keep]
    problems = [
        f"column {name} is missing{nearest(name, names)}" for name in requested if name not in names
    ]
    problems += [
        f"column {name} stands twice"
        for name in dict.fromkeys(requested)
        if list(names).count(name) > 1
    ]
    if problems:
        raise DataError(f"{source}: " + "; ".join(problems))


def rechunk(batches: Iterator[Any], rows: int) -> Iterator[tuple[int, Any]]:
    """Yield tables of `rows` rows and where they begin."""
    import pyarrow as pa

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
