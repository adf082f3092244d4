"""Tables in request bodies, read by the same rules as files."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lockgate.contract.tables import CSVFormat
from lockgate.data.columns.inputs import CellColumn
from lockgate.data.io.chunks import check_names
from lockgate.data.io.csv import encoding_of, read_csv_chunks, read_csv_header
from lockgate.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_arrow_body", "read_csv_body"]

MAX_COLUMNS = 10_000
"""Largest number of columns."""

MAX_EXPANDED_BYTES = 64 << 20
"""Largest size of a dictionary-encoded column of texts, once each row has a copy."""

DATE_RANGE = (-62_135_596_800, 253_402_300_799)
"""Seconds since 1970 of the first and the last date that Python supports."""


def read_csv_body(
    raw: bytes,
    inputs: Sequence[CellColumn],
    keep: Sequence[str],
    max_rows: int,
    csv: CSVFormat,
) -> tuple[Any, int]:
    """Read a CSV table from a request body, written as the files that the model was fitted on.

    Returns
    -------
    mapping of str to column
        Columns of the model, and those of `keep` that the table has.
    int
        Number of rows.

    Raises
    ------
    DataError
        If it cannot be read, lacks a column, or a line has more or fewer cells than the header.

    """
    import pyarrow as pa

    if raw.count(b"\n") > 2 * max_rows:
        raise DataError(f"the body has more than {max_rows} rows")
    try:
        str(raw, encoding_of(raw, csv))  # pyarrow does not check the encoding of malformed lines
        csv = _with_delimiter(raw, csv, [column.name for column in inputs])
        names = read_csv_header(raw, csv)
        _check_width(names)
        kept = [name for name in keep if name in names]
        chunks = list(read_csv_chunks(raw, inputs, kept, max_rows, csv))
    except (pa.ArrowException, ValueError, OSError, KeyError) as error:
        raise DataError(
            f"the body is not valid CSV: {' '.join(str(error).split())[:300]}"
        ) from None
    malformed = {row: message for chunk in chunks for row, message in chunk.malformed.items()}
    if malformed:
        raise DataError("; ".join(malformed[row] for row in sorted(malformed)[:20]))
    if len(chunks) > 1:
        raise DataError(f"the body has more than {max_rows} rows")
    return (chunks[0].columns, len(chunks[0].numbers)) if chunks else ({}, 0)


def _with_delimiter(raw: bytes, csv: CSVFormat, names: Sequence[str]) -> CSVFormat:
    """Return the format with tabs, if the body has them: unlike a file, it has no suffix."""
    tabs = dataclasses.replace(csv, delimiter="\t")
    if csv.delimiter or set(names) & set(read_csv_header(raw, csv)):
        return csv
    return tabs if set(names) & set(read_csv_header(raw, tabs)) else csv


def _check_width(names: Sequence[str]) -> None:
    if len(names) > MAX_COLUMNS:
        raise DataError(f"expected at most {MAX_COLUMNS} columns, got {len(names)}")


def _check_column(name: str, column: pa.ChunkedArray) -> None:
    """Reject a column of nested values, or one that grows too large when it is decoded."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as kinds

    kind = column.type
    fixed_size = (kinds.is_integer, kinds.is_floating, kinds.is_boolean)
    if kinds.is_dictionary(kind):
        longest = 0
        for chunk in column.chunks:
            dictionary = chunk.dictionary
            if not (kinds.is_string(dictionary.type) or kinds.is_large_string(dictionary.type)):
                if not any(is_kind(dictionary.type) for is_kind in fixed_size):
                    raise DataError(
                        f"column {name} is {kind}, expected a dictionary of texts or numbers"
                    )
                continue
            longest = max(longest, pc.max(pc.binary_length(dictionary)).as_py() or 0)
        if longest * len(column) > MAX_EXPANDED_BYTES:
            raise DataError(
                f"column {name} has {len(column)} rows and a text of {longest} bytes: too large"
            )
    elif kinds.is_date(kind) or kinds.is_timestamp(kind):
        span = pc.min_max(column.cast(pa.timestamp("s"), safe=False).cast(pa.int64()))
        low, high = span["min"].as_py(), span["max"].as_py()
        if low is not None and not DATE_RANGE[0] <= low <= high <= DATE_RANGE[1]:
            raise DataError(f"column {name} holds a date outside the years 1 to 9999")
    elif not any(
        is_kind(kind)
        for is_kind in (
            *fixed_size,
            kinds.is_string,
            kinds.is_large_string,
            kinds.is_string_view,
            kinds.is_null,
            kinds.is_decimal,
            kinds.is_time,
        )
    ):
        raise DataError(f"column {name} is {kind}, expected numbers, strings, booleans or dates")


def read_arrow_body(
    raw: bytes, inputs: Sequence[CellColumn], keep: Sequence[str], max_rows: int
) -> tuple[Any, int]:
    """Read an Arrow stream from a request body, fully validated before it is used.

    Raises
    ------
    DataError
        If it cannot be read, lacks a column, or is invalid.

    """
    import pyarrow as pa

    try:
        with pa.ipc.open_stream(raw) as stream:
            names = stream.schema.names
            _check_width(names)
            check_names("the body", names, inputs, [])
            requested = [column.name for column in inputs]
            requested += [name for name in keep if name in names and name not in requested]
            batches, rows = [], 0
            for batch in stream:
                rows += batch.num_rows
                if rows > max_rows:
                    raise DataError(f"the body has more than {max_rows} rows")
                batches.append(batch)
            table = pa.Table.from_batches(batches, stream.schema).select(requested)
            table.validate(full=True)
            for name in requested:
                _check_column(name, table[name])
    except (
        pa.ArrowException,
        ValueError,
        TypeError,
        OSError,
        KeyError,
        NotImplementedError,
    ) as error:  # a TypeError is of an extension type that pandas registered
        message = " ".join(str(error).split())[:300]
        raise DataError(f"the body is not a valid Arrow stream: {message}") from None
    return table.combine_chunks(), rows
