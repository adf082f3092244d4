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


def check_names(whose: str, names: Sequence[str], inputs: Sequence[Any], keep: list[str]) -> None:
    """Refuse rows that lack a column, or have it twice."""
    wanted = [*(one.name for one in inputs), *keep]
    problems = [
        f"column {name} is missing{nearest(name, names)}" for name in wanted if name not in names
    ]
    problems += [
        f"column {name} stands twice"
        for name in dict.fromkeys(wanted)
        if list(names).count(name) > 1
    ]
    if problems:
        raise DataError(f"{whose}: " + "; ".join(problems))


def rechunk(batches: Iterator[Any], rows: int) -> Iterator[tuple[int, Any]]:
    """Yield tables of `rows` rows and where they begin."""
    import pyarrow as pa

    waiting: list[Any] = []
    have = start = 0
    for batch in batches:
        waiting.append(batch)
        have += batch.num_rows
        while have >= rows:
            table = pa.Table.from_batches(waiting)
            yield start, table.slice(0, rows)
            rest = table.slice(rows)
            waiting = rest.to_batches()
            have, start = rest.num_rows, start + rows
    if have:
        yield start, pa.Table.from_batches(waiting)
