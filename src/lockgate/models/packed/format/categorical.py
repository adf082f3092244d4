"""Operations on codes: categories, bins, and the numbers that they become."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lockgate.models.packed.format.container import require
from lockgate.models.packed.format.operation import (
    ArrayReader,
    Operation,
    Shape,
    check_codes,
    check_numbers,
)

__all__ = ["CODES", "Bins", "Category", "Lookup", "Match", "OneHot"]


class Category(Operation, tag="category", frozen=True):
    """One column of categories, as codes."""

    column: int

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        require(not operands, "a column of categories takes no operand")
        require(0 <= self.column < len(reader.inputs), f"there is no input {self.column}")
        require(
            reader.inputs[self.column].kind == "category", f"input {self.column} is no category"
        )
        return Shape("codes", len(reader.inputs[self.column].categories))


class Bins(Operation, tag="bins", frozen=True):
    """The bin of one number: ``[edge, next edge)``; a gap is a gap."""

    edges: str

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        require(check_numbers(operands) == 1, "one column expected")
        edges = reader.floats(self.edges, None)
        require((np.diff(edges) >= 0).all(), "edges that do not rise")
        return Shape("codes", len(edges) + 1)

    def run(self, operands: Sequence[Any], arrays: Mapping[str, Any], xp: Any) -> Any:
        x, edges = operands[0][0, :], arrays[self.edges]
        bins = xp.searchsorted(edges, xp.where(xp.isnan(x), 0.0 * xp.ones_like(x), x), side="right")
        return xp.where(xp.isnan(x), edges.shape[0] + 1, xp.astype(bins, xp.int64))

    def row(self, arrays: Mapping[str, np.ndarray]) -> Any:
        edges = arrays[self.edges].tolist()
        missing_code = len(edges) + 1
        return lambda x: missing_code if x[0] != x[0] else bisect_right(edges, x[0])


class Match(Operation, tag="match", frozen=True):
    """The place of one number in a rising list; a gap is a gap, all others are unknown."""

    values: str

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        require(check_numbers(operands) == 1, "one column expected")
        values = reader.floats(self.values, None)
        require(len(values) and (np.diff(values) > 0).all(), "values that do not rise")
        return Shape("codes", len(values))

    def run(self, operands: Sequence[Any], arrays: Mapping[str, Any], xp: Any) -> Any:
        x, values = operands[0][0, :], arrays[self.values]
        known = values.shape[0]
        safe = xp.where(xp.isnan(x), 0.0 * xp.ones_like(x), x)
        indices = xp.astype(xp.searchsorted(values, safe, side="left"), xp.int64)
        indices = xp.where(indices >= known, known - 1, indices)
        indices = xp.where(xp.take(values, indices) == safe, indices, known + 1)
        return xp.where(xp.isnan(x), known, indices)

    def row(self, arrays: Mapping[str, np.ndarray]) -> Any:
        value_codes = {value: code for code, value in enumerate(arrays[self.values].tolist())}
        missing_code = len(value_codes)
        return lambda x: missing_code if x[0] != x[0] else value_codes.get(x[0], missing_code + 1)


class Lookup(Operation, tag="lookup", frozen=True):
    """One row of a table for each code; the last two rows are for a gap and for unknown."""

    table: str

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        known = check_codes(operands)
        table = reader.array(self.table, "f8", known + 2, None)
        require(
            not np.isinf(table).any() and table.shape[1], f"array {self.table!r} holds infinity"
        )
        return Shape("numbers", table.shape[1])

    def run(self, operands: Sequence[Any], arrays: Mapping[str, Any], xp: Any) -> Any:
        return xp.permute_dims(xp.take(arrays[self.table], operands[0], axis=0), (1, 0))

    def row(self, arrays: Mapping[str, np.ndarray]) -> Any:
        return arrays[self.table].tolist().__getitem__


class OneHot(Operation, tag="onehot", frozen=True):
    """0 in every column but the code's own, which holds 1; -1 has no column."""

    places: str
    width: int

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        known = check_codes(operands)
        columns = reader.array(self.places, "i4", known + 2)
        require(0 < self.width <= known + 2, "more columns than codes")
        require(((columns >= -1) & (columns < self.width)).all(), "a column that is not there")
        return Shape("numbers", self.width)

    def run(self, operands: Sequence[Any], arrays: Mapping[str, Any], xp: Any) -> Any:
        row_columns = xp.take(arrays[self.places], operands[0])
        columns = xp.arange(self.width, dtype=row_columns.dtype)
        return xp.astype(xp.reshape(columns, (-1, 1)) == row_columns, xp.float64)

    def row(self, arrays: Mapping[str, np.ndarray]) -> Any:
        columns, width = arrays[self.places].tolist(), self.width

        def answer(code: int) -> list[float]:
            one_hot = [0.0] * width
            if (column := columns[code]) >= 0:
                one_hot[column] = 1.0
            return one_hot

        return answer


CODES = (Category, Bins, Match, Lookup, OneHot)
"""Operations on codes."""
