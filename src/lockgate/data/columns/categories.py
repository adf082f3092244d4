"""Conversion of categories to texts and codes."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from lockgate.data.columns.dates import is_missing
from lockgate.data.columns.inputs import ColumnInput, ColumnValues
from lockgate.data.columns.rejections import (
    RejectedRows,
    describe_unknown_category,
    format_value,
    reject_missing,
)

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["category_text", "code_by_text", "read_codes"]

BOOLEAN_ALIASES = {"True": "1", "False": "0"}


def category_text(value: object) -> str:
    """Convert a category to text; 3 and 3.0 are the same category.

    Examples
    --------
    >>> [category_text(value) for value in (3, 3.0, 2.5, True, "3")]
    ['3', '3', '2.5', 'True', '3']

    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def code_by_text(categories: tuple[str, ...]) -> dict[str, int]:
    """Return each category's code by its text; booleans also by the texts 1 and 0."""
    codes_by_text = {name: code for code, name in enumerate(categories)}
    if set(categories) <= set(BOOLEAN_ALIASES):
        codes_by_text |= {BOOLEAN_ALIASES[name]: code for name, code in codes_by_text.items()}
    return codes_by_text


def read_codes(column: ColumnInput, values: ColumnValues, rejected: RejectedRows) -> np.ndarray:
    """Return a column's codes: the index of the category, then one for missing, one for unknown."""
    codes_by_text = code_by_text(column.categories)
    missing_code, unknown_code = len(column.categories), len(column.categories) + 1
    dictionary = _read_dictionary(values)
    if dictionary is not None:
        indices, names = dictionary
        codes: np.ndarray = np.array(
            [*(_encode_cell(name, codes_by_text, missing_code) for name in names), missing_code],
            np.int64,
        )[indices]
    else:
        codes = _encode_cells(values, codes_by_text, missing_code)
    invalid_rows = np.flatnonzero(codes < 0)
    if len(invalid_rows) or (column.unknown == "refuse" and (codes == unknown_code).any()):
        cells = values.to_pylist() if hasattr(values, "to_pylist") else list(values)
        rejected.add(
            invalid_rows,
            lambda row: (
                f"column {column.name} holds {format_value(cells[row])} in row {row}, "
                "expected a single category"
            ),
        )
        if column.unknown == "refuse":
            unknown_rows = np.flatnonzero(codes == unknown_code)
            rejected.add(
                unknown_rows, lambda row: describe_unknown_category(column, cells[row], row)
            )
        codes = np.where(codes < 0, unknown_code, codes)
    reject_missing(column, codes == missing_code, rejected)
    return codes


def _encode_cell(value: object, codes_by_text: dict[str, int], missing_code: int) -> int:
    """Return the code of a cell; -1 if it is not a category."""
    if is_missing(value):
        return missing_code
    if isinstance(value, (list, tuple, dict, set, frozenset, np.ndarray, complex, bytes)):
        return -1
    try:
        return codes_by_text.get(category_text(value), missing_code + 1)
    except (ValueError, OverflowError):
        return -1


def _encode_cells(
    values: ColumnValues, codes_by_text: dict[str, int], missing_code: int
) -> np.ndarray:
    """Encode cells of any type; equal values of different types, such as 1 and True, differ."""
    codes_by_key: dict[object, int] = {}
    codes = np.empty(len(values), np.int64)
    for row, value in enumerate(values):
        key = (value.__class__, value)
        try:
            code = codes_by_key.get(key)
        except TypeError:  # not hashable
            codes[row] = _encode_cell(value, codes_by_text, missing_code)
            continue
        if code is None:
            code = codes_by_key[key] = _encode_cell(value, codes_by_text, missing_code)
        codes[row] = code
    return codes


def _read_dictionary(values: ColumnValues) -> tuple[np.ndarray, list[object]] | None:
    """Return indices (-1: missing) and distinct values, if a library can encode the column."""
    if hasattr(values, "cat"):
        return values.cat.codes.to_numpy(), values.cat.categories.tolist()
    arrow = sys.modules.get("pyarrow")
    if arrow is None:
        return None
    try:
        return _read_arrow_dictionary(arrow, values)
    except Exception:  # mixed, nested or invalid cells: they are read one by one
        return None


def _read_arrow_dictionary(
    arrow: ModuleType, values: pa.ChunkedArray | ColumnValues
) -> tuple[np.ndarray, list[object]] | None:
    if not isinstance(values, (arrow.Array, arrow.ChunkedArray)):
        if not hasattr(values, "dtype"):
            return None
        values = arrow.array(values, from_pandas=True)
        if not (arrow.types.is_string(values.type) or arrow.types.is_large_string(values.type)):
            return None  # Arrow would convert numbers and booleans to one type
    if isinstance(values, arrow.ChunkedArray):
        values = values.combine_chunks()
    if not arrow.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    indices = values.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return indices, values.dictionary.to_pylist()
