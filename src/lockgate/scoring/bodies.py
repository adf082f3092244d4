"""Tables that came in a request instead of a file, read by the same rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lockgate.errors import DataError
from lockgate.scoring.chunks import check_names
from lockgate.scoring.csv_rows import csv_chunks, csv_header

__all__ = ["arrow_body", "csv_body"]


def csv_body(raw: bytes, inputs: Sequence[Any], keep: Sequence[str], most: int) -> tuple[Any, int]:
    """Read a CSV table that came in a request.

    Returns
    -------
    mapping of str to column
        What the model asks for, and what is to be kept of the rest.
    int
        How many rows.

    Raises
    ------
    DataError
        If it cannot be read, lacks a column, or a line has other cells than the header.

    """
    import pyarrow as pa

    if raw.count(b"\n") > 2 * most:
        raise DataError(f"the body has more than {most} rows")
    try:
        str(raw, "utf-8")  # pyarrow looks at cells one by one, and not at those of broken lines
        names = csv_header(raw)
        chunks = list(csv_chunks(raw, inputs, [k for k in keep if k in names], most))
    except (pa.ArrowException, ValueError, OSError, KeyError) as error:
        raise DataError(f"the body is no CSV: {' '.join(str(error).split())[:300]}") from None
    broken = {row: words for one in chunks for row, words in one.broken.items()}
    if broken:
        raise DataError("; ".join(broken[row] for row in sorted(broken)[:20]))
    if len(chunks) > 1:
        raise DataError(f"the body has more than {most} rows")
    return (chunks[0].columns, len(chunks[0].numbers)) if chunks else ({}, 0)


def arrow_body(
    raw: bytes, inputs: Sequence[Any], keep: Sequence[str], most: int
) -> tuple[Any, int]:
    """Read an Arrow stream that came in a request, checked whole before it is used.

    Raises
    ------
    DataError
        If it cannot be read, lacks a column, or makes no sense.

    """
    import pyarrow as pa

    try:
        with pa.ipc.open_stream(raw) as stream:
            names = stream.schema.names
            check_names("the body", names, inputs, [])
            wanted = [one.name for one in inputs]
            wanted += [name for name in keep if name in names and name not in wanted]
            batches, rows = [], 0
            for batch in stream:
                rows += batch.num_rows
                if rows > most:
                    raise DataError(f"the body has more than {most} rows")
                batches.append(batch)
            table = pa.Table.from_batches(batches, stream.schema).select(wanted)
            table.validate(full=True)
    except (pa.ArrowException, ValueError, OSError, KeyError, NotImplementedError) as error:
        words = " ".join(str(error).split())[:300]
        raise DataError(f"the body is no Arrow stream: {words}") from None
    return table.combine_chunks(), rows
