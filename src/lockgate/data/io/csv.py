"""CSV files: the one reader, for training, prediction and request bodies."""

from __future__ import annotations

import codecs
import contextlib
import csv as stdlib_csv
import gzip
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from lockgate.contract.tables import CSVFormat
from lockgate.data.columns.inputs import CellColumn
from lockgate.data.columns.text_cells import parse_text
from lockgate.data.io.chunks import Chunk, check_names, rechunk
from lockgate.errors import DataError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "delimiter_of",
    "encoding_of",
    "open_bytes",
    "read_csv_chunks",
    "read_csv_header",
    "read_csv_texts",
]

MAX_LISTED = 5

CHUNK_BYTES = 1 << 20
"""Bytes that are decoded at once."""

QUOTED_LENGTH = 60
"""Characters of a malformed row in a message."""


def read_csv_chunks(
    source: Path | bytes,
    inputs: Sequence[CellColumn],
    keep: Sequence[str],
    rows: int,
    csv: CSVFormat,
) -> Iterator[Chunk]:
    """Read a CSV table chunk by chunk; lines with more or fewer cells than the header are noted."""
    malformed: dict[int, str] = {}
    names = read_csv_header(source, csv)
    if len(names) == 1 and len(inputs) > 1:
        raise DataError(
            f"{format_source(source)} has a single column {names[0][:QUOTED_LENGTH]!r}, expected "
            f"columns separated by {delimiter_of(source, csv)!r}, as in the "
            "training file"
        )
    check_names(format_source(source), names, inputs, keep)
    requested = list(dict.fromkeys([*(column.name for column in inputs), *keep]))
    reported_until = 0
    with _open_reader(source, requested, csv, malformed) as batches:
        for start, table in rechunk(batches, rows):
            malformed_rows = np.array(sorted(malformed), dtype=np.int64)
            valid_before = malformed_rows - np.arange(len(malformed_rows))
            valid = np.arange(start, start + len(table))
            numbers = valid + np.searchsorted(valid_before, valid, side="right")
            chunk_malformed = {
                k: malformed[k]
                for k in malformed_rows.tolist()
                if reported_until <= k < numbers[-1]
            }
            reported_until = int(numbers[-1]) + 1
            columns = {name: table[name] for name in requested}
            columns |= {c.name: parse_text(c, table[c.name], csv) for c in inputs}
            yield Chunk(numbers, columns, chunk_malformed)
    if remaining := {k: message for k, message in malformed.items() if k >= reported_until}:
        yield Chunk(np.zeros(0, np.int64), {name: [] for name in requested}, remaining)


def read_csv_texts(path: Path, csv: CSVFormat) -> dict[str, pa.ChunkedArray]:
    """Read all columns of a CSV file as they are written.

    Raises
    ------
    DataError
        If a name is duplicated, or a line has more or fewer cells than the header.

    """
    import pyarrow as pa

    names = read_csv_header(path, csv)
    check_names(str(path), names, (), names)
    malformed: dict[int, str] = {}
    with _open_reader(path, names, csv, malformed) as reader:
        batches = list(reader)
    if malformed:
        listed = "; ".join(malformed[row] for row in sorted(malformed)[:MAX_LISTED])
        more = f" (and {len(malformed) - MAX_LISTED} more)" if len(malformed) > MAX_LISTED else ""
        raise DataError(f"{path}: {listed}{more}")
    table = pa.Table.from_batches(batches, pa.schema([(name, pa.string()) for name in names]))
    return {name: table[name] for name in names}


