"""Types of arrays and cells that flow between operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from lockgate.contract.prediction import Columns

__all__ = ["Array", "Cells", "Namespace", "RowFunction", "RowSource"]

Array: TypeAlias = Any
"""An array of the backend in use; the standard has no type for it yet."""

Namespace: TypeAlias = ModuleType
"""Functions on arrays: ``numpy``, or the array namespace of another library."""

RowFunction: TypeAlias = Callable[..., Any]
"""Computes one row: takes a list of numbers, a code, a text or terms for each operand."""

Cells: TypeAlias = np.ndarray | list[str]
"""The cells of one column, as `read_columns` returns them: numbers, codes, dates, or texts."""


class ArrowTable(Protocol):
    """A table of PyArrow, which is an optional library."""

    column_names: list[str]

    def column(self, name: str) -> object: ...


RowSource: TypeAlias = "Columns | ArrowTable | Sequence[Mapping[str, object]] | np.ndarray"
"""Whatever rows can be read from."""
