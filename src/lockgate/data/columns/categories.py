"""Categories: the text of a cell, and its code among the known ones."""

from __future__ import annotations

import datetime
import decimal
import re
import sys
from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.data.columns.dates import is_missing
from lockgate.data.columns.inputs import CellColumn, ColumnValues
from lockgate.data.columns.plain_cells import read_text_codes
from lockgate.data.columns.rejections import (
    RejectedRows,
    describe_unknown_category,
    format_value,
    reject_missing,
)

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "KnownCategories",
    "category_text",
    "distinct_cells",
    "read_category_texts",
    "read_codes",
]

DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?(e[-+][0-9]{2,3})?")
"""A number as people write it, and as Python does (1e+20); ``007`` and ``1e3`` are codes."""

LONG_FRACTION = re.compile(r"-?[0-9]{1,38}\.[0-9]{10,}")
"""A number that may be one of 32 bits: as a double, 0.1 of 32 bits is 0.10000000149011612."""

NO_CATEGORY = (
    *(list, tuple, dict, set, frozenset, np.ndarray, complex, bytes, bytearray),
    *(datetime.timedelta, np.timedelta64),
)
"""Types of cells that cannot be a category."""


def category_text(value: object) -> str:
    """Convert a category to text; 3 and 3.0 are the same category, and so are dates at midnight.

    Examples
    --------
    >>> [category_text(value) for value in (3, 3.0, 2.5, True, "3", "03")]
    ['3', '3', '2.5', 'True', '3', '03']
    >>> category_text(decimal.Decimal("12.50"))
    '12.5'

    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, datetime.datetime):
        # a column of dates may come as times at midnight
        at_midnight = value.time() == datetime.time() and value.tzinfo is None
        return value.date().isoformat() if at_midnight else str(value)
    if isinstance(value, decimal.Decimal):
        return _decimal_text(value)
    return str(value)


def _decimal_text(value: decimal.Decimal) -> str:
    if not value.is_finite():
        return str(value)
    if value == value.to_integral_value():
        return str(int(value))
    return f"{value.normalize():f}"


class KnownCategories:
    """The categories of a column, by text.

    Attributes
    ----------
    codes : dict of str to int
        Code by text. Truth values are also known by the texts that files have for them.

    """

    def __init__(self, categories: Sequence[str]) -> None:
        self.codes = {name: code for code, name in enumerate(categories)}
        numbers: dict[float, list[int]] = {}
        for name, code in self.codes.items():
            if DECIMAL.fullmatch(name):
                numbers.setdefault(float(name), []).append(code)
        # 1.10 and 1.1 may be two categories: then neither stands for the other
        self.codes_by_number = {
            number: codes[0] for number, codes in numbers.items() if len(codes) == 1
        }
        by_lower = {name.lower(): code for name, code in self.codes.items()}
        if by_lower.keys() <= {"true", "false"} and len(by_lower) == len(self.codes):
            for name, code in by_lower.items():
                self.codes |= dict.fromkeys((name, name.upper(), name.capitalize()), code)
                self.codes_by_number[float(name == "true")] = code

    def find(self, text: str) -> int | None:
        """Return the code of a text: as it is, or of the same number written in another way.

        Examples
        --------
        >>> known = KnownCategories(("1", "2.5", "007"))
        >>> [known.find(text) for text in ("1", "1.0", "2.50", "007", "7")]
        [0, 0, 1, 2, None]
        >>> KnownCategories(("0.1",)).find("0.10000000149011612")
        0

        """
        code = self.codes.get(text)
        if code is None and DECIMAL.fullmatch(text):
            number = float(text)
            code = self.codes_by_number.get(number, self.codes.get(category_text(number)))
        if code is None and LONG_FRACTION.fullmatch(text):
            number, short = float(text), np.float32(text)
            code = self.codes.get(category_text(short)) if float(short) == number else None
        return code


@lru_cache(maxsize=256)
def _known_categories(categories: tuple[str, ...]) -> KnownCategories:
    """Return the categories by text, made once for a column that is read again and again."""
    return KnownCategories(categories)


def read_codes(column: CellColumn, values: ColumnValues, rejected: RejectedRows) -> np.ndarray:
    """Return a column's codes: the index of the category, then one for missing, one for unknown."""
    missing_code, unknown_code = len(column.categories), len(column.categories) + 1
    known = _known_categories(tuple(column.categories))
    texts_codes = read_text_codes(values, known.codes, missing_code, known.find)
    if texts_codes is not None and not (
        column.unknown == "refuse" and bool((texts_codes == unknown_code).any())
    ):
        reject_missing(column, texts_codes == missing_code, rejected)
        return texts_codes
    indices, cells = distinct_cells(values)
    codes: np.ndarray = np.array(
        [*(_encode_cell(cell, known, missing_code) for cell in cells), missing_code], np.int64
    )[indices]
    invalid = codes < 0
    _reject_cells(column, indices, cells, invalid, rejected)
    if column.unknown == "refuse":
        rejected.add(
            np.flatnonzero(codes == unknown_code),
            lambda row: describe_unknown_category(column, cells[indices[row]], row),
        )
    codes = np.where(invalid, unknown_code, codes)
    reject_missing(column, codes == missing_code, rejected)
    return codes


