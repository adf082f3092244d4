"""Reads cells: from whatever holds the rows to numbers, codes, dates and texts."""

from __future__ import annotations

import datetime
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lockgate.errors import SchemaViolation, nearest
from lockgate.packed.shapes import Input

__all__ = ["NO_DATE", "Rejected", "cell_readers", "date_parts", "date_parts_one", "read_columns"]

NO_DATE = np.iinfo(np.int64).min
"""Microseconds that stand for no date, as NumPy has it."""

DAY, HOUR = 86_400_000_000, 3_600_000_000
EPOCH = datetime.datetime(1970, 1, 1)
SHOWN = 20


class Rejected:
    """Rows whose cells the inputs refuse, with the reasons; a row may have several."""

    def __init__(self) -> None:
        self.reasons: dict[int, list[str]] = {}
        self.fatal: list[str] = []

    def add(self, rows: Any, reason: Callable[[int], str]) -> None:
        """Note these rows; `reason` is asked for each."""
        for row in rows:
            self.reasons.setdefault(int(row), []).append(reason(int(row)))

    def raise_first(self) -> None:
        """Raise what was found, a few rows at most."""
        if self.fatal:
            raise SchemaViolation(self.fatal)
        if self.reasons:
            listed = [one for row in sorted(self.reasons)[:SHOWN] for one in self.reasons[row]]
            left = len(self.reasons) - min(SHOWN, len(self.reasons))
            more = [f"and {left} more rows"] if left > 0 else []
            raise SchemaViolation(listed + more)


