"""What a column of a traced pipeline can be."""

from __future__ import annotations

import dataclasses
from typing import Any

__all__ = ["MISSING", "UNKNOWN", "CodedColumn", "Column", "Marker", "Number", "RawColumn", "Sparse"]


class Marker:
    """A value that stands for no value."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        """Return its name."""
        return self.name


MISSING, UNKNOWN = Marker("GAP"), Marker("UNKNOWN")
"""An empty cell, and a category that training never saw."""


@dataclasses.dataclass(frozen=True)
class RawColumn:
    """A column as it was given; what it is used for decides what its cells are.

    Attributes
    ----------
    source : int
        Which input.

    """

    source: int


@dataclasses.dataclass(frozen=True)
class Number:
    """A column of an operation's numbers.

    Attributes
    ----------
    op, index : int
        Which operation, and which of its columns.
    gaps : frozenset of int
        Inputs whose gaps reach it as NaN.

    """

    op: int
    index: int
    gaps: frozenset[int] = frozenset()


@dataclasses.dataclass(frozen=True)
class CodedColumn:
    """A column of codes, with what each code stands for by now.

    Attributes
    ----------
    op : int
        Operation that gives the codes.
    values : tuple
        What the codes stand for; the last two for a gap and for unknown.
    source : int
        Which input it comes from.

    """

    op: int
    values: tuple[Any, ...]
    source: int


@dataclasses.dataclass(frozen=True)
class Sparse:
    """All columns of an operation that gives counts of terms."""

    op: int


Column = RawColumn | Number | CodedColumn | Sparse
