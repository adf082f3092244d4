"""Categories as texts and as codes."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from lockgate.data.columns.dates import is_missing
from lockgate.data.columns.inputs import ColumnInput
from lockgate.data.columns.rejections import (
    RejectedRows,
    format_value,
    reject_missing,
    unknown_category,
)

__all__ = ["category_text", "code_by_text", "read_codes"]

TRUTH = {"True": "1", "False": "0"}


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
    places = {name: code for code, name in enumerate(categories)}
    if set(categories) <= set(TRUTH):
        places |= {TRUTH[name]: code for name, code in places.items()}
    return places


def read_codes(one: ColumnInput, values: Any, found: RejectedRows) -> Any:
    """Return a column's codes: a place, one more for a gap, and one more for unknown."""
    places = code_by_text(one.categories)
    gap, unknown = len(one.categories), len(one.categories) + 1
    coded = _dictionary(values)
    if coded is not None:
        indices, names = coded
        made = np.array([*(_code(name, places, gap) for name in names), gap], np.int64)[indices]
    else:
        made = _one_by_one(values, places, gap)
    odd = np.flatnonzero(made < 0)
    if len(odd) or (one.unknown == "refuse" and (made == unknown).any()):
        given = values.to_pylist() if hasattr(values, "to_pylist") else list(values)
        found.add(
            odd,
            lambda row: (
                f"column {one.name} holds {format_value(given[row])} in row {row}, "
                "expected one category"
            ),
        )
        if one.unknown == "refuse":
            strange = np.flatnonzero(made == unknown)
            found.add(strange, lambda row: unknown_category(one, given[row], row))
        made = np.where(made < 0, unknown, made)
    reject_missing(one, made == gap, found)
    return made


def _code(value: Any, places: dict[str, int], gap: int) -> int:
    """Return one cell's code, -1 for what is no category at all."""
    if is_missing(value):
        return gap
    if isinstance(value, (list, tuple, dict, set, frozenset, np.ndarray, complex, bytes)):
        return -1
    try:
        return places.get(category_text(value), gap + 1)
    except (ValueError, OverflowError):
        return -1


def _one_by_one(values: Any, places: dict[str, int], gap: int) -> Any:
    """Read cells of any kind; equal values of other types, such as 1 and True, are kept apart."""
    known: dict[Any, int] = {}
    made = np.empty(len(values), np.int64)
    for row, value in enumerate(values):
        key = (value.__class__, value)
        try:
            code = known.get(key)
        except TypeError:  # not hashable
            made[row] = _code(value, places, gap)
            continue
        if code is None:
            code = known[key] = _code(value, places, gap)
        made[row] = code
    return made


def _dictionary(values: Any) -> tuple[Any, list[Any]] | None:
    """Return indices, -1 for gaps, and what they stand for, where a library has them at hand."""
    if hasattr(values, "cat"):
        return values.cat.codes.to_numpy(), values.cat.categories.tolist()
    arrow = sys.modules.get("pyarrow")
    if arrow is None:
        return None
    try:
        return _arrow_dictionary(arrow, values)
    except Exception:  # cells of several kinds, nested or broken ones: they are read one by one
        return None


def _arrow_dictionary(arrow: Any, values: Any) -> tuple[Any, list[Any]] | None:
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