def read_columns(
    inputs: Sequence[Input], source: Any, rejected: Rejected | None = None
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
    found = Rejected() if rejected is None else rejected
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


def _columns(inputs: Sequence[Input], source: Any, found: Rejected) -> list[Any]:
    if isinstance(source, np.ndarray):
        if source.ndim != 2 or source.shape[1] != len(inputs):
            found.fatal.append(
                f"an array of shape {source.shape} came, expected (rows, {len(inputs)})"
            )
            return []
        return [source[:, k] for k in range(len(inputs))]
    if isinstance(source, Sequence) and not isinstance(source, (str, bytes)):
        return _of_records(inputs, source, found)
    names = source.column_names if hasattr(source, "column_names") else list(source.keys())
    made = []
    for one in inputs:
        if one.name not in names:
            hint = nearest(one.name, [str(name) for name in names])
            found.fatal.append(f"column {one.name} is missing{hint}")
        else:
            made.append(source[one.name])
    return made


def _of_records(inputs: Sequence[Input], records: Sequence[Any], found: Rejected) -> list[Any]:
    made: list[list[Any]] = [[] for _ in inputs]
    for row, record in enumerate(records):
        if not isinstance(record, Mapping):
            word = type(record).__name__
            found.fatal.append(f"row {row} is {word}, expected a mapping of column to value")
            return [[] for _ in inputs]
        for one, values in zip(inputs, made, strict=True):
            if one.name not in record:
                hint = nearest(one.name, map(str, record))
                words = f"row {row} has no {one.name}{hint}"
                found.add([row], lambda _, words=words: words)  # type: ignore[misc]
                values.append(None)
            else:
                values.append(record[one.name])
    return made


def _numbers(one: Input, values: Any, found: Rejected) -> Any:
    made = _doubles(one, values, found)
    if one.categories:
        allowed = [float(text) for text in one.categories]
        strange = np.flatnonzero(~np.isin(made, allowed) & np.isfinite(made))
        found.add(strange, lambda row: _unseen(one, float(made[row]), row))
    return made


def _doubles(one: Input, values: Any, found: Rejected) -> Any:
    array = _as_array(values)
    if array.dtype.kind in "fiub":
        made = array.astype(np.float64)
    else:
        made = np.empty(len(array))
        bad = []
        for row, value in enumerate(array.tolist()):
            number = _number(value)
            if number is None:
                bad.append(row)
            made[row] = math.nan if number is None else number
        found.add(
            bad,
            lambda row: f"column {one.name} holds {array[row]!r} in row {row}, expected a number",
        )
        _refuse_gaps(one, np.isnan(made) & ~np.isin(np.arange(len(made)), bad), found)
        found.add(np.flatnonzero(np.isinf(made)), lambda row: _endless(one, row))
        return made
    _refuse_gaps(one, np.isnan(made), found)
    endless = np.isinf(made)
    if endless.any():
        found.add(np.flatnonzero(endless), lambda row: _endless(one, row))
    return made


def _unseen(one: Input, value: Any, row: int) -> str:
    listed = ", ".join(one.categories[:SHOWN])
    return (
        f"column {one.name} holds {value!r} in row {row}, which training never saw; known: {listed}"
    )


def _endless(one: Input, row: int) -> str:
    return f"column {one.name} is infinite in row {row}, expected a finite number"


def _refuse_gaps(one: Input, gaps: Any, found: Rejected) -> None:
    if one.missing == "refuse" and gaps.any():
        found.add(
            np.flatnonzero(gaps),
            lambda row: f"column {one.name} has no value in row {row}, and gaps are refused",
        )


def _number(value: Any) -> float | None:
    """Return a cell as a double, NaN for a gap, None for what is no number."""
    if _is_gap(value):
        return math.nan
    if isinstance(value, (bool, int, float, np.number, np.bool_)):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    if type(value).__name__ == "Decimal":
        return float(value)
    return None


def _is_gap(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and value != value


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


def _codes(one: Input, values: Any, found: Rejected) -> Any:
    places = {name: code for code, name in enumerate(one.categories)}
    gap, unknown = len(places), len(places) + 1
    coded = _dictionary(values)
    if coded is not None:
        indices, names = coded
        table = np.array([*(places.get(category_text(n), unknown) for n in names), gap], np.int64)
        made = table[indices]
    else:
        known = {
            value: gap if _is_gap(value) else places.get(category_text(value), unknown)
            for value in _distinct(values)
        }
        made = np.fromiter(
            (known[v] if _hashable(v) else unknown for v in values), np.int64, len(values)
        )
        if gap_rows := [k for k, v in enumerate(values) if _is_gap(v)]:
            made[gap_rows] = gap
    _refuse_gaps(one, made == gap, found)
    if one.unknown == "refuse" and (made == unknown).any():
        given = values.to_pylist() if hasattr(values, "to_pylist") else list(values)
        found.add(np.flatnonzero(made == unknown), lambda row: _unseen(one, given[row], row))
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


def _dates(one: Input, values: Any, found: Rejected) -> Any:
    array = _as_array(values)
    if array.dtype.kind == "M":
        made = array.astype("datetime64[us]").astype(np.int64)
    else:
        made = np.full(len(array), NO_DATE)
        bad = []
        for row, value in enumerate(array.tolist()):
            read = _date(value)
            made[row] = NO_DATE if read is None else read
            if read is None:
                bad.append(row)
        found.add(
            bad, lambda row: f"column {one.name} holds {array[row]!r} in row {row}, expected a date"
        )
        gaps = (made == NO_DATE) & ~np.isin(np.arange(len(made)), bad)
        _refuse_gaps(one, gaps, found)
        return made
    _refuse_gaps(one, made == NO_DATE, found)
    return made


def _date(value: Any) -> int | None:
    """Return a cell as microseconds since 1970 in UTC, `NO_DATE` for a gap, None for no date."""
    if _is_gap(value):
        return NO_DATE
    if isinstance(value, str):
        try:
            value = datetime.datetime.fromisoformat(value)
        except ValueError:
            return None
    if hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime(warn=False)
    if not isinstance(value, datetime.datetime):
        if not isinstance(value, datetime.date):
            return None
        value = datetime.datetime(value.year, value.month, value.day)
    if value.tzinfo is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    micros: int = (value - EPOCH) // datetime.timedelta(microseconds=1)
    return micros


def _texts(one: Input, values: Any, found: Rejected) -> Any:
    given = values.to_pylist() if hasattr(values, "to_pylist") else list(values)
    made = [value if isinstance(value, str) else "" for value in given]
    gaps = np.array([_is_gap(value) for value in given], bool)
    bad = [k for k, v in enumerate(given) if not isinstance(v, str) and not gaps[k]]
    found.add(
        bad, lambda row: f"column {one.name} holds {given[row]!r} in row {row}, expected text"
    )
    _refuse_gaps(one, gaps, found)
    return made


READERS: dict[str, Callable[[Input, Any, Rejected], Any]] = {
    "number": _numbers,
    "integer": _numbers,
    "boolean": _numbers,
    "category": _codes,
    "date": _dates,
    "text": _texts,
}


def _as_array(values: Any) -> np.ndarray:
    """Return a NumPy array, gaps as NaN or NaT where the dtype has them, else as objects."""
    if hasattr(values, "to_pylist"):  # Arrow
        if values.null_count and str(values.type).startswith(("int", "uint", "bool")):
            return np.array(values.to_pylist(), dtype=object)
        return np.asarray(values.to_numpy(zero_copy_only=False) if hasattr(values, "buffers")
                          else values.to_numpy())  # fmt: skip
    dtype = getattr(values, "dtype", None)
    if getattr(dtype, "tz", None) is not None:  # pandas, with a time zone
        return np.asarray(values.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())
    made = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    if made.dtype.kind in "US":
        return made.astype(object)
    return made if made.ndim == 1 else np.array(list(values), dtype=object)


def date_parts(micros: Any) -> Any:
    """Return days since 1970, month, weekday and hour, shape (4, n); NaN where there is no date."""
    empty = micros == NO_DATE
    safe = np.where(empty, 0, micros)
    month = safe.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    parts = [safe / float(DAY), month, (safe // DAY + 3) % 7, safe // HOUR % 24]
    return np.where(empty, np.nan, np.stack([np.asarray(part, float) for part in parts]))


def date_parts_one(micros: int) -> list[float]:
    """Return the same for one date."""
    return [float(value) for value in date_parts(np.array([micros]))[:, 0].tolist()]


def cell_readers(inputs: Sequence[Input]) -> list[tuple[str, Callable[[Any], Any]]]:
    """Make a function for each input's cell of one row; ValueError says what is wrong."""
    return [(one.name, _cell_reader(one)) for one in inputs]


def _cell_reader(one: Input) -> Callable[[Any], Any]:
    places = {name: code for code, name in enumerate(one.categories)}

    def slow(value: Any) -> Any:
        rejected = Rejected()
        cells = np.empty(1, dtype=object)
        cells[0] = value
        made = READERS[one.kind](one, cells, rejected)
        if rejected.reasons:
            raise SchemaViolation(rejected.reasons[0])
        cell = made[0]
        return cell.item() if isinstance(cell, np.generic) else cell

    if one.kind != "category":
        return slow

    def category(value: Any) -> Any:
        code = places.get(value) if value.__class__ is str else None
        return slow(value) if code is None else code

    return category
