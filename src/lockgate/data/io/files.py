"""Reads files of any supported format in chunks of equal length."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from lockgate.contract.tables import CSVFormat
from lockgate.data.columns.inputs import CellColumn
from lockgate.data.io.chunks import Chunk, check_names, rechunk
from lockgate.data.io.csv import read_csv_chunks
from lockgate.data.io.json import describe_non_finite
from lockgate.errors import DataError

__all__ = [
    "ENDINGS",
    "count_rows",
    "describe_failure",
    "file_ending",
    "parquet_files",
    "read_chunks",
]

ENDINGS = (
    *(".csv", ".csv.gz", ".tsv", ".tsv.gz"),
    *(".parquet", ".arrow", ".feather", ".ndjson", ".jsonl"),
)


def file_ending(path: Path) -> str:
    """Return the suffix that tells the format of a file; of a compressed file both suffixes."""
    name = path.name.lower()
    ending = path.suffix.lower()
    return name[name.removesuffix(".gz").rfind(".") :] if ending == ".gz" else ending


def read_chunks(
    path: Path,
    inputs: Sequence[CellColumn],
    keep: Sequence[str],
    rows: int,
    csv: CSVFormat,
) -> Iterator[Chunk]:
    """Read a file chunk by chunk.

    Parameters
    ----------
    path : pathlib.Path
        A file with one of the suffixes in `ENDINGS`.
    inputs : sequence of CellColumn
        Columns of the model.
    keep : sequence of str
        Further columns to read.
    rows : int
        Rows of each chunk but the last.
    csv : CSVFormat
        How CSV files are written.

    Raises
    ------
    DataError
        If the file is missing, damaged, of another format, or lacks a column.

    """
    read_csv = functools.partial(read_csv_chunks, csv=csv)
    readers: dict[str, Callable[..., Iterator[Chunk]]] = {
        ".csv": read_csv,
        ".csv.gz": read_csv,
        ".tsv": read_csv,
        ".tsv.gz": read_csv,
        ".parquet": _read_parquet,
        ".arrow": _read_arrow,
        ".feather": _read_arrow,
        ".ndjson": _read_ndjson,
        ".jsonl": _read_ndjson,
    }
    ending = file_ending(path)
    if ending not in readers:
        raise DataError(f"{path} ends in {ending!r}, expected one of {', '.join(ENDINGS)}")
    if not path.is_file():
        raise DataError(f"{path} is missing or is not a file")
    try:
        yield from readers[ending](path, inputs, list(keep), rows)
    except (ValueError, OSError, KeyError, NotImplementedError) as error:
        raise DataError(describe_failure(path, error)) from None


def describe_failure(path: Path, error: Exception) -> str:
    """Say that a file cannot be read, and what to do about its encoding."""
    message = " ".join(str(error).split())
    remedy = ""
    if "utf" in message.lower() or isinstance(error, UnicodeError):
        remedy = "; save the file as UTF-8, or set the encoding where it was loaded, e.g. cp1252"
    return f"{path} cannot be read: {message}{remedy}"


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
    path: Path, inputs: Sequence[CellColumn], keep: Sequence[str], rows: int
) -> Iterator[Chunk]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    check_names(str(path), file.schema_arrow.names, inputs, keep)
    requested = list(dict.fromkeys([*(column.name for column in inputs), *keep]))
    batches = file.iter_batches(batch_size=min(rows, 65_536), columns=requested)
    for start, table in rechunk(batches, rows):
        yield Chunk(np.arange(start, start + len(table)), table)


def _read_arrow(
    path: Path, inputs: Sequence[CellColumn], keep: Sequence[str], rows: int
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
    path: Path, _: Sequence[CellColumn], __: Sequence[str], rows: int
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
                reason = describe_non_finite(line) or str(error)[:200]
                malformed[number] = f"not a valid JSON object: {reason}"
            if len(records) + len(malformed) == rows:
                yield Chunk(np.array(numbers, dtype=np.int64), records, malformed)
                numbers, records, malformed = [], [], {}
    if records or malformed:
        yield Chunk(np.array(numbers, dtype=np.int64), records, malformed)


def parquet_files(folder: Path) -> list[Path]:
    """Return the Parquet files of a folder, in the order of their paths; hidden ones are skipped.

    Raises
    ------
    DataError
        If there are none.

    """
    files = sorted(
        path
        for path in folder.rglob("*.parquet")
        if path.is_file() and not any(p[0] in "._" for p in path.relative_to(folder).parts)
    )
    if not files:
        raise DataError(f"{folder} has no Parquet files (*.parquet)")
    return files
