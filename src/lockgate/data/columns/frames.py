"""Columns of DataFrames: the kind of their cells, and conversion to it."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from lockgate.data.columns.categories import category_text, read_category_texts
from lockgate.data.columns.dates import ISO_DATE, NUMERIC_DATE
from lockgate.data.columns.inputs import CellColumn
from lockgate.data.columns.parsing import READERS
from lockgate.data.columns.rejections import RejectedRows
from lockgate.data.columns.text_cells import (
    MAX_CATEGORIES,
    STRAY_SHARE,
    declare_category,
    infer_date_order,
)
from lockgate.errors import SchemaViolation

__all__ = [
    "Series",
    "cell_texts",
    "convert_column",
    "convert_columns",
    "float_bits",
    "infer_kind",
    "numbers_of",
    "parse_date",
]

Series: TypeAlias = "pd.Series[Any]"
"""A column of a DataFrame."""

NUMBERS = (int, float, np.number, decimal.Decimal)
TRUTH = (bool, np.bool_)


def parse_date(text: str) -> pd.Timestamp:
    """Parse a date of the configuration; one with a time zone is converted to UTC."""
    try:
        timestamp = pd.Timestamp(text)
        return (
            timestamp if timestamp.tzinfo is None else timestamp.tz_convert("UTC").tz_localize(None)
        )
    except ValueError:
        raise SchemaViolation([f"{text!r} is not a date; write it like 1998-01-31"]) from None


def cell_texts(cells: Series) -> list[str | None]:
    """Return the text of each cell as that of a category, None where it is missing."""
    return [
        None if missing else category_text(cell)
        for cell, missing in zip(cells.tolist(), cells.isna().tolist(), strict=True)
    ]


def float_bits(dtype: Any) -> int:
    """Return the size of a column's floats, 64 for anything else."""
    dtype = getattr(dtype, "subtype", getattr(dtype, "numpy_dtype", dtype))
    is_float = isinstance(dtype, np.dtype) and dtype.kind == "f"
    return min(8 * dtype.itemsize, 64) if is_float else 64


def infer_kind(name: str, values: Series) -> tuple[str, str]:
    """Infer the kind of a column from its dtype, and from its cells where it holds objects.

    Returns
    -------
    str
        Kind of the column.
    str
        Order of its dates.

    Raises
    ------
    SchemaViolation
        If the cells can be read in two ways, or fit no kind of column.

    """
    types = pd.api.types
    if isinstance(values.dtype, pd.CategoricalDtype):
        return "category", "iso"
    if types.is_bool_dtype(values):
        return "boolean", "iso"
    if types.is_integer_dtype(values):
        return "integer", "iso"
    if types.is_timedelta64_dtype(values):
        raise SchemaViolation([f"column {name} holds durations; convert them to numbers"])
    if types.is_numeric_dtype(values):
        return "number", "iso"
    if types.is_datetime64_any_dtype(values):
        return "date", "iso"
    return _infer_objects(name, values.dropna())


def _infer_objects(name: str, known: Series) -> tuple[str, str]:
    cells = known.astype(object)
    if not len(cells):
        return "category" if _holds_texts(known) else "number", "iso"
    cell_types = set(map(type, cells))
    if all(issubclass(cell_type, TRUTH) for cell_type in cell_types):
        return "boolean", "iso"
    if all(issubclass(cell_type, NUMBERS) for cell_type in cell_types):
        return _kind_of_numbers(cells), "iso"
    if all(issubclass(cell_type, (datetime.date, np.datetime64)) for cell_type in cell_types):
        return "date", "iso"
    _refuse_strays(name, cells)
    distinct = pd.Series(cells.map(str).unique())
    if distinct.str.fullmatch(ISO_DATE).all():
        return "date", "iso"
    if distinct.str.fullmatch(NUMERIC_DATE).all():
        return "date", infer_date_order(name, distinct.tolist())
    return ("category" if len(distinct) <= MAX_CATEGORIES else "text"), "iso"


def _holds_texts(values: Series) -> bool:
    return isinstance(values.dtype, pd.StringDtype)


def _kind_of_numbers(cells: Series) -> str:
    whole = all(cell == cell // 1 for cell in cells.unique() if abs(cell) < float("inf"))
    return "integer" if whole and not any(isinstance(cell, float) for cell in cells) else "number"


def _refuse_strays(name: str, cells: Series) -> None:
    """Refuse a column of numbers in which a few cells are texts."""
    numeric = cells.map(lambda cell: isinstance(cell, NUMBERS) and not isinstance(cell, TRUTH))
    strays = int((~numeric).sum())
    if len(cells) >= 20 and strays <= max(1, STRAY_SHARE * len(cells)):
        row = cells.index[~numeric][0]
        raise SchemaViolation(
            [
                f"column {name} holds {cells[row]!r} in row {row}, and numbers in "
                f"{len(cells) - strays} of {len(cells)} rows; correct the cell, or "
                f"{declare_category(name)}"
            ]
        )


def convert_column(column: CellColumn, values: Series) -> Series:
    """Convert a column to its kind by the grammar that serving uses.

    Parameters
    ----------
    column : CellColumn
        Its kind, and which cells are allowed. A category that the column knows gets the text by
        which it is known.
    values : Series, shape (n,)
        Cells of any type.

    Returns
    -------
    Series, shape (n,)
        Doubles, whole numbers or truth values where none are missing, dates without a zone (in
        UTC), or texts with NaN for missing values.

    Raises
    ------
    SchemaViolation
        With the first cell that is invalid, and the number of further rows.

    """
    rejected = RejectedRows()
    if column.kind == "category":
        converted: Any = read_category_texts(column, values, rejected)
    else:
        cells = READERS[column.kind](column, values, rejected)
        converted = _column_of(column.kind, cells, values)
    if problem := rejected.summary():
        raise SchemaViolation([problem])
    return pd.Series(converted, index=values.index, name=values.name)


def convert_columns(
    columns: Sequence[CellColumn], cells: Mapping[str, Series]
) -> dict[str, Series]:
    """Convert columns to their kinds; SchemaViolation with a problem of each that has one."""
    converted: dict[str, Series] = {}
    problems: list[str] = []
    for column in columns:
        try:
            converted[column.name] = convert_column(column, cells[column.name])
        except SchemaViolation as error:
            problems += error.problems
    if problems:
        raise SchemaViolation(problems)
    return converted


def _column_of(kind: str, cells: Any, values: Series) -> Any:
    if kind == "date":
        return cells.astype("datetime64[us]")
    if kind == "text":
        texts = np.array([*cells, None], dtype=object)[:-1]
        texts[values.isna().to_numpy()] = np.nan
        return texts
    if kind == "number" or not np.isfinite(cells).all():
        return cells
    if kind == "boolean" and np.isin(cells, (0.0, 1.0)).all():
        return cells.astype(bool)
    if kind == "integer" and (cells % 1 == 0).all() and (np.abs(cells) < 2.0**63).all():
        return cells.astype(np.int64)
    return cells


def numbers_of(cells: Series) -> np.ndarray:
    """Return numbers, truth values and dates as doubles, NaN where they are missing.

    Dates are microseconds since 1970.
    """
    if pd.api.types.is_datetime64_any_dtype(cells):
        micros = cells.to_numpy(dtype="datetime64[us]")
        return np.where(np.isnat(micros), np.nan, micros.astype(np.int64).astype(float))
    return np.asarray(cells.to_numpy(dtype=float, na_value=np.nan))