def read_category_texts(
    column: CellColumn, values: ColumnValues, rejected: RejectedRows
) -> np.ndarray:
    """Return a column's categories as texts, NaN for missing values, shape (n,), dtype object.

    A category that the column knows gets the text by which it is known.
    """
    known = _known_categories(tuple(column.categories))
    indices, cells = distinct_cells(values)
    texts: list[Any] = []
    for cell in cells:
        text = _cell_text(cell)
        code = known.find(text) if text else None
        texts.append(text if code is None else column.categories[code])
    by_index = np.empty(len(texts) + 1, dtype=object)
    by_index[:-1] = [np.nan if text is None else text for text in texts]
    by_index[-1] = np.nan
    missing = np.array([*(is_missing(cell) for cell in cells), True])[indices]
    invalid = np.array([*(text is None for text in texts), False])[indices] & ~missing
    _reject_cells(column, indices, cells, invalid, rejected)
    if column.unknown == "refuse":
        unknown = np.array([*(t is not None and t not in known.codes for t in texts), False])
        rejected.add(
            np.flatnonzero(unknown[indices]),
            lambda row: describe_unknown_category(column, cells[indices[row]], row),
        )
    reject_missing(column, missing, rejected)
    result: np.ndarray = by_index[indices]
    return result


def _reject_cells(
    column: CellColumn,
    indices: np.ndarray,
    cells: Sequence[object],
    invalid: np.ndarray,
    rejected: RejectedRows,
) -> None:
    rejected.add(
        np.flatnonzero(invalid),
        lambda row: (
            f"column {column.name} holds {format_value(cells[indices[row]])} in row {row}, "
            "expected a single category"
        ),
    )


def _cell_text(value: object) -> str | None:
    """Return the text of a cell; None if it is missing, or no category."""
    if is_missing(value) or isinstance(value, NO_CATEGORY):
        return None
    try:
        return category_text(value)
    except (ValueError, OverflowError):
        return None


def _encode_cell(value: object, known: KnownCategories, missing_code: int) -> int:
    """Return the code of a cell; -1 if it is not a category."""
    if is_missing(value):
        return missing_code
    text = _cell_text(value)
    if text is None:
        return -1
    code = known.find(text)
    return missing_code + 1 if code is None else code


def distinct_cells(values: ColumnValues) -> tuple[np.ndarray, list[Any]]:
    """Return the index of each row's cell among the distinct ones, -1 for missing; and these.

    Equal cells of different types, such as 1 and True, are distinct.
    """
    dictionary = _read_dictionary(values)
    if dictionary is not None:
        return dictionary
    dtype = getattr(values, "dtype", None)
    if getattr(dtype, "kind", "") == "f" and dtype != np.float64:
        # as Python's floats they would have other digits: 0.10000000149011612 for 0.1
        values = list(np.asarray(values))
    if hasattr(values, "to_pylist"):
        values = values.to_pylist()  # a missing value of Arrow's is not None
    index_by_key: dict[object, int] = {}
    cells: list[Any] = []
    indices = np.empty(len(values), np.int64)
    for row, value in enumerate(values):
        try:
            index = index_by_key.setdefault((value.__class__, value), len(cells))
        except TypeError:  # not hashable
            index = len(cells)
        if index == len(cells):
            cells.append(value)
        indices[row] = index
    return indices, cells


def _read_dictionary(values: ColumnValues) -> tuple[np.ndarray, list[Any]] | None:
    """Return indices (-1: missing) and distinct values, if a library can encode the column."""
    if hasattr(values, "cat"):
        categories = values.cat.categories
        # floats of 32 bits keep their own digits
        cells = (
            list(np.asarray(categories)) if categories.dtype.kind == "f" else categories.tolist()
        )
        return values.cat.codes.to_numpy().astype(np.int64), cells
    arrow = sys.modules.get("pyarrow")
    if arrow is None:
        return None
    try:
        return _read_arrow_dictionary(arrow, values)
    except Exception:  # mixed, nested or invalid cells: they are read one by one
        return None


def _read_arrow_dictionary(
    arrow: ModuleType, values: pa.ChunkedArray | ColumnValues
) -> tuple[np.ndarray, list[Any]] | None:
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
    if arrow.types.is_floating(values.dictionary.type):
        # a float of 32 bits keeps its own digits: 0.1 and not 0.10000000149011612
        return indices.astype(np.int64), list(values.dictionary.to_numpy(zero_copy_only=False))
    return indices.astype(np.int64), values.dictionary.to_pylist()
