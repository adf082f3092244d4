"""Categories as texts and as codes."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from lockgate.packed.dates import is_gap
from lockgate.packed.rejecting import Rejected, refuse_gaps, unseen
from lockgate.packed.shapes import Input

__all__ = ["category_text", "read_codes"]


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


def read_codes(one: Input, values: Any, found: Rejected) -> Any:
    """Return a column's codes: a place, one more for a gap, and one more for unknown."""
    places = {name: code for code, name in enumerate(one.categories)}
    gap, unknown = len(places), len(places) + 1
    coded = _dictionary(values)
    if coded is not None:
        indices, names = coded
        known_codes = [
            gap if is_gap(name) else places.get(category_text(name), unknown) for name in names
        ]
        table = np.array([*known_codes, gap], np.int64)
        made = table[indices]
    else:
        known = {
            value: gap if is_gap(value) else places.get(category_text(value), unknown)
            for value in _distinct(values)
        }
        made = np.fromiter(
            (known[v] if _hashable(v) else unknown for v in values), np.int64, len(values)
        )
        if gap_rows := [k for k, v in enumerate(values) if is_gap(v)]:
            made[gap_rows] = gap
    refuse_gaps(one, made == gap, found)
    if one.unknown == "refuse" and (made == unknown).any():
        given = values.to_pylist() if hasattr(values, "to_pylist") else list(values)
        found.add(np.flatnonzero(made == unknown), lambda row: unseen(one, given[row], row))
    return made


def _distinct(values: Any) -> set[Any]:
    try:
        return set(values)
    except TypeError:
        return {value for value in values if _hashable(value)}


def _hashable(value: Any) -> bool:
    return value.__hash__ is not None


def _dictionary(values: Any) -> tuple[Any, list[Any]] | None:
    """Return indices, -1 for gaps, and what they stand for, where a library has them at hand."""
    if hasattr(values, "cat"):
        return values.cat.codes.to_numpy(), values.cat.categories.tolist()
    arrow = sys.modules.get("pyarrow")
    if arrow is None:
        return None
    if not isinstance(values, (arrow.Array, arrow.ChunkedArray)):
        if not hasattr(values, "dtype"):
            return None
        try:
            values = arrow.array(values, from_pandas=True)
        except (arrow.ArrowInvalid, arrow.ArrowTypeError, arrow.ArrowNotImplementedError):
            return None
    if isinstance(values, arrow.ChunkedArray):
        values = values.combine_chunks()
    if not arrow.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    indices = values.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return indices, values.dictionary.to_pylist()
