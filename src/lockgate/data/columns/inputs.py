"""Columns that a model takes, as its file declares them, and their values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import msgspec

__all__ = ["CellColumn", "ColumnInput", "ColumnValues"]


class ColumnValues(Protocol):
    """The cells of a column: a list, an array, an Arrow array, or a pandas Series."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the cells."""

    def __getitem__(self, row: Any, /) -> Any:
        """Return the cell of a row."""


class CellColumn(Protocol):
    """How a column's cells are read; a column of a schema says it, and an input of a model."""

    @property
    def name(self) -> str:
        """Name of the column."""

    @property
    def kind(self) -> str:
        """Kind of its cells."""

    @property
    def missing(self) -> str:
        """Whether cells may be missing: allow or refuse."""

    @property
    def unknown(self) -> str:
        """Whether categories may be other than the known ones: ignore or refuse."""

    @property
    def categories(self) -> Sequence[str]:
        """Known categories."""

    @property
    def dates(self) -> str:
        """Order of numeric dates."""

    @property
    def bits(self) -> int:
        """Size of the floats that numbers are rounded to."""


class ColumnInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column that a model takes.

    Attributes
    ----------
    name : str
        Name of the column.
    kind : {"number", "integer", "boolean", "category", "date", "text"}
        Kind of its cells.
    missing : {"allow", "refuse"}
        Whether cells may be missing.
    unknown : {"ignore", "refuse"}
        Whether categories may be other than the known ones.
    categories : tuple of str
        Known categories, by code. Of a column of numbers: the allowed ones, where unknown is
        "refuse".
    dates : {"iso", "day-first", "month-first"}
        Of a column of dates: how texts like 02/07/2024 are read; "iso" refuses them.
    bits : {64, 32, 16}
        Size of the floats that numbers are rounded to.

    """

    name: str
    kind: str
    missing: str = "allow"
    unknown: str = "ignore"
    categories: tuple[str, ...] = ()
    dates: str = "iso"
    bits: int = 64
