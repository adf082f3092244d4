"""Parses the cells of columns as numbers, codes, dates and texts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, SupportsFloat, cast

import numpy as np

from lockgate.data.columns.categories import category_text, read_codes
from lockgate.data.columns.dates import MISSING_DATE, as_micros, is_missing
from lockgate.data.columns.inputs import CellColumn, ColumnInput, ColumnValues
from lockgate.data.columns.plain_cells import has_only_texts, read_plain_numbers
from lockgate.data.columns.rejections import (
    RejectedRows,
    describe_infinite,
    describe_unknown_category,
    expected_date,
    format_value,
    reject_missing,
)
from lockgate.data.columns.sources import (
    EXACT_INTEGER_LIMIT,
    convert_to_array,
    select_columns,
)
from lockgate.errors import SchemaViolation

__all__ = ["READERS", "read_columns"]


def read_columns(
    inputs: Sequence[ColumnInput], source: object, rejected: RejectedRows | None = None
) -> tuple[list[Any], int]:
    """Read the columns that a model takes.

    Parameters
    ----------
    inputs : sequence of ColumnInput
        Columns of the model.
    source : DataFrame, Arrow table, mapping of columns, sequence of mappings, or 2-D array
        The rows. Columns that the model does not take are ignored.
    rejected : RejectedRows, optional
        Collects rows with invalid cells; without it they raise an error.

    Returns
    -------
    list
        For each input doubles (NaN: missing), codes, microseconds, or texts, shape (n,).
    int
        Number of rows.

    Raises
    ------
    SchemaViolation
        With the column, row and value of each invalid cell.

    """
    rejections = RejectedRows() if rejected is None else rejected
    columns = select_columns(inputs, source, rejections)
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        rejections.fatal.append(f"columns have different lengths: {sorted(lengths)}")
    if rejections.fatal:
        raise SchemaViolation(rejections.fatal)
    cells = [
        READERS[column.kind](column, values, rejections)
        for column, values in zip(inputs, columns, strict=True)
    ]
    if rejected is None:
        rejections.raise_first()
    return cells, lengths.pop() if lengths else 0


def _read_numbers(column: CellColumn, values: ColumnValues, rejected: RejectedRows) -> np.ndarray:
    numbers = _read_doubles(column, values, rejected)
    if column.categories:
        allowed = [float(text) for text in column.categories]
        unknown_rows = np.flatnonzero(~np.isin(numbers, allowed) & np.isfinite(numbers))
        rejected.add(
            unknown_rows, lambda row: describe_unknown_category(column, float(numbers[row]), row)
        )
    return numbers


def _read_truths(column: CellColumn, values: ColumnValues, rejected: RejectedRows) -> np.ndarray:
    numbers = _read_numbers(column, values, rejected)
    invalid_rows = np.flatnonzero(np.isfinite(numbers) & (numbers != 0) & (numbers != 1))
    rejected.add(
        invalid_rows,
        lambda row: (
            f"column {column.name} holds {numbers[row]:g} in row {row}, expected true or false"
        ),
    )
    return numbers


def _read_doubles(column: CellColumn, values: ColumnValues, rejected: RejectedRows) -> np.ndarray:
    plain = read_plain_numbers(values)
    if plain is not None and column.bits == 64 and column.missing == "allow":
        return plain
    array = convert_to_array(values) if plain is None else plain
    invalid_rows: list[int] = []
    if array.dtype.kind in "fiub":
        doubles = array.astype(np.float64, copy=plain is None)
        if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
            invalid_rows = _find_inexact_rows(array, doubles)
    else:
        doubles = np.empty(len(array))
        for row, value in enumerate(array if array.dtype.kind in "mM" else array.tolist()):
            number = _parse_number(value)
            if number is None:
                invalid_rows.append(row)
            doubles[row] = math.nan if number is None else number
    rejected.add(
        invalid_rows,
        lambda row: (
            f"column {column.name} holds {format_value(array[row])} in row {row}, "
            f"{_expected_number(column, array[row])}"
        ),
    )
    if column.bits < 64:
        doubles = _round_to(column.bits, doubles)
    missing = np.isnan(doubles)
    missing[invalid_rows] = False
    reject_missing(column, missing, rejected)
    rejected.add(np.flatnonzero(np.isinf(doubles)), lambda row: describe_infinite(column, row))
    return doubles


def _round_to(bits: int, doubles: np.ndarray) -> np.ndarray:
    """Round to floats of so many bits; those beyond their range become infinite."""
    with np.errstate(over="ignore"):
        return doubles.astype(f"f{bits // 8}").astype(np.float64)


def _expected_number(column: CellColumn, value: object) -> str:
    if column.kind == "boolean":
        return "expected true or false"
    # NumPy's durations count as its integers
    is_integer = isinstance(value, (int, np.integer)) and not isinstance(value, np.timedelta64)
    if is_integer and abs(int(cast(Any, value))) > EXACT_INTEGER_LIMIT:
        return (
            "a whole number beyond 2**53, which no number of 64 bits holds exactly; "
            "a column of such numbers can be a category"
        )
    return "expected a number"


def _find_inexact_rows(integers: np.ndarray, doubles: np.ndarray) -> list[int]:
    """Return rows of integers that no double represents; they are 2**53 or larger."""
    large = np.flatnonzero(np.abs(doubles) >= EXACT_INTEGER_LIMIT)
    return [row for row in large.tolist() if int(doubles[row]) != int(integers[row])]


def _parse_number(value: object) -> float | None:
    """Parse a cell as a double: NaN for a missing value, None if no double represents it."""
    if is_missing(value):
        return math.nan
    if isinstance(value, (complex, np.complexfloating, np.timedelta64)):
        return None
    known = isinstance(value, (bool, int, float, np.number, np.bool_))
    if not known and type(value).__name__ != "Decimal":
        return None
    try:
        number = float(cast(SupportsFloat, value))
    except OverflowError:
        return math.inf
    except ValueError:
        return None
    if math.isnan(number):  # also of a decimal
        return math.nan
    if isinstance(value, int) or (known is False and value == int(cast(Any, value))):
        return number if int(number) == value else None
    return number


def _read_dates(column: CellColumn, values: ColumnValues, rejected: RejectedRows) -> np.ndarray:
    cells: Sequence[Any]
    if has_only_texts(values):
        cells = cast(Sequence[Any], values)
    else:
        array = convert_to_array(values)
        if array.dtype.kind == "M":
            micros = array.astype("datetime64[us]").astype(np.int64)
            reject_missing(column, micros == MISSING_DATE, rejected)
            return micros
        cells = array.tolist()
    micros = np.full(len(cells), MISSING_DATE)
    invalid_rows = []
    micros_by_text: dict[object, int | None] = {}
    for row, value in enumerate(cells):
        if value.__class__ is not str:
            parsed = as_micros(value, column.dates)
        elif value in micros_by_text:
            parsed = micros_by_text[value]
        else:
            parsed = micros_by_text[value] = as_micros(value, column.dates)
        if parsed is None:
            invalid_rows.append(row)
        else:
            micros[row] = parsed
    rejected.add(
        invalid_rows,
        lambda row: (
            f"column {column.name} holds {format_value(cells[row])} in row {row}, "
            f"{expected_date(column, cells[row])}"
        ),
    )
    missing = micros == MISSING_DATE
    missing[invalid_rows] = False
    reject_missing(column, missing, rejected)
    return micros


def _read_texts(column: CellColumn, values: ColumnValues, rejected: RejectedRows) -> list[str]:
    cells = values.to_pylist() if hasattr(values, "to_pylist") else list(values)
    missing = np.array([is_missing(value) for value in cells], bool)
    texts = [
        cell if isinstance(cell, str) else category_text(cell) if isinstance(cell, PLAIN) else ""
        for cell in cells
    ]
    invalid_rows = [
        k for k, v in enumerate(cells) if not isinstance(v, (str, *PLAIN)) and not missing[k]
    ]
    rejected.add(
        invalid_rows,
        lambda row: (
            f"column {column.name} holds {format_value(cells[row])} in row {row}, expected text"
        ),
    )
    reject_missing(column, missing, rejected)
    return ["" if gap else text for text, gap in zip(texts, missing.tolist(), strict=True)]


PLAIN = (bool, int, float, np.number, np.bool_)
"""Cells that a column of texts takes by their text."""

READERS: dict[str, Callable[[CellColumn, ColumnValues, RejectedRows], Any]] = {
    "number": _read_numbers,
    "integer": _read_numbers,
    "boolean": _read_truths,
    "category": read_codes,
    "date": _read_dates,
    "text": _read_texts,
}
