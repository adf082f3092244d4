"""Reads files of any supported format in chunks of equal length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from lockgate.data.columns.inputs import NamedColumn
from lockgate.data.io.chunks import Chunk, check_names, rechunk
from lockgate.data.io.csv import read_csv_chunks
from lockgate.errors import DataError

__all__ = ["ENDINGS", "count_rows", "read_chunks"]

ENDINGS = (".csv", ".parquet", ".arrow", ".feather", ".ndjson", ".jsonl")


def read_chunks(
    path: Path, inputs: Sequence[NamedColumn], keep: Sequence[str], rows: int
) -> Iterator[Chunk]:
    """Read a file chunk by chunk.

    Parameters
    ----------
    path : pathlib.Path
        A file with one of the suffixes in `ENDINGS`.
    inputs : sequence of NamedColumn
        Columns of the model.
    keep : sequence of str
        Further columns to read.
    rows : int
        Rows of each chunk but the last.

    Raises
    ------
    DataError
        If the file is missing, damaged, of another format, or lacks a column.

    """
    readers: dict[str, Callable[..., Iterator[Chunk]]] = {
        ".csv": read_csv_chunks,
        ".parquet": _read_parquet,
        ".arrow": _read_arrow,
        ".feather": _read_arrow,
        ".ndjson": _read_ndjson,
        ".jsonl": _read_ndjson,
    }
    ending = path.suffix.lower()
    if ending not in readers:
        raise DataError(f"{path} ends in {path.suffix!r}, expected one of {', '.join(ENDINGS)}")
    if not path.is_file():
        raise DataError(f"{path} is missing or is not a file")
    try:
        yield from readers[ending](path, inputs, list(keep), rows)
    except (ValueError, OSError, KeyError, NotImplementedError) as error:
        message = " ".join(str(error).split())
        remedy = "; save the file as UTF-8" if "utf" in message.lower() else ""
        raise DataError(f"{path} cannot be read: {message}{remedy}") from None


def count_rows(path: Path) -> int | None:
    """Return the number of rows of a Parquet file, None for other formats."""
    if path.suffix.lower() == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return int(pq.ParquetFile(path).metadata.num_rows)
        except (pa.ArrowException, OSError):
            return None  # reading it will raise the error
    return None


def _read_parquet(
    path: Path, inputs: Sequence[NamedColumn], keep: Sequence[str], rows: int
) -> Iterator[Chunk]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    check_names(str(path), file.schema_arrow.names, inputs, keep)
    requested = list(dict.fromkeys([*(column.name for column in inputs), *keep]))
    batches = file.iter_batches(batch_size=min(rows, 65_536), columns=requested)
    for start, table in rechunk(batches, rows):
        yield Chunk(np.arange(start, start + len(table)), table)


def _read_arrow(
    path: Path, inputs: Sequence[NamedColumn], keep: Sequence[str], rows: int
) -> Iterator[Chunk]:
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        try:
            file = pa.ipc.open_file(source)
            batches = (file.get_batch(k) for k in range(file.num_record_batches))
        except pa.ArrowInvalid:
            source.seek(0)
            file = pa.ipc.open_stream(source)
            batches = iter(file)
        check_names(str(path), file.schema.names, inputs, keep)
        requested = list(dict.fromkeys([*(column.name for column in inputs), *keep]))
        for start, table in rechunk((batch.select(requested) for batch in batches), rows):
            yield Chunk(np.arange(start, start + len(table)), table)


def _read_ndjson(
    path: Path, _: Sequence[NamedColumn], __: Sequence[str], rows: int
) -> Iterator[Chunk]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    numbers: list[int] = []
    records: list[Any] = []
    malformed: dict[int, str] = {}
    with path.open("rb") as file:
        number = -1
        for line in file:
            if not line.strip():
                continue
            number += 1
            try:
                records.append(decode(line))
                numbers.append(number)
            except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError) as error:
                malformed[number] = f"not a valid JSON object: {str(error)[:200]}"
            if len(records) + len(malformed) == rows:
                yield Chunk(np.array(numbers, dtype=np.int64), records, malformed)
                numbers, records, malformed = [], [], {}
    if records or malformed:
        yield Chunk(np.array(numbers, dtype=np.int64), records, malformed)
