"""Writes predictions: parts during a run, one file at its end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from lockgate.errors import DataError

__all__ = ["OUTPUTS", "merge_parts", "write_part"]

OUTPUTS = (".csv", ".parquet", ".arrow", ".feather", ".ndjson", ".jsonl")
"""Endings that an output file may have."""


def write_part(path: Path, columns: dict[str, Any]) -> None:
    """Write one part as an Arrow file, atomically."""
    table = pa.table(
        {
            name: column if isinstance(column, (pa.Array, pa.ChunkedArray)) else pa.array(column)
            for name, column in columns.items()
        }
    )
    temporary_path = path.with_suffix(".new")
    with temporary_path.open("wb") as file:
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        file.flush()
        os.fsync(file.fileno())
    temporary_path.replace(path)


def merge_parts(parts: Sequence[Path], target: Path) -> int:
    """Merge all parts into one file, in the format of its ending; return the number of rows."""
    temporary_path = target.with_name(f".{target.name}.new")
    suffix = target.suffix.lower()
    rows = 0
    with temporary_path.open("wb") as file:
        if suffix in (".ndjson", ".jsonl"):
            for table in _read_tables(parts):
                rows += len(table)
                for record in table.to_pylist():
                    file.write(json.dumps(record, default=str).encode() + b"\n")
        else:
            rows = _write_tables(parts, file, suffix)
        file.flush()
        os.fsync(file.fileno())
    temporary_path.replace(target)
    return rows


def _read_tables(parts: Sequence[Path]) -> Iterator[pa.Table]:
    """Yield the table of each part, cast to the types of the first."""
    schema = None
    for path in parts:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
        schema = schema or table.schema
        yield table.cast(schema)


def _write_tables(parts: Sequence[Path], file: IO[bytes], suffix: str) -> int:
    writer_factories: dict[str, Any] = {
        ".csv": csv.CSVWriter,
        ".parquet": pq.ParquetWriter,
        ".arrow": pa.ipc.new_file,
        ".feather": pa.ipc.new_file,
    }
    if suffix not in writer_factories:
        raise DataError(
            f"predictions cannot be written to {suffix!r}; expected {', '.join(OUTPUTS)}"
        )
    writer, rows = None, 0
    for table in _read_tables(parts):
        writer = writer or writer_factories[suffix](file, table.schema)
        writer.write_table(table)
        rows += len(table)
    if writer is not None:
        writer.close()
    return rows
