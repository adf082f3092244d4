"""Lists of plain Python cells, as JSON and records have them, read without a look at each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import NoneType
from typing import cast

import numpy as np

from lockgate.data.columns.inputs import ColumnValues
from lockgate.data.columns.sources import EXACT_INTEGER_LIMIT

__all__ = ["has_only_texts", "read_plain_numbers", "read_text_codes"]

NUMBERS: set[type] = {float, int, bool, NoneType}
TEXTS: set[type] = {str, NoneType}


def _has_only(values: ColumnValues, types: set[type]) -> bool:
    """Whether the values are a list of cells of these very types, not of classes derived."""
    return values.__class__ in (list, tuple) and set(map(type, values)) <= types


def has_only_texts(values: ColumnValues) -> bool:
    """Return whether the values are a list of texts, or None where they are missing."""
    return _has_only(values, TEXTS)


def read_plain_numbers(values: ColumnValues) -> np.ndarray | None:
    """Return an array of doubles, or a list of numbers, truth values and None, as doubles.

    Returns
    -------
    ndarray or None
        Shape (n,), finite or NaN; None if there are other cells, infinite numbers, or whole
        numbers that doubles may not hold.

    Examples
    --------
    >>> read_plain_numbers([1.5, None, True, 7])
    array([1.5, nan, 1. , 7. ])
    >>> read_plain_numbers([1.5, "7"]), read_plain_numbers([2**53 + 1])
    (None, None)

    """
    is_array = values.__class__ is np.ndarray and cast(np.ndarray, values).dtype == np.float64
    if is_array:
        doubles = cast(np.ndarray, values)
        return doubles if doubles.ndim == 1 and not np.isinf(doubles).any() else None
    if not _has_only(values, NUMBERS):
        return None
    try:
        doubles = np.array(values, dtype=np.float64)
    except OverflowError:
        return None
    largest = np.fmax.reduce(np.abs(doubles), initial=0)
    if largest >= EXACT_INTEGER_LIMIT and (largest == np.inf or int in set(map(type, values))):
        return None
    return doubles


def read_text_codes(
    values: ColumnValues,
    codes: Mapping[str, int],
    missing_code: int,
    find: Callable[[str], int | None],
) -> np.ndarray | None:
    """Return the codes of a list of texts; None if there are other cells.

    Parameters
    ----------
    values : list
        The cells.
    codes : mapping of str to int
        Code by text.
    missing_code : int
        Code of a missing value; the next is that of unknown texts.
    find : callable
        Returns the code of a text that `codes` does not have, None if it is unknown.

    """
    if not has_only_texts(values):
        return None
    unknown_code = missing_code + 1
    code_by_text = {text: missing_code if text is None else codes.get(text) for text in set(values)}
    for text, code in code_by_text.items():
        if code is None:
            other = find(cast(str, text))
            code_by_text[text] = unknown_code if other is None else other
    return np.fromiter(map(code_by_text.__getitem__, values), np.int64, len(values))
