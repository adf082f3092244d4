"""Slices of rows: those with a value of a column, or within an interval of its numbers."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lockgate.contract.tables import Schema
from lockgate.data.columns.categories import category_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MOST_SLICES", "ColumnSlice", "ColumnSlices", "find_slices", "without_roles"]

MOST_VALUES = 30
"""Different texts of a column up to which each is a slice."""

MOST_SLICES = 1000
"""Slices that are compared; more would need columns chosen."""

INTERVALS = 4
"""Slices of a column of many numbers or dates, with about as many rows each."""


class ColumnSlice(NamedTuple):
    """Rows with a value of a column.

    Attributes
    ----------
    column : str
        Name of the column.
    value : str
        The value, the interval of values, or ``missing``.
    members : ndarray of bool, shape (rows,)
        Which rows have it.

    """

    column: str
    value: str
    members: np.ndarray[Any, np.dtype[np.bool_]]


class ColumnSlices(NamedTuple):
    """The slices of some columns.

    Attributes
    ----------
    slices : list of ColumnSlice
        At most `MOST_SLICES`.
    are_more : bool
        Whether there are others.

    """

    slices: list[ColumnSlice]
    are_more: bool

    @property
    def members(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which rows are in which slice, shape (rows, slices)."""
        return np.stack([part.members for part in self.slices], axis=1)


def without_roles(rows: pd.DataFrame, schema: Schema) -> list[Hashable]:
    """Return the columns of rows that are neither target, nor id, nor weight."""
    roles = {*schema.targets, schema.id, schema.weight}
    return [column for column in rows if column not in roles]


def find_slices(
    rows: pd.DataFrame,
    columns: Iterable[Hashable],
    min_rows: int,
    weight: np.ndarray[Any, np.dtype[Any]] | None = None,
) -> ColumnSlices:
    """Return the slices of some columns that have enough rows, and leave enough others.

    Parameters
    ----------
    rows : DataFrame
        The rows.
    columns : iterable
        Names of columns. Columns of many different texts have no slices.
    min_rows : int
        Fewest rows of a slice, and of all rows that are not in it.
    weight : ndarray, shape (rows,), optional
        Weights of the rows: neither a slice nor all other rows may weigh nothing.

    """
    w = np.ones(len(rows)) if weight is None else weight
    large = (
        ColumnSlice(str(column), value, members)
        for column in columns
        for value, members in _values_of(rows[column])
        if min_rows <= int(members.sum()) <= len(rows) - min_rows
        and w[members].sum() > 0
        and w[~members].sum() > 0
    )
    slices = list(itertools.islice(large, MOST_SLICES + 1))
    return ColumnSlices(slices[:MOST_SLICES], len(slices) > MOST_SLICES)


def _values_of(
    cells: pd.Series[Any],
) -> Iterator[tuple[str, np.ndarray[Any, np.dtype[np.bool_]]]]:
    """Yield the values, or intervals of values, of a column, and the rows that have them."""
    import pandas as pd

    missing = cells.isna().to_numpy()
    known = cells[~missing]
    types = pd.api.types
    ordered = types.is_numeric_dtype(cells) or types.is_datetime64_any_dtype(cells)
    if types.is_complex_dtype(cells):
        return
    if missing.any():
        yield "missing", missing
    if ordered and not types.is_bool_dtype(cells) and known.nunique() > INTERVALS:
        codes, edges = pd.qcut(cells, INTERVALS, labels=False, retbins=True, duplicates="drop")
        for k, (low, high) in enumerate(itertools.pairwise(edges)):
            start = "above " if k else ""
            yield f"{start}{_text(low)} to {_text(high)}", np.asarray(codes == k)
        return
    texts = known.map(category_text)
    if texts.nunique() > MOST_VALUES:
        return
    for value in sorted(set(texts)):
        members = np.zeros(len(cells), bool)
        members[~missing] = (texts == value).to_numpy()
        yield value, members


def _text(edge: Any) -> str:
    if hasattr(edge, "strftime"):
        return f"{edge:%Y-%m-%d}"
    return f"{edge:.0f}" if edge == round(edge) and abs(edge) < 1e15 else f"{edge:.5g}"
