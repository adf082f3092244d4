"""Categories as texts and as codes."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from lockgate.data.columns.dates import is_missing
from lockgate.data.columns.inputs import ColumnInput
from lockgate.data.columns.rejections import (
    RejectedRows,
    describe_unknown_category,
    format_value,
    reject_missing,
)

__all__ = ["category_text", "code_by_text", "read_codes"]

BOOLEAN_ALIASES = {"True": "1", "False": "0"}


def category_text(value: Any) -> str:
    """Write a category as text; 3 and 3.0 are one category.

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
    """Return each category's place by its text; where all are truth values, 1 and 0 are too."""
    codes_by_text = {name: code for code, name in enumerate(categories)}
    if set(categories) <= set(BOOLEAN_ALIASES):
        codes_by_text |= {BOOLEAN_ALIASES[name]: code for name, code in codes_by_text.items()}
    return codes_by_text


def read_codes(column: ColumnInput, values: Any, rejected: RejectedRows) -> Any:
    """Return a column's codes: a place, one more for a gap, and one more for unknown."""
    codes_by_text = code_by_text(column.categories)
    missing_code, unknown_code = len(column.categories), len(column.categories) + 1
    dictionary = _read_dictionary(values)
    if dictionary is not None:
        indices, names = dictionary
        codes = np.array(
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
                "expected one category"
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


def _encode_cell(value: Any, codes_by_text: dict[str, int], missing_code: int) -> int:
    """Return one cell's code, -1 for what is no category at all."""
    if is_missing(value):
        return missing_code
    if isinstance(value, (list, tuple, dict, set, frozenset, np.ndarray, complex, bytes)):
        return -1
    try:
        return codes_by_text.get(category_text(value), missing_code + 1)
    except (ValueError, OverflowError):
        return -1


def _encode_cells(values: Any, codes_by_text: dict[str, int], missing_code: int) -> Any:
    """Read cells of any kind; equal values of other types, such as 1 and True, are kept apart."""
    codes_by_key: dict[Any, int] = {}
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


def _read_dictionary(values: Any) -> tuple[Any, list[Any]] | None:
    """Return indices, -1 for gaps, and what they stand for, where a library has them at hand."""
    if hasattr(values, "cat"):
        return values.cat.codes.to_numpy(), values.cat.categories.tolist()
    arrow = sys.modules.get("pyarrow")
    if arrow is None:
        return None
    try:
        return _read_arrow_dictionary(arrow, values)
    except Exception:  # cells of several kinds, nested or broken ones: they are read one by one
        return None


def _read_arrow_dictionary(arrow: Any, values: Any) -> tuple[Any, list[Any]] | None:
    if not isinstance(values, (arrow.Array, arrow.ChunkedArray)):
        if not hasattr(values, "dtype"):
            return None
        values = arrow.array(values, from_pandas=True)
        if not (arrow.types.is_string(values.type) or arrow.types.is_large_string(values.type)):
            return None  # numbers and truth values: Arrow would make one kind of several
    if isinstance(values, arrow.ChunkedArray):
        values = values.combine_chunks()
    if not arrow.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    indices = values.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return indices, values.dictionary.to_pylist()
