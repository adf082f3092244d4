"""Parses the cells of a single row as columns parse theirs, the common types without arrays."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from lockgate.data.columns.categories import KnownCategories
from lockgate.data.columns.inputs import ColumnInput
from lockgate.data.columns.parsing import READERS
from lockgate.data.columns.rejections import RejectedRows
from lockgate.data.columns.sources import EXACT_INTEGER_LIMIT
from lockgate.errors import SchemaViolation

__all__ = ["build_cell_readers"]

Cell: TypeAlias = Any
"""A number, code, date or text as the model computes with it."""

CellReader: TypeAlias = Callable[[Any], Cell]
"""From a cell of a row, of whatever type, to the value of the model."""


def build_cell_readers(inputs: Sequence[ColumnInput]) -> list[tuple[str, CellReader, bool]]:
    """Return a function for each input that reads a cell of a single row.

    The functions raise SchemaViolation for an invalid cell. The third value says whether a
    finite float needs no reading at all.
    """
    return [
        (column.name, _build_cell_reader(column), _is_number(column) and column.bits == 64)
        for column in inputs
    ]


def _is_number(column: ColumnInput) -> bool:
    return column.kind in ("number", "integer") and not column.categories


def _build_cell_reader(column: ColumnInput) -> CellReader:
    def read_cell(value: Any) -> Cell:
        rejected = RejectedRows()
        cells = np.empty(1, dtype=object)
        cells[0] = value
        values = READERS[column.kind](column, cells, rejected)
        if rejected.reasons:
            raise SchemaViolation(rejected.reasons[0])
        cell = values[0]
        return cell.item() if isinstance(cell, np.generic) else cell

    allow_missing = column.missing == "allow"
    if _is_number(column):
        if column.bits < 64:
            return _fast_short_number(read_cell, allow_missing, column.bits)
        return _fast_number(read_cell, allow_missing)
    if column.kind == "boolean" and not column.categories:
        return _fast_truth(read_cell, allow_missing)
    if column.kind == "category":
        return _fast_category(read_cell, column)
    return read_cell


def _fast_number(read_cell: CellReader, allow_missing: bool) -> CellReader:
    """Read the common types quickly, and leave all others to `read_cell`."""

    def read_number(value: Any) -> Cell:
        if value.__class__ in (float, int, bool):
            if -EXACT_INTEGER_LIMIT <= value <= EXACT_INTEGER_LIMIT:
                return float(value)
            if value != value and allow_missing:
                return value
        elif value is None and allow_missing:
            return math.nan
        return read_cell(value)

    return read_number


def _fast_short_number(read_cell: CellReader, allow_missing: bool, bits: int) -> CellReader:
    """Read numbers to be rounded quickly, and leave all other cells to `read_cell`."""
    rounding = struct.Struct("f" if bits == 32 else "e")
    pack, unpack = rounding.pack, rounding.unpack
    # whole numbers beyond that may not be exact even as doubles: columns refuse them
    largest = min(float(np.finfo(f"f{bits // 8}").max), float(EXACT_INTEGER_LIMIT))

    def read_number(value: Any) -> Cell:
        if value.__class__ in (float, int, bool) and -largest <= value <= largest:
            return unpack(pack(value))[0]
        return math.nan if value is None and allow_missing else read_cell(value)

    return read_number


def _fast_truth(read_cell: CellReader, allow_missing: bool) -> CellReader:
    """Read truth values quickly, and leave all other cells to `read_cell`."""

    def read_truth(value: Any) -> Cell:
        if value.__class__ in (bool, int, float) and value in (0, 1):
            return float(value)
        return math.nan if value is None and allow_missing else read_cell(value)

    return read_truth


def _fast_category(read_cell: CellReader, column: ColumnInput) -> CellReader:
    """Read texts and numbers quickly, and leave all other cells to `read_cell`."""
    known = KnownCategories(column.categories)
    codes, find = known.codes, known.find
    missing_code = len(column.categories)
    unknown_code = missing_code + 1
    allow_missing, allow_unknown = column.missing == "allow", column.unknown == "ignore"

    def read_category(value: Any) -> Cell:
        if value.__class__ is str:
            code = codes.get(value)
            if code is None:
                code = find(value)
        elif value is None and allow_missing:
            return missing_code
        elif value.__class__ in (int, bool) and -EXACT_INTEGER_LIMIT < value < EXACT_INTEGER_LIMIT:
            code = find(str(value))
        else:
            return read_cell(value)
        if code is None:
            return unknown_code if allow_unknown else read_cell(value)
        return code

    return read_category
