"""Reads cells: from whatever holds the rows to numbers, codes, dates and texts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lockgate.data.columns.categories import code_by_text, read_codes
from lockgate.data.columns.dates import MISSING_DATE, as_micros, is_missing
from lockgate.data.columns.inputs import ColumnInput
from lockgate.data.columns.rejections import (
    RejectedRows,
    describe_infinite,
    describe_unknown_category,
    format_value,
    reject_missing,
)
from lockgate.errors import SchemaViolation, nearest

__all__ = ["build_cell_readers", "read_columns"]

EXACT_INTEGER_LIMIT = 2**53
"""From here on not every whole number is a double."""


def read_columns(
    inputs: Sequence[ColumnInput], source: Any, rejected: RejectedRows | None = None
) -> tuple[list[Any], int]:
    """Read the inputs' columns.

    Parameters
    ----------
    inputs : sequence of Input
        What is asked for.
    source : DataFrame, Arrow table, mapping of columns, sequence of mappings, or 2-D array
        The rows. Columns that are not asked for are not looked at.
    rejected : Rejected, optional
        Notes rows that cannot be read, instead of raising.

    Returns
    -------
    list
        For each input doubles with NaN for gaps, codes, microseconds, or texts, shape (n,).
    int
        How many rows there are.

    Raises
    ------
    SchemaViolation
        With column, row and value of what is refused.

    """
    rejections = RejectedRows() if rejected is None else rejected
    columns = _select_columns(inputs, source, rejections)
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


def _select_columns(
    inputs: Sequence[ColumnInput], source: Any, rejected: RejectedRows
) -> list[Any]:
    if isinstance(source, np.ndarray):
        if source.ndim != 2 or source.shape[1] != len(inputs):
            rejected.fatal.append(
                f"an array of shape {source.shape} came, expected (rows, {len(inputs)})"
            )
            return []
        return [source[:, k] for k in range(len(inputs))]
    if isinstance(source, Sequence) and not isinstance(source, (str, bytes)):
        return _read_records(inputs, source, rejected)
    if not (hasattr(source, "column_names") or hasattr(source, "keys")):
        rejected.fatal.append(
            f"{type(source).__name__} came, expected a DataFrame, an Arrow table, columns by name, "
            "or a list of mappings"
        )
        return []
    names = source.column_names if hasattr(source, "column_names") else list(source.keys())
    columns = []
    for column in inputs:
        if column.name not in names:
            hint = nearest(column.name, [str(name) for name in names])
            rejected.fatal.append(f"column {column.name} is missing{hint}")
        elif list(names).count(column.name) > 1:
            rejected.fatal.append(f"column {column.name} stands twice")
        else:
            columns.append(_check_column(column, source[column.name], rejected))
    return columns


def _check_column(column: ColumnInput, values: Any, rejected: RejectedRows) -> Any:
    """Return a column, or note that it is none."""
    if isinstance(values, (str, bytes, set, frozenset, Mapping)) or not hasattr(values, "__len__"):
        rejected.fatal.append(
            f"column {column.name} is {type(values).__name__}, expected a sequence of values; "
            "for a single row use predict_one"
        )
        return []
    if isinstance(values, np.ma.MaskedArray):
        plain = np.array(values.data, dtype=object)
        plain[np.ma.getmaskarray(values)] = None
        return plain
    return values


def _read_records(
    inputs: Sequence[ColumnInput], records: Sequence[Any], rejected: RejectedRows
) -> list[Any]:
    columns: list[list[Any]] = [[] for _ in inputs]
    for row, record in enumerate(records):
        if not isinstance(record, Mapping):
            type_name = type(record).__name__
            rejected.fatal.append(
                f"row {row} is {type_name}, expected a mapping of column to value"
            )
            return [[] for _ in inputs]
        for column, values in zip(inputs, columns, strict=True):
            if column.name not in record:
                hint = nearest(column.name, map(str, record)) if len(rejected.reasons) < 20 else ""
                rejected.note(row, f"row {row} has no {column.name}{hint}")
                values.append(None)
            else:
                values.append(record[column.name])
    return columns


def _read_numbers(column: ColumnInput, values: Any, rejected: RejectedRows) -> Any:
    numbers = _read_doubles(column, values, rejected)
    if column.categories:
        allowed = [float(text) for text in column.categories]
        unknown_rows = np.flatnonzero(~np.isin(numbers, allowed) & np.isfinite(numbers))
        rejected.add(
            unknown_rows, lambda row: describe_unknown_category(column, float(numbers[row]), row)
        )
    return numbers


def _read_doubles(column: ColumnInput, values: Any, rejected: RejectedRows) -> Any:
    array = _convert_to_array(values)
    invalid_rows: list[int] = []
    if array.dtype.kind in "fiub":
        doubles = array.astype(np.float64)
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
            f"column {column.name} holds {format_value(array[row])} in row {row}, expected a number"
        ),
    )
    missing = np.isnan(doubles)
    missing[invalid_rows] = False
    reject_missing(column, missing, rejected)
    rejected.add(np.flatnonzero(np.isinf(doubles)), lambda row: describe_infinite(column, row))
    return doubles


def _find_inexact_rows(integers: np.ndarray, doubles: np.ndarray) -> list[int]:
    """Return rows of whole numbers that no double holds, from 2**53 on."""
    large = np.flatnonzero(np.abs(doubles) >= EXACT_INTEGER_LIMIT)
    return [row for row in large.tolist() if int(doubles[row]) != int(integers[row])]


def _parse_number(value: Any) -> float | None:
    """Return a cell as a double, NaN for a gap, None for what is none or what no double holds."""
    if is_missing(value):
        return math.nan
    if isinstance(value, (complex, np.complexfloating, np.timedelta64)):
        return None
    known = isinstance(value, (bool, int, float, np.number, np.bool_))
    if not known and type(value).__name__ != "Decimal":
        return None
    try:
        number = float(value)
    except OverflowError:
        return math.inf
    except ValueError:
        return None
    return None if isinstance(value, int) and int(number) != value else number


def _read_dates(column: ColumnInput, values: Any, rejected: RejectedRows) -> Any:
    array = _convert_to_array(values)
    if array.dtype.kind == "M":
        micros = array.astype("datetime64[us]").astype(np.int64)
    else:
        micros = np.full(len(array), MISSING_DATE)
        invalid_rows = []
        for row, value in enumerate(array.tolist()):
            parsed = as_micros(value)
            micros[row] = MISSING_DATE if parsed is None else parsed
            if parsed is None:
                invalid_rows.append(row)
        rejected.add(
            invalid_rows,
            lambda row: (
                f"column {column.name} holds {format_value(array[row])} in row {row}, expected a date"
            ),
        )
        missing = (micros == MISSING_DATE) & ~np.isin(np.arange(len(micros)), invalid_rows)
        reject_missing(column, missing, rejected)
        return micros
    reject_missing(column, micros == MISSING_DATE, rejected)
    return micros


def _read_texts(column: ColumnInput, values: Any, rejected: RejectedRows) -> Any:
    cells = values.to_pylist() if hasattr(values, "to_pylist") else list(values)
    texts = [value if isinstance(value, str) else "" for value in cells]
    missing = np.array([is_missing(value) for value in cells], bool)
    invalid_rows = [k for k, v in enumerate(cells) if not isinstance(v, str) and not missing[k]]
    rejected.add(
        invalid_rows,
        lambda row: (
            f"column {column.name} holds {format_value(cells[row])} in row {row}, expected text"
        ),
    )
    reject_missing(column, missing, rejected)
    return texts


READERS: dict[str, Callable[[ColumnInput, Any, RejectedRows], Any]] = {
    "number": _read_numbers,
    "integer": _read_numbers,
    "boolean": _read_numbers,
    "category": read_codes,
    "date": _read_dates,
    "text": _read_texts,
}


def _convert_to_array(values: Any) -> np.ndarray:
    """Return a NumPy array, gaps as NaN or NaT where the dtype has them, else as objects."""
    if hasattr(values, "to_pylist"):  # Arrow
        return _convert_arrow(values)
    dtype = getattr(values, "dtype", None)
    if getattr(dtype, "tz", None) is not None:  # pandas, with a time zone
        return np.asarray(values.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    try:
        array = np.asarray(values)
    except ValueError:  # cells of different lengths
        array = np.empty(0, dtype="U")
    rounded = (
        dtype is None
        and array.dtype.kind == "f"
        and bool((np.abs(array) >= EXACT_INTEGER_LIMIT).any())
    )
    if array.dtype.kind not in "US" and array.ndim == 1 and not rounded:
        return array
    objects = np.empty(len(values), dtype=object)  # NumPy would write texts, or round
    for row, cell in enumerate(values):
        objects[row] = cell.item() if isinstance(cell, np.str_) else cell
    return objects


def _convert_arrow(values: Any) -> np.ndarray:
    integral = str(values.type).startswith(("int", "uint", "bool"))
    try:
        if not (values.null_count and integral):
            flat = values.combine_chunks() if hasattr(values, "combine_chunks") else values
            return np.asarray(flat.to_numpy(zero_copy_only=False))
    except (ValueError, NotImplementedError):
        pass  # NumPy has no such cells, e.g. times of day: they are read one by one
    objects = np.empty(len(values), dtype=object)
    for row, cell in enumerate(values.to_pylist()):
        objects[row] = cell
    return objects


def build_cell_readers(inputs: Sequence[ColumnInput]) -> list[tuple[str, Callable[[Any], Any]]]:
    """Make a function for each input's cell of one row; ValueError says what is wrong."""
    return [(column.name, _build_cell_reader(column)) for column in inputs]


