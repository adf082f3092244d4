"""CSV: cells become what their column's kind is, or stay texts and are refused."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lockgate.data.columns.text_cells import parse_text
from lockgate.data.io.chunks import Chunk, check_names, rechunk
from lockgate.errors import DataError

__all__ = ["csv_chunks", "csv_header"]


def csv_chunks(
    source: Path | bytes, inputs: Sequence[Any], keep: list[str], rows: int
) -> Iterator[Chunk]:
    """Read a CSV table chunk by chunk; lines with other cells than the header are noted."""
    import pyarrow as pa
    from pyarrow import csv

    broken: dict[int, str] = {}

    def note(row: Any) -> str:
        # lines are counted from 1, and the first is the header
        words = f"line {row.number} has {row.actual_columns} cells, expected {row.expected_columns}"
        broken[row.number - 2] = words
        return "skip"

    names = csv_header(source)
    check_names(source_name(source), names, inputs, keep)
    wanted = list(dict.fromkeys([*(one.name for one in inputs), *keep]))
    reader = csv.open_csv(
        io.BytesIO(source) if isinstance(source, bytes) else source,
        read_options=csv.ReadOptions(use_threads=False, block_size=1 << 22),
        parse_options=csv.ParseOptions(invalid_row_handler=note, newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            include_columns=wanted,
            column_types={name: pa.string() for name in wanted},
            strings_can_be_null=False,
        ),
    )
    told = 0
    for start, table in rechunk(iter(reader), rows):
        places = np.array(sorted(broken), dtype=np.int64)
        behind = places - np.arange(len(places))
        valid = np.arange(start, start + len(table))
        numbers = valid + np.searchsorted(behind, valid, side="right")
        own = {k: broken[k] for k in places.tolist() if told <= k < numbers[-1]}
        told = int(numbers[-1]) + 1
        columns = {name: table[name] for name in wanted}
        columns |= {one.name: parse_text(one, table[one.name]) for one in inputs}
        yield Chunk(numbers, columns, own)
    if left := {k: words for k, words in broken.items() if k >= told}:
        yield Chunk(np.zeros(0, np.int64), {name: [] for name in wanted}, left)


def csv_header(source: Path | bytes) -> list[str]:
    """Read the names of the columns."""
    import csv

    with _text_of(source) as file:
        try:
            return next(iter(csv.reader(file)), [])
        except csv.Error as error:
            raise DataError(
                f"{source_name(source)}: the first line cannot be read: {error}"
            ) from None


def _text_of(source: Path | bytes) -> Any:
    raw: Any = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    return io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="")


def source_name(source: Path | bytes) -> str:
    return "the body" if isinstance(source, bytes) else str(source)
