"""Columns of any length are computed in blocks of rows, on several threads."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from lockgate.models.packed.format.array_types import Cells
from lockgate.models.packed.runtime.program import Program

__all__ = ["compute_columns", "join_cells", "take_cells"]

DEVICE_ROWS = 1 << 17
"""Rows of a block on another device than the host: a transfer takes time."""


def compute_columns(
    program: Program, cells: Sequence[Cells], rows: int, threads: int = 1
) -> tuple[list[Any], np.ndarray]:
    """Return label, score and margin, shape (width, rows), and which rows fail a check."""
    host = program.backend.name == "numpy"
    step = program.chunk if host else max(program.chunk, DEVICE_ROWS)
    spans = [(start, min(start + step, rows)) for start in range(0, rows, step)] or [(0, 0)]

    def compute(span: tuple[int, int]) -> list[Any]:
        low, high = span
        with np.errstate(all="ignore"):
            outputs = program.columns([column[low:high] for column in cells], high - low)
        return [None if array is None else program.backend.to_numpy(array) for array in outputs]

    if threads == 1 or len(spans) == 1 or not host:
        blocks = [compute(span) for span in spans]
    else:
        with ThreadPoolExecutor(threads) as pool:
            blocks = list(pool.map(compute, spans))
    *answers, invalid = [
        None if parts[0] is None else np.concatenate(parts, axis=1)
        for parts in map(list, zip(*blocks, strict=True))
    ]
    return answers, np.asarray(invalid)[0]


def join_cells(columns: Sequence[Any]) -> Any:
    """Join parts of a column: arrays, or lists of texts."""
    if isinstance(columns[0], np.ndarray):
        return np.concatenate(columns)
    return [text for column in columns for text in column]


def take_cells(column: Any, rows: np.ndarray) -> Any:
    """Return some cells of a column: an array, or a list of texts."""
    if isinstance(column, np.ndarray):
        return column[rows]
    return [column[row] for row in rows.tolist()]
