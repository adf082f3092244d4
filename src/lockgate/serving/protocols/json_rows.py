"""Rows and columns in JSON, decoded into columns of plain cells."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, TypeAlias, cast

import msgspec

from lockgate.serving.http.messages import HTTPError
from lockgate.serving.protocols.json_slices import (
    SLICE,
    decode_any,
    decode_object,
    decode_slices,
)

__all__ = [
    "ABSENT",
    "MAX_COLUMNS",
    "RowDecoder",
    "check_metadata",
    "check_too_many",
    "check_width",
    "is_present",
    "read_row",
    "read_rows",
    "row_decoder",
    "to_row",
]

ABSENT = msgspec.Raw()
"""A field of a body that does not stand there."""

MAX_COLUMNS = 10_000
"""Columns that a request may hold."""

MAX_FIELDS = 2000
"""Columns up to which a type is made for the rows of a model; it takes some 20 ms to make."""

Cell: TypeAlias = str | int | float | bool | None
"""A cell that a column may hold; what it means is decided where columns are read."""

Columns: TypeAlias = dict[str, list[Cell]]

decode_lists = msgspec.json.Decoder(list[tuple[Cell, ...]]).decode
decode_undecoded = msgspec.json.Decoder(list[msgspec.Raw]).decode


def is_present(field: msgspec.Raw) -> bool:
    """Return whether a field stands in a body, and is not null."""
    return field is not ABSENT and bytes(memoryview(field)[:5]) not in (b"", b"null")


def check_metadata(raw: bytes | memoryview, where: str, data: Collection[str]) -> dict[str, Any]:
    """Refuse fields of an object that are not data, and yet so long that decoding takes long.

    Parameters
    ----------
    raw : bytes
        The object, in JSON.
    where : str
        Name of the object in messages, ending in a dot; empty for the body itself.
    data : collection of str
        Fields that hold data, of any length.

    Returns
    -------
    dict
        The fields with data, as they stand there.

    """
    fields = decode_object(msgspec.Raw(raw), MAX_COLUMNS)
    for name, field in fields.items():
        size = len(memoryview(field))
        if name not in data and size > SLICE:
            raise HTTPError(
                400, f"expected at most {SLICE} bytes in {where}{name[:80]}, got {size}"
            )
    return {name: field for name, field in fields.items() if name in data}


class RowDecoder:
    """Decodes rows into the columns of a model.

    Parameters
    ----------
    names : sequence of str
        Columns that each row must have, in the order of rows that are lists.
    key_column : str
        Column with the client's key, which rows that are objects may have; empty for none.

    Attributes
    ----------
    fields : tuple of str
        Names, and the column with the key.

    """

    def __init__(self, names: Sequence[str], key_column: str = "") -> None:
        self.names = tuple(names)
        self.fields = self.names
        if key_column and key_column not in self.names:
            self.fields += (key_column,)
        self._decode_objects = None
        with contextlib.suppress(ValueError):  # of names with quotes, which msgspec does not take
            self._decode_objects = _object_decoder(self.fields, len(self.names))

    def decode_objects(self, rows: msgspec.Raw, max_rows: int) -> Columns | None:
        """Return the columns of rows that are objects.

        Returns
        -------
        dict or None
            None if a row lacks a column, or holds other than plain cells; columns that the
            model does not take are left out.

        Raises
        ------
        HTTPError
            If there are too many rows.

        """
        if self._decode_objects is None:
            return None
        columns: Columns = {name: [] for name in self.fields}
        try:
            for part in decode_slices(rows, self._decode_objects):
                _append(columns, [msgspec.structs.astuple(row) for row in part], max_rows)
        except msgspec.ValidationError:
            return None
        return columns

    def decode_lists(
        self, rows: msgspec.Raw, max_rows: int, names: Sequence[str] | None = None
    ) -> Columns | None:
        """Return the columns of rows that are lists of plain cells, one for each name; else None.

        Raises
        ------
        HTTPError
            If there are too many rows.

        """
        columns: Columns = {name: [] for name in (self.names if names is None else names)}
        if not columns:
            return None
        try:
            for part in decode_slices(rows, decode_lists):
                if set(map(len, part)) != {len(columns)}:
                    return None
                _append(columns, part, max_rows)
        except (msgspec.ValidationError, UnicodeError):
            return None
        return columns


@lru_cache(maxsize=64)
def row_decoder(names: tuple[str, ...], key_column: str) -> RowDecoder:
    """Return the decoder of rows with these columns, made once."""
    return RowDecoder(names, key_column)


def _object_decoder(fields: Sequence[str], required: int) -> Callable[[bytes], list[Any]] | None:
    """Return a decoder of rows with these fields, of which the first ones are required."""
    if not 0 < len(fields) <= MAX_FIELDS:
        return None
    row_type: Any = msgspec.defstruct(
        "Row",
        [
            (f"column_{k}", Cell) if k < required else (f"column_{k}", Cell, None)
            for k in range(len(fields))
        ],
        rename={f"column_{k}": name for k, name in enumerate(fields)},
        gc=False,  # rows of plain cells are in no circle
    )
    return msgspec.json.Decoder(list[row_type]).decode


def _append(columns: Columns, rows: Sequence[tuple[Cell, ...]], max_rows: int) -> None:
    # without any row there are no cells of columns either
    for column, cells in zip(columns.values(), zip(*rows, strict=True), strict=bool(rows)):
        column += cells
    check_too_many(len(next(iter(columns.values()))), max_rows)


def check_too_many(rows: int, max_rows: int) -> None:
    """Refuse more rows than allowed, before all of them are decoded."""
    if rows > max_rows:
        raise HTTPError(422, f"expected 1 to {max_rows} rows, got more")


def read_rows(
    decoder: RowDecoder, rows: msgspec.Raw, max_rows: int
) -> tuple[Columns | list[Any], int]:
    """Return rows as columns, or as a list of rows where they are not plain; and their number.

    Rows are objects, or lists in the order of the columns.

    Raises
    ------
    HTTPError
        If there are too many rows, or one of another length.
    msgspec.ValidationError
        If it is not an array.

    """
    start = bytes(memoryview(rows)[:64]).lstrip(b"[ \n\r\t")[:1]
    decode = decoder.decode_objects if start == b"{" else decoder.decode_lists
    columns = decode(rows, max_rows)
    if columns is not None:
        return columns, len(next(iter(columns.values())))
    source: list[Any] = []
    for part in decode_slices(rows, partial(_decode_any_rows, decoder)):
        source += part
        check_too_many(len(source), max_rows)
    for k, row in enumerate(source):
        if row.__class__ is list:
            source[k] = to_row(decoder.names, row, f"row {k}")
    return source, len(source)


def _decode_any_rows(decoder: RowDecoder, rows: bytes) -> list[Any]:
    """Decode rows of any form, without the columns that are ignored if one is not valid there."""
    try:
        return decode_any(rows)
    except (msgspec.ValidationError, UnicodeError):
        return [
            read_row(decoder.fields, row)
            if bytes(memoryview(row)[:1]) == b"{"
            else msgspec.json.decode(row)
            for row in decode_undecoded(rows)
        ]


def read_row(
    names: Sequence[str], row: msgspec.Raw, key_column: str = ""
) -> dict[str, Any] | list[Any]:
    """Decode a long row: of an object the columns of the model, of a list not many more cells.

    Raises
    ------
    HTTPError
        If there are too many columns.
    msgspec.ValidationError
        If it is neither.

    """
    if bytes(memoryview(row)[:1]) != b"{":
        return list(itertools.islice(_elements(row), len(names) + 1))
    fields = decode_object(row, MAX_COLUMNS)
    check_width(len(fields))
    wanted = {*names, key_column}
    return {name: msgspec.json.decode(cell) for name, cell in fields.items() if name in wanted}


def _elements(array: msgspec.Raw) -> Iterator[Any]:
    return itertools.chain.from_iterable(decode_slices(array))


def to_row(names: Sequence[str], values: Any, subject: str = "the row") -> dict[str, Any]:
    """Return a row as a mapping, from a mapping or from values in the order of the inputs."""
    if values.__class__ is dict:
        return cast(dict[str, Any], values)
    if len(values) != len(names):
        raise HTTPError(
            422,
            f"{subject} has {len(values)} values, expected {len(names)}: {', '.join(names)}"[:2000],
        )
    return dict(zip(names, values, strict=True))


def check_width(columns: int) -> None:
    """Refuse requests of too many columns."""
    if columns > MAX_COLUMNS:
        raise HTTPError(422, f"expected at most {MAX_COLUMNS} columns, got {columns}")
