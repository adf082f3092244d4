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
    format_value,
    not_finite,
    reject_missing,
    unknown_category,
)
from lockgate.errors import SchemaViolation, nearest

__all__ = ["cell_readers", "read_columns"]

EXACT = 2**53
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
    found = RejectedRows() if rejected is None else rejected
    columns = _columns(inputs, source, found)
    lengths = {len(one) for one in columns}
    if len(lengths) > 1:
        found.fatal.append(f"columns have different lengths: {sorted(lengths)}")
    if found.fatal:
        raise SchemaViolation(found.fatal)
    made = [
        READERS[one.kind](one, values, found) for one, values in zip(inputs, columns, strict=True)
    ]
    if rejected is None:
        found.raise_first()
    return made, lengths.pop() if lengths else 0


def _columns(inputs: Sequence[ColumnInput], source: Any, found: RejectedRows) -> list[Any]:
    if isinstance(source, np.ndarray):
        if source.ndim != 2 or source.shape[1] != len(inputs):
            found.fatal.append(
                f"an array of shape {source.shape} came, expected (rows, {len(inputs)})"
            )
            return []
        return [source[:, k] for k in range(len(inputs))]
    if isinstance(source, Sequence) and not isinstance(source, (str, bytes)):
        return _of_records(inputs, source, found)
    if not (hasattr(source, "column_names") or hasattr(source, "keys")):
        found.fatal.append(
            f"{type(source).__name__} came, expected a DataFrame, an Arrow table, columns by name, "
            "or a list of mappings"
        )
        return []
    names = source.column_names if hasattr(source, "column_names") else list(source.keys())
    made = []
    for one in inputs:
        if one.name not in names:
            hint = nearest(one.name, [str(name) for name in names])
            found.fatal.append(f"column {one.name} is missing{hint}")
        elif list(names).count(one.name) > 1:
            found.fatal.append(f"column {one.name} stands twice")
        else:
            made.append(_checked(one, source[one.name], found))
    return made


def _checked(one: ColumnInput, values: Any, found: RejectedRows) -> Any:
    """Return a column, or note that it is none."""
    if isinstance(values, (str, bytes, set, frozenset, Mapping)) or not hasattr(values, "__len__"):
        found.fatal.append(
            f"column {one.name} is {type(values).__name__}, expected a sequence of values; "
            "for a single row use predict_one"
        )
        return []
    if isinstance(values, np.ma.MaskedArray):
        plain = np.array(values.data, dtype=object)
        plain[np.ma.getmaskarray(values)] = None
        return plain
    return values


def _of_records(
    inputs: Sequence[ColumnInput], records: Sequence[Any], found: RejectedRows
) -> list[Any]:
    made: list[list[Any]] = [[] for _ in inputs]
    for row, record in enumerate(records):
        if not isinstance(record, Mapping):
            word = type(record).__name__
            found.fatal.append(f"row {row} is {word}, expected a mapping of column to value")
            return [[] for _ in inputs]
        for one, values in zip(inputs, made, strict=True):
            if one.name not in record:
                hint = nearest(one.name, map(str, record)) if len(found.reasons) < 20 else ""
                found.note(row, f"row {row} has no {one.name}{hint}")
                values.append(None)
            else:
                values.append(record[one.name])
    return made


def _numbers(one: ColumnInput, values: Any, found: RejectedRows) -> Any:
    made = _doubles(one, values, found)
    if one.categories:
        allowed = [float(text) for text in one.categories]
        strange = np.flatnonzero(~np.isin(made, allowed) & np.isfinite(made))
        found.add(strange, lambda row: unknown_category(one, float(made[row]), row))
    return made


def _doubles(one: ColumnInput, values: Any, found: RejectedRows) -> Any:
    array = _as_array(values)
    bad: list[int] = []
    if array.dtype.kind in "fiub":
        made = array.astype(np.float64)
        if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
            bad = _inexact(array, made)
    else:
        made = np.empty(len(array))
        for row, value in enumerate(array if array.dtype.kind in "mM" else array.tolist()):
            number = _number(value)
            if number is None:
                bad.append(row)
            made[row] = math.nan if number is None else number
    found.add(
        bad,
        lambda row: (
            f"column {one.name} holds {format_value(array[row])} in row {row}, expected a number"
        ),
    )
    empty = np.isnan(made)
    empty[bad] = False
    reject_missing(one, empty, found)
    found.add(np.flatnonzero(np.isinf(made)), lambda row: not_finite(one, row))
    return made


def _inexact(whole: np.ndarray, made: np.ndarray) -> list[int]:
    """Return rows of whole numbers that no double holds, from 2**53 on."""
    large = np.flatnonzero(np.abs(made) >= EXACT)
    return [row for row in large.tolist() if int(made[row]) != int(whole[row])]


def _number(value: Any) -> float | None:
    """Return a cell as a double, NaN for a gap, None for what is none or what no double holds."""
    if is_missing(value):
        return math.nan
    if isinstance(value, (complex, np.complexfloating, np.timedelta64)):
        return None
    known = isinstance(value, (bool, int, float, np.number, np.bool_))
    if not known and type(value).__name__ != "Decimal":
        return None
    try:
        made = float(value)
    except OverflowError:
        return math.inf
    except ValueError:
        return None
    return None if isinstance(value, int) and int(made) != value else made


