"""Columns from any source of rows: a DataFrame, an Arrow table, records, an array."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from lockgate.data.columns.inputs import ColumnInput, ColumnValues
from lockgate.data.columns.rejections import RejectedRows
from lockgate.errors import SchemaViolation
from lockgate.suggestions import nearest

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "EXACT_INTEGER_LIMIT",
    "cells_by_name",
    "column_name",
    "convert_to_array",
    "select_columns",
    "select_of_array",
]

Rows = TypeVar("Rows")

EXACT_INTEGER_LIMIT = 2**53
"""From here on doubles do not represent every integer."""


def column_name(key: object) -> str:
    """Return the name that a bundle has for a column of a frame.

    Examples
    --------
    >>> column_name(0), column_name(("price", "mean")), column_name("area")
    ('0', 'price_mean', 'area')

    """
    return "_".join(filter(None, map(str, key))) if isinstance(key, tuple) else str(key)


def select_columns(
    inputs: Sequence[ColumnInput], source: object, rejected: RejectedRows
) -> list[ColumnValues]:
    """Return the column of each input, or note in `rejected.fatal` why there is none."""
    if len(inputs) == 1 and _is_single_column(source, inputs[0].name):
        return [_check_column(inputs[0], source, rejected)]
    if isinstance(source, list) and source and isinstance(source[0], (list, tuple, np.ndarray)):
        matrix = _as_matrix(source, len(inputs), rejected)
        return [] if rejected.fatal else [matrix[:, k] for k in range(len(inputs))]
    if isinstance(source, np.ndarray):
        if source.ndim != 2 or source.shape[1] != len(inputs):
            rejected.fatal.append(
                f"expected an array of shape (rows, {len(inputs)}), got {source.shape}"
            )
            return []
        return [source[:, k] for k in range(len(inputs))]
    if isinstance(source, Sequence) and not isinstance(source, (str, bytes)):
        return _read_records(inputs, source, rejected)
    if not (hasattr(source, "column_names") or hasattr(source, "keys")):
        rejected.fatal.append(
            "expected a DataFrame, an Arrow table, columns by name, or a list of mappings, got "
            f"{type(source).__name__}"
        )
        return []
    table: Any = source
    keys = table.column_names if hasattr(source, "column_names") else list(table.keys())
    names = [key if isinstance(key, str) else column_name(key) for key in keys]
    columns = []
    for column in inputs:
        if column.name not in names:
            hint = nearest(column.name, names)
            rejected.fatal.append(f"column {column.name} is missing{hint}")
        elif names.count(column.name) > 1:
            rejected.fatal.append(f"column {column.name} is duplicated")
        else:
            values = table[keys[names.index(column.name)]]
            columns.append(_check_column(column, values, rejected))
    return columns


def select_of_array(inputs: Sequence[str], names: Sequence[str], source: Rows) -> Rows | np.ndarray:
    """Return the columns that a model reads of an array that has others as well.

    Parameters
    ----------
    inputs : sequence of str
        Names of the columns to return, in that order.
    names : sequence of str
        Names for the columns of arrays; empty where arrays have the inputs alone.
    source : object
        Rows; others than an array or rows of cells are returned as they are.

    Raises
    ------
    SchemaViolation
        If the rows have another number of columns.

    Examples
    --------
    >>> select_of_array(["x2", "x0"], ["x0", "x1", "x2"], [[1, 2, 3], [4, 5, 6]]).tolist()
    [[3, 1], [6, 4]]

    """
    rows = (list, tuple, np.ndarray)
    as_list = isinstance(source, list) and bool(source) and isinstance(source[0], rows)
    if not names or not (as_list or (isinstance(source, np.ndarray) and source.ndim == 2)):
        return source
    rejected = RejectedRows()
    array: Any = source
    if as_list:
        array = _as_matrix(array, len(names), rejected)
    elif array.shape[1] != len(names):
        rejected.fatal.append(f"expected an array of shape (rows, {len(names)}), got {array.shape}")
    if rejected.fatal:
        raise SchemaViolation(rejected.fatal)
    selected: np.ndarray = array[:, [names.index(name) for name in inputs]]
    return selected


def _is_single_column(source: Any, name: str) -> bool:
    """Whether rows are the cells of a column: a Series, a list of cells, an array of one axis."""
    if isinstance(source, np.ndarray):
        return source.ndim == 1
    if isinstance(source, list):
        rows = (Mapping, list, tuple, np.ndarray)
        return bool(source) and not any(isinstance(cell, rows) for cell in source)
    if not hasattr(source, "to_frame") or hasattr(source, "columns"):
        return False
    return name not in getattr(source, "index", ())  # else it is a row of a frame


def _as_matrix(rows: Sequence[Any], width: int, rejected: RejectedRows) -> np.ndarray:
    """Return rows of cells as an array of objects, shape (n, width); a number stays a number."""
    matrix = np.empty((len(rows), width), object)
    for k, row in enumerate(rows):
        count = len(row) if isinstance(row, (list, tuple, np.ndarray)) and np.ndim(row) else 0
        if count != width:
            holds = f"{count} cells" if count else f"{type(row).__name__}"
            rejected.fatal.append(f"row {k} is {holds}, expected {width} cells")
            break
        matrix[k] = row
    return matrix


def _check_column(column: ColumnInput, values: object, rejected: RejectedRows) -> ColumnValues:
    """Return a column, or note that it is not a sequence of values."""
    if isinstance(values, (str, bytes, set, frozenset, Mapping)) or not hasattr(values, "__len__"):
        rejected.fatal.append(
            f"column {column.name} is {type(values).__name__}, expected a sequence of values; "
            "for a single row use predict_one"
        )
        return []
    if hasattr(getattr(values, "type", None), "extension_name"):
        values = cast(Any, values).to_pandas()  # Arrow has what is behind them, e.g. integers
    if isinstance(values, np.ma.MaskedArray):
        plain = np.array(values.data, dtype=object)
        plain[np.ma.getmaskarray(values)] = None
        return plain
    return cast(ColumnValues, values)


def _read_records(
    inputs: Sequence[ColumnInput], records: Sequence[object], rejected: RejectedRows
) -> list[Any]:
    names = [column.name for column in inputs]
    try:
        if len(names) > 1:
            get_cells: Any = itemgetter(*names)
            rows: list[Any] = list(map(get_cells, records))
        else:
            rows = [[record[name] for name in names] for record in records]  # type: ignore[index]  # a TypeError is caught
        return list(map(list, zip(*rows, strict=True))) if rows else [[] for _ in names]
    except (KeyError, TypeError):
        pass  # a column or a record is not what it should be: they are read one by one
    columns: list[list[Any]] = [[] for _ in inputs]
    for row, record in enumerate(records):
        if not isinstance(record, Mapping):
            type_name = type(record).__name__
            rejected.fatal.append(
                f"row {row} is {type_name}, expected a mapping of column to value"
            )
            return [[] for _ in inputs]
        if not all(column.name in record for column in inputs):
            record = {str(name): value for name, value in record.items()}
        for column, values in zip(inputs, columns, strict=True):
            if column.name not in record:
                hint = nearest(column.name, map(str, record)) if len(rejected.reasons) < 20 else ""
                rejected.note(row, f"row {row} has no {column.name}{hint}")
                values.append(None)
            else:
                values.append(record[column.name])
    return columns


def cells_by_name(inputs: Sequence[ColumnInput], row: object) -> dict[str, object]:
    """Return a row by the texts of its names; those of DataFrame(array) are numbers.

    Raises
    ------
    SchemaViolation
        If it is not a mapping, or a column is missing.

    """
    if not isinstance(row, Mapping):
        type_name = type(row).__name__
        raise SchemaViolation([f"expected a mapping of column to value, got {type_name}"])
    by_name = {str(name): value for name, value in row.items()}
    missing = [column.name for column in inputs if column.name not in by_name]
    if missing:
        raise SchemaViolation([f"column {n} is missing{nearest(n, by_name)}" for n in missing])
    return by_name


def convert_to_array(values: ColumnValues) -> np.ndarray:
    """Return a NumPy array, missing values as NaN or NaT where the dtype has them."""
    if hasattr(values, "to_pylist"):  # Arrow
        return _convert_arrow(values)
    dtype = getattr(values, "dtype", None)
    if getattr(dtype, "tz", None) is not None:  # pandas, with a time zone
        series: Any = values
        return np.asarray(series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())
    if hasattr(values, "to_numpy"):
        # whole numbers with missing values would become doubles, which do not hold all of them
        nullable = getattr(dtype, "kind", "") in "iu" and not isinstance(dtype, np.dtype)
        values = values.to_numpy(dtype=object) if nullable else values.to_numpy()
    array = np.empty(0, dtype="U")
    # beside a text, NumPy would write all numbers as texts, and take long to
    if values.__class__ is not list or str not in set(map(type, values)):
        with contextlib.suppress(ValueError):  # cells of different lengths
            array = np.asarray(values)
    rounded = (
        dtype is None
        and array.dtype.kind == "f"
        and bool((np.abs(array) >= EXACT_INTEGER_LIMIT).any())
    )
    if array.dtype.kind not in "US" and array.ndim == 1 and not rounded:
        return array
    objects = np.empty(
        len(values), dtype=object
    )  # NumPy would convert numbers to text, or round them
    for row, cell in enumerate(values):
        objects[row] = cell.item() if isinstance(cell, np.str_) else cell
    return objects


def _convert_arrow(values: pa.ChunkedArray) -> np.ndarray:
    integral = str(values.type).startswith(("int", "uint", "bool"))
    try:
        if not (values.null_count and integral):
            flat = values.combine_chunks() if hasattr(values, "combine_chunks") else values
            return np.asarray(flat.to_numpy(zero_copy_only=False))
    except (ValueError, NotImplementedError):
        pass  # NumPy has no such dtype, e.g. for times of day: cells are read one by one
    objects = np.empty(len(values), dtype=object)
    for row, cell in enumerate(values.to_pylist()):
        objects[row] = cell
    return objects
