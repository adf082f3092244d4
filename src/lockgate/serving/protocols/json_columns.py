"""Columns in JSON, decoded into lists of cells."""

from __future__ import annotations

from typing import Any

import msgspec

from lockgate.serving.http.messages import HTTPError
from lockgate.serving.protocols.json_rows import (
    MAX_COLUMNS,
    RowDecoder,
    check_too_many,
    check_width,
)
from lockgate.serving.protocols.json_slices import decode_object, decode_slices

__all__ = ["decode_columns"]


def decode_columns(
    columns: msgspec.Raw,
    max_rows: int,
    decoder: RowDecoder,
    *,
    scalars: bool = False,
) -> tuple[dict[str, list[Any]], int]:
    """Return columns by name, each a list of cells, and the number of rows.

    Columns that the model does not take are empty: their names may help in a message. With
    `scalars`, a value that is not a list is a column of a single cell.

    Raises
    ------
    HTTPError
        If there are too many columns or rows, or another number of keys.
    msgspec.ValidationError
        If it is not an object of arrays.

    """
    fields = decode_object(columns, MAX_COLUMNS)
    check_width(len(fields))
    decoded, wanted = {}, set(decoder.fields)
    for name, raw in fields.items():
        try:
            cells = _decode_cells(raw, max_rows, scalars=scalars) if name in wanted else []
            decoded[name] = cells
        except msgspec.ValidationError as error:
            raise msgspec.ValidationError(f"{error}, in column {name[:80]!r}") from None
    lengths = [len(decoded[name]) for name in decoder.names if name in decoded]
    rows = max(lengths, default=1)  # without any, a message says which columns are missing
    for name in wanted.difference(decoder.names):
        if lengths and name in decoded and len(decoded[name]) != rows:
            raise HTTPError(
                422, f"column {name[:80]} has {len(decoded[name])} keys, expected {rows}"
            )
    return decoded, rows


def _decode_cells(raw: msgspec.Raw, max_rows: int, *, scalars: bool) -> list[Any]:
    if scalars and bytes(memoryview(raw)[:1]) != b"[":
        raw = msgspec.Raw(b"[%b]" % bytes(raw))
    cells: list[Any] = []
    part: list[Any]
    for part in decode_slices(raw):
        cells += part
        check_too_many(len(cells), max_rows)
    return cells
