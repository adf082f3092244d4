"""Operations on codes: categories, bins, and the numbers that they become."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lockgate.models.packed.format.container import require
from lockgate.models.packed.format.operation import ArrayReader, Operation, Shape, codes, numbers

__all__ = ["CODES", "Bins", "Category", "Lookup", "Match", "OneHot"]


class Category(Operation, tag="category", frozen=True):
    """One column of categories, as codes."""

    column: int

    def infer(self, given: Sequence[Shape], look: ArrayReader) -> Shape:
        require(not given, "a column of categories takes no operand")
        require(0 <= self.column < len(look.inputs), f"there is no input {self.column}")
        require(look.inputs[self.column].kind == "category", f"input {self.column} is no category")
        return Shape("codes", len(look.inputs[self.column].categories))


class Bins(Operation, tag="bins", frozen=True):
    """The bin of one number: ``[edge, next edge)``; a gap is a gap."""

    edges: str

    def infer(self, given: Sequence[Shape], look: ArrayReader) -> Shape:
        require(numbers(given) == 1, "one column expected")
        edges = look.floats(self.edges, None)
        require((np.diff(edges) >= 0).all(), "edges that do not rise")
        return Shape("codes", len(edges) + 1)

    def run(self, given: Sequence[Any], a: Mapping[str, Any], xp: Any) -> Any:
        x, edges = given[0][0, :], a[self.edges]
        found = xp.searchsorted(
            edges, xp.where(xp.isnan(x), 0.0 * xp.ones_like(x), x), side="right"
        )
        return xp.where(xp.isnan(x), edges.shape[0] + 1, xp.astype(found, xp.int64))

    def row(self, a: Mapping[str, np.ndarray]) -> Any:
        edges = a[self.edges].tolist()
        gap = len(edges) + 1
        return lambda x: gap if x[0] != x[0] else bisect_right(edges, x[0])


class Match(Operation, tag="match", frozen=True):
    """The place of one number in a rising list; a gap is a gap, all others are unknown."""

    values: str

    def infer(self, given: Sequence[Shape], look: ArrayReader) -> Shape:
        require(numbers(given) == 1, "one column expected")
        values = look.floats(self.values, None)
        require(len(values) and (np.diff(values) > 0).all(), "values that do not rise")
        return Shape("codes", len(values))

    def run(self, given: Sequence[Any], a: Mapping[str, Any], xp: Any) -> Any:
        x, values = given[0][0, :], a[self.values]
        known = values.shape[0]
        safe = xp.where(xp.isnan(x), 0.0 * xp.ones_like(x), x)
        place = xp.astype(xp.searchsorted(values, safe, side="left"), xp.int64)
        place = xp.where(place >= known, known - 1, place)
        place = xp.where(xp.take(values, place) == safe, place, known + 1)
        return xp.where(xp.isnan(x), known, place)

    def row(self, a: Mapping[str, np.ndarray]) -> Any:
        places = {value: place for place, value in enumerate(a[self.values].tolist())}
        gap = len(places)
        return lambda x: gap if x[0] != x[0] else places.get(x[0], gap + 1)


class Lookup(Operation, tag="lookup", frozen=True):
    """One row of a table for each code; the last two rows are for a gap and for unknown."""

    table: str

    def infer(self, given: Sequence[Shape], look: ArrayReader) -> Shape:
        known = codes(given)
        table = look.array(self.table, "f8", known + 2, None)
        require(
            not np.isinf(table).any() and table.shape[1], f"array {self.table!r} holds infinity"
        )
        return Shape("numbers", table.shape[1])

    def run(self, given: Sequence[Any], a: Mapping[str, Any], xp: Any) -> Any:
        return xp.permute_dims(xp.take(a[self.table], given[0], axis=0), (1, 0))

    def row(self, a: Mapping[str, np.ndarray]) -> Any:
        return a[self.table].tolist().__getitem__


class OneHot(Operation, tag="onehot", frozen=True):
    """0 in every column but the code's own, which holds 1; -1 has no column."""

    places: str
    width: int

    def infer(self, given: Sequence[Shape], look: ArrayReader) -> Shape:
        known = codes(given)
        places = look.array(self.places, "i4", known + 2)
        require(0 < self.width <= known + 2, "more columns than codes")
        require(((places >= -1) & (places < self.width)).all(), "a column that is not there")
        return Shape("numbers", self.width)

    def run(self, given: Sequence[Any], a: Mapping[str, Any], xp: Any) -> Any:
        place = xp.take(a[self.places], given[0])
        columns = xp.arange(self.width, dtype=place.dtype)
        return xp.astype(xp.reshape(columns, (-1, 1)) == place, xp.float64)

    def row(self, a: Mapping[str, np.ndarray]) -> Any:
        places, width = a[self.places].tolist(), self.width

        def answer(code: int) -> list[float]:
            made = [0.0] * width
            if (place := places[code]) >= 0:
                made[place] = 1.0
            return made

        return answer


CODES = (Category, Bins, Match, Lookup, OneHot)
"""Operations on codes."""