def _dates(one: ColumnInput, values: Any, found: RejectedRows) -> Any:
    array = _as_array(values)
    if array.dtype.kind == "M":
        made = array.astype("datetime64[us]").astype(np.int64)
    else:
        made = np.full(len(array), MISSING_DATE)
        bad = []
        for row, value in enumerate(array.tolist()):
            read = as_micros(value)
            made[row] = MISSING_DATE if read is None else read
            if read is None:
                bad.append(row)
        found.add(
            bad,
            lambda row: (
                f"column {one.name} holds {format_value(array[row])} in row {row}, expected a date"
            ),
        )
        gaps = (made == MISSING_DATE) & ~np.isin(np.arange(len(made)), bad)
        reject_missing(one, gaps, found)
        return made
    reject_missing(one, made == MISSING_DATE, found)
    return made


def _texts(one: ColumnInput, values: Any, found: RejectedRows) -> Any:
    given = values.to_pylist() if hasattr(values, "to_pylist") else list(values)
    made = [value if isinstance(value, str) else "" for value in given]
    gaps = np.array([is_missing(value) for value in given], bool)
    bad = [k for k, v in enumerate(given) if not isinstance(v, str) and not gaps[k]]
    found.add(
        bad,
        lambda row: (
            f"column {one.name} holds {format_value(given[row])} in row {row}, expected text"
        ),
    )
    reject_missing(one, gaps, found)
    return made


READERS: dict[str, Callable[[ColumnInput, Any, RejectedRows], Any]] = {
    "number": _numbers,
    "integer": _numbers,
    "boolean": _numbers,
    "category": read_codes,
    "date": _dates,
    "text": _texts,
}


def _as_array(values: Any) -> np.ndarray:
    """Return a NumPy array, gaps as NaN or NaT where the dtype has them, else as objects."""
    if hasattr(values, "to_pylist"):  # Arrow
        return _of_arrow(values)
    dtype = getattr(values, "dtype", None)
    if getattr(dtype, "tz", None) is not None:  # pandas, with a time zone
        return np.asarray(values.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    try:
        made = np.asarray(values)
    except ValueError:  # cells of different lengths
        made = np.empty(0, dtype="U")
    rounded = dtype is None and made.dtype.kind == "f" and bool((np.abs(made) >= EXACT).any())
    if made.dtype.kind not in "US" and made.ndim == 1 and not rounded:
        return made
    objects = np.empty(len(values), dtype=object)  # NumPy would write texts, or round
    for row, cell in enumerate(values):
        objects[row] = cell.item() if isinstance(cell, np.str_) else cell
    return objects


def _of_arrow(values: Any) -> np.ndarray:
    counted = str(values.type).startswith(("int", "uint", "bool"))
    try:
        if not (values.null_count and counted):
            flat = values.combine_chunks() if hasattr(values, "combine_chunks") else values
            return np.asarray(flat.to_numpy(zero_copy_only=False))
    except (ValueError, NotImplementedError):
        pass  # NumPy has no such cells, e.g. times of day: they are read one by one
    made = np.empty(len(values), dtype=object)
    for row, cell in enumerate(values.to_pylist()):
        made[row] = cell
    return made


def cell_readers(inputs: Sequence[ColumnInput]) -> list[tuple[str, Callable[[Any], Any]]]:
    """Make a function for each input's cell of one row; ValueError says what is wrong."""
    return [(one.name, _cell_reader(one)) for one in inputs]


def _cell_reader(one: ColumnInput) -> Callable[[Any], Any]:
    places, gap = code_by_text(one.categories), len(one.categories)

    def slow(value: Any) -> Any:
        rejected = RejectedRows()
        cells = np.empty(1, dtype=object)
        cells[0] = value
        made = READERS[one.kind](one, cells, rejected)
        if rejected.reasons:
            raise SchemaViolation(rejected.reasons[0])
        cell = made[0]
        return cell.item() if isinstance(cell, np.generic) else cell

    allowed = one.missing == "allow"
    if one.kind in ("number", "integer", "boolean") and not one.categories:
        return _fast_number(slow, allowed)
    if one.kind == "category":
        return _fast_category(slow, gap if allowed else None, places)
    return slow


def _fast_number(slow: Callable[[Any], Any], allowed: bool) -> Callable[[Any], Any]:
    """Read what JSON and Python have for a number; all else is read as columns are."""

    def number(value: Any) -> Any:
        if value.__class__ in (float, int, bool):
            if -EXACT <= value <= EXACT:
                return float(value)
            if value != value and allowed:
                return value
        elif value is None and allowed:
            return math.nan
        return slow(value)

    return number


def _fast_category(
    slow: Callable[[Any], Any], gap: int | None, places: Mapping[str, int]
) -> Callable[[Any], Any]:
    """Read a known text; all else is read as columns are."""

    def category(value: Any) -> Any:
        if value is None and gap is not None:
            return gap
        code = places.get(value) if value.__class__ is str else None
        return slow(value) if code is None else code

    return category