@contextlib.contextmanager
def _open_reader(
    source: Path | bytes, names: Sequence[str], csv: CSVFormat, malformed: dict[int, str]
) -> Iterator[Any]:
    """Open a reader of these columns as texts; it is closed also where reading fails.

    The reader's thread would otherwise outlive an error, and abort the interpreter at its exit.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    def skip_malformed(row: Any) -> str:
        # Arrow counts rows from 1, the header included; quoted line breaks and blank lines
        # make that another number than the line's, so that the message quotes the row
        number = row.number - 2
        try:
            text = row.text
        except UnicodeDecodeError as error:  # an exception in here ends up on stderr
            text = bytes(error.object).decode("utf-8", "replace")
        text = text if len(text) <= QUOTED_LENGTH else f"{text[:QUOTED_LENGTH]}..."
        malformed[number] = (
            f"{row.actual_columns} cells in row {number}, expected {row.expected_columns}: {text!r}"
        )
        return "skip"

    with contextlib.ExitStack() as stack:
        raw = source
        if isinstance(source, Path):
            raw = stack.enter_context(pa.input_stream(str(source), compression="detect"))
        encoding = encoding_of(source, csv)
        if codecs.lookup(encoding).name != "utf-8":
            _check_decodable(source, encoding)
        reader = arrow_csv.open_csv(
            io.BytesIO(source) if isinstance(source, bytes) else raw,
            read_options=arrow_csv.ReadOptions(
                use_threads=False, block_size=1 << 22, encoding=encoding
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter_of(source, csv),
                quote_char=csv.quote or False,
                invalid_row_handler=skip_malformed,
                newlines_in_values=bool(csv.quote),
            ),
            convert_options=arrow_csv.ConvertOptions(
                check_utf8=False,  # see _valid_batches
                include_columns=list(names),
                column_types={name: pa.string() for name in names},
                strings_can_be_null=False,
            ),
        )
        yield _valid_batches(stack.enter_context(reader))


def _valid_batches(reader: Any) -> Iterator[pa.RecordBatch]:
    """Check that all texts are UTF-8: outside of the reader, whose thread outlives its errors."""
    import pyarrow as pa

    for batch in reader:
        for column in batch.columns:
            column.cast(pa.binary()).cast(pa.string())
        yield batch


def _check_decodable(source: Path | bytes, encoding: str) -> None:
    """Decode a source that is not UTF-8 once, for the same reason."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with io.BytesIO(source) if isinstance(source, bytes) else open_bytes(source) as file:
        while chunk := file.read(CHUNK_BYTES):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)


def delimiter_of(source: Path | bytes, csv: CSVFormat) -> str:
    """Return the delimiter of a file: as configured, or by its suffix."""
    if csv.delimiter:
        return csv.delimiter
    tabs = isinstance(source, Path) and source.name.lower().removesuffix(".gz").endswith(".tsv")
    return "\t" if tabs else ","


def read_csv_header(source: Path | bytes, csv: CSVFormat) -> list[str]:
    """Read the column names."""
    options: dict[str, Any] = {"quotechar": csv.quote} if csv.quote else {"quoting": 3}
    with _open_text(source, encoding_of(source, csv)) as file:
        try:
            reader = stdlib_csv.reader(file, delimiter=delimiter_of(source, csv), **options)
            header = next(filter(None, reader), [])  # Arrow skips blank lines as well
        except TypeError as error:  # of the delimiter or the quote
            raise UsageError(f"{format_source(source)} cannot be read: {error}") from None
        except stdlib_csv.Error as error:
            raise DataError(
                f"{format_source(source)}: the first line cannot be read: {error}"
            ) from None
    if not header:
        raise DataError(f"{format_source(source)} is empty; expected a line with column names")
    return header


def encoding_of(source: Path | bytes, csv: CSVFormat) -> str:
    """Return the encoding of a file: as configured, unless its content shows another.

    A byte order mark does, and so does valid UTF-8 where a single-byte encoding is configured:
    text of such an encoding is hardly ever valid UTF-8 by chance, and decoded wrongly its
    categories would be unknown.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else open_bytes(source) as file:
        start = file.read(CHUNK_BYTES)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if _has_byte_per_character(csv.encoding) and _is_utf_8(start, file):
            return "utf-8"
    return csv.encoding


def _has_byte_per_character(encoding: str) -> bool:
    try:
        return len(bytes(range(128, 256)).decode(encoding, "replace")) == 128
    except LookupError:
        return False


def _is_utf_8(chunk: bytes, rest: BinaryIO) -> bool:
    """Return whether all bytes are UTF-8, and not only ASCII."""
    decoder, is_ascii = codecs.getincrementaldecoder("utf-8")(), True
    try:
        while chunk:
            is_ascii = is_ascii and chunk.isascii()
            decoder.decode(chunk)
            chunk = rest.read(CHUNK_BYTES)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return not is_ascii


def open_bytes(path: Path) -> BinaryIO:
    """Open a file that may be compressed."""
    if path.suffix.lower() == ".gz":
        return cast(BinaryIO, gzip.open(path))
    return path.open("rb")


def _open_text(source: Path | bytes, encoding: str) -> Any:
    raw: Any = io.BytesIO(source) if isinstance(source, bytes) else open_bytes(source)
    encoding = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding
    try:
        return io.TextIOWrapper(raw, encoding=encoding, errors="replace", newline="")
    except LookupError:
        raw.close()
        raise UsageError(
            f"unknown encoding {encoding!r}; use a name that Python knows, e.g. cp1252"
        ) from None


def format_source(source: Path | bytes) -> str:
    return "the body" if isinstance(source, bytes) else str(source)
