"""Symbolic columns: what a column of a traced pipeline can be."""

from __future__ import annotations

import dataclasses
from typing import Any

__all__ = [
    "MISSING",
    "UNKNOWN",
    "CodedColumn",
    "Column",
    "Marker",
    "Number",
    "RawColumn",
    "Sparse",
    "Term",
]


class Marker:
    """A constant in place of a value."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        """Return its name."""
        return self.name


MISSING, UNKNOWN = Marker("MISSING"), Marker("UNKNOWN")
"""A missing value, and a category that was not in training."""


@dataclasses.dataclass(frozen=True)
class RawColumn:
    """A column of the table; the step that uses it decides how its cells are read.

    Attributes
    ----------
    source : int
        Index of the input.

    """

    source: int


@dataclasses.dataclass(frozen=True)
class Number:
    """A column of an operation's numbers.

    Attributes
    ----------
    op, index : int
        Index of the operation, and of its column.
    missing_sources : frozenset of int
        Inputs whose missing values reach it as NaN.

    """

    op: int
    index: int
    missing_sources: frozenset[int] = frozenset()


@dataclasses.dataclass(frozen=True)
class CodedColumn:
    """A column of codes, with the current value of each code.

    Attributes
    ----------
    op : int
        Operation that gives the codes.
    values : tuple
        Value of each code; the last two are for missing values and unknown categories.
    source : int
        Index of the input that it comes from; -1 for a computed column.

    """

    op: int
    values: tuple[Any, ...]
    source: int


@dataclasses.dataclass(frozen=True)
class Sparse:
    """All columns of an operation that gives counts of terms."""

    op: int


@dataclasses.dataclass(frozen=True)
class Term:
    """One column of an operation that gives counts of terms.

    Attributes
    ----------
    op, index : int
        Index of the operation, and of its column.

    """

    op: int
    index: int


Column = RawColumn | Number | CodedColumn | Sparse | Term
