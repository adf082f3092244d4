"""CSV files: cells are converted to their column's kind, or stay texts and are rejected."""

from __future__ import annotations

import csv as stdlib_csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lockgate.data.columns.inputs import NamedColumn
from lockgate.data.columns.text_cells import parse_text
from lockgate.data.io.chunks import Chunk, check_names, rechunk
from lockgate.errors import DataError

__all__ = ["read_csv_chunks", "read_csv_header"]


def read_csv_chunks(
    source: Path | bytes, inputs: Sequence[NamedColumn], keep: Sequence[str], rows: int
) -> Iterator[Chunk]:
    """Read a CSV table chunk by chunk; lines with more or fewer cells than the header are noted."""
    import pyarrow as pa
    from pyarrow import csv

    malformed: dict[int, str] = {}

    def skip_malformed(row: csv.InvalidRow) -> str:
        # lines are counted from 1, and the first is the header
        message = (
            f"line {row.number} has {row.actual_columns} cells, expected {row.expected_columns}"
        )
        malformed[row.number - 2] = message
        return "skip"

    names = read_csv_header(source)
    check_names(format_source(source), names, inputs, keep)
    requested = list(dict.fromkeys([*(column.name for column in inputs), *keep]))
    reader = csv.open_csv(
        io.BytesIO(source) if isinstance(source, bytes) else source,
        read_options=csv.ReadOptions(use_threads=False, block_size=1 << 22),
        parse_options=csv.ParseOptions(invalid_row_handler=skip_malformed, newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            include_columns=requested,
            column_types={name: pa.string() for name in requested},
            strings_can_be_null=False,
        ),
    )
    reported_until = 0
    for start, table in rechunk(iter(reader), rows):
        malformed_rows = np.array(sorted(malformed), dtype=np.int64)
        valid_before = malformed_rows - np.arange(len(malformed_rows))
        valid = np.arange(start, start + len(table))
        numbers = valid + np.searchsorted(valid_before, valid, side="right")
        chunk_malformed = {
            k: malformed[k] for k in malformed_rows.tolist() if reported_until <= k < numbers[-1]
        }
        reported_until = int(numbers[-1]) + 1
        columns = {name: table[name] for name in requested}
        columns |= {column.name: parse_text(column, table[column.name]) for column in inputs}
        yield Chunk(numbers, columns, chunk_malformed)
    if remaining := {k: message for k, message in malformed.items() if k >= reported_until}:
        yield Chunk(np.zeros(0, np.int64), {name: [] for name in requested}, remaining)


def read_csv_header(source: Path | bytes) -> list[str]:
    """Read the column names."""
    with _open_text(source) as file:
        try:
            return next(iter(stdlib_csv.reader(file)), [])
        except stdlib_csv.Error as error:
            raise DataError(
                f"{format_source(source)}: the first line cannot be read: {error}"
            ) from None


def _open_text(source: Path | bytes) -> Any:
    raw: Any = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    return io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="")


def format_source(source: Path | bytes) -> str:
    return "the body" if isinstance(source, bytes) else str(source)