def _build_cell_reader(column: ColumnInput) -> Callable[[Any], Any]:
    codes_by_text, missing_code = code_by_text(column.categories), len(column.categories)

    def read_cell(value: Any) -> Any:
        rejected = RejectedRows()
        cells = np.empty(1, dtype=object)
        cells[0] = value
        values = READERS[column.kind](column, cells, rejected)
        if rejected.reasons:
            raise SchemaViolation(rejected.reasons[0])
        cell = values[0]
        return cell.item() if isinstance(cell, np.generic) else cell

    allow_missing = column.missing == "allow"
    if column.kind in ("number", "integer", "boolean") and not column.categories:
        return _fast_number(read_cell, allow_missing)
    if column.kind == "category":
        return _fast_category(read_cell, missing_code if allow_missing else None, codes_by_text)
    return read_cell


def _fast_number(read_cell: Callable[[Any], Any], allow_missing: bool) -> Callable[[Any], Any]:
    """Read what JSON and Python have for a number; all else is read as columns are."""

    def read_number(value: Any) -> Any:
        if value.__class__ in (float, int, bool):
            if -EXACT_INTEGER_LIMIT <= value <= EXACT_INTEGER_LIMIT:
                return float(value)
            if value != value and allow_missing:
                return value
        elif value is None and allow_missing:
            return math.nan
        return read_cell(value)

    return read_number


def _fast_category(
    read_cell: Callable[[Any], Any], missing_code: int | None, codes_by_text: Mapping[str, int]
) -> Callable[[Any], Any]:
    """Read a known text; all else is read as columns are."""

    def read_category(value: Any) -> Any:
        if value is None and missing_code is not None:
            return missing_code
        code = codes_by_text.get(value) if value.__class__ is str else None
        return read_cell(value) if code is None else code

    return read_category
