"""Operations on codes: categories, bins, and their conversion to numbers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

import numpy as np

from lockgate.models.packed.format.array_types import Array, Namespace, RowFunction
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
        require(not operands, "a column of categories takes no operands")
        require(0 <= self.column < len(reader.inputs), f"unknown input {self.column}")
        require(
            reader.inputs[self.column].kind == "category", f"input {self.column} is not a category"
        )
        return Shape("codes", len(reader.inputs[self.column].categories))


class Bins(Operation, tag="bins", frozen=True):
    """The bin of one number: ``[edge, next edge)``; a missing value has a code of its own."""

    edges: str

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        require(check_numbers(operands) == 1, f"expected one column, got {operands[0].width}")
        edges = reader.floats(self.edges, None)
        require((np.diff(edges) >= 0).all(), "edges are not in ascending order")
        return Shape("codes", len(edges) + 1)

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        x, edges = operands[0][0, :], arrays[self.edges]
        # libraries search for NaN differently: replace it by 0, and restore it below
        bins = xp.searchsorted(edges, xp.where(xp.isnan(x), 0.0 * xp.ones_like(x), x), side="right")
        return xp.where(xp.isnan(x), edges.shape[0] + 1, xp.astype(bins, xp.int64))

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        edges = arrays[self.edges].tolist()
        missing_code = len(edges) + 1
        return lambda x: missing_code if x[0] != x[0] else bisect_right(edges, x[0])


class Match(Operation, tag="match", frozen=True):
    """The index of one number in a sorted list; missing and unknown values have their own codes."""

    values: str

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        require(check_numbers(operands) == 1, f"expected one column, got {operands[0].width}")
        values = reader.floats(self.values, None)
        require(
            len(values) and (np.diff(values) > 0).all(),
            "values are not in strictly ascending order",
        )
        return Shape("codes", len(values))

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        x, values = operands[0][0, :], arrays[self.values]
        known = values.shape[0]
        safe = xp.where(xp.isnan(x), 0.0 * xp.ones_like(x), x)
        indices = xp.astype(xp.searchsorted(values, safe, side="left"), xp.int64)
        indices = xp.where(indices >= known, known - 1, indices)
        indices = xp.where(xp.take(values, indices) == safe, indices, known + 1)
        return xp.where(xp.isnan(x), known, indices)

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        value_codes = {value: code for code, value in enumerate(arrays[self.values].tolist())}
        missing_code = len(value_codes)
        return lambda x: missing_code if x[0] != x[0] else value_codes.get(x[0], missing_code + 1)


class Lookup(Operation, tag="lookup", frozen=True):
    """One row of a table for each code; the last two rows: missing value, unknown category."""

    table: str

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        known = check_codes(operands)
        table = reader.array(self.table, "f8", known + 2, None)
        require(
            not np.isinf(table).any() and table.shape[1],
            f"array {self.table!r} is empty or contains infinity",
        )
        return Shape("numbers", table.shape[1])

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        return xp.permute_dims(xp.take(arrays[self.table], operands[0], axis=0), (1, 0))

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        rows: list[list[float]] = arrays[self.table].tolist()
        return rows.__getitem__


class OneHot(Operation, tag="onehot", frozen=True, rename={"code_columns": "places"}):
    """1 in the code's column, 0 in all others; a code whose column is -1 has none."""

    code_columns: str
    width: int

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        known = check_codes(operands)
        columns = reader.array(self.code_columns, "i4", known + 2)
        require(0 < self.width <= known + 2, f"expected 1 to {known + 2} columns, got {self.width}")
        require(
            ((columns >= -1) & (columns < self.width)).all(), "a code refers to an unknown column"
        )
        return Shape("numbers", self.width)

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        row_columns = xp.take(arrays[self.code_columns], operands[0])
        columns = xp.arange(self.width, dtype=row_columns.dtype)
        return xp.astype(xp.reshape(columns, (-1, 1)) == row_columns, xp.float64)

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        columns, width = arrays[self.code_columns].tolist(), self.width

        def encode(code: int) -> list[float]:
            one_hot = [0.0] * width
            if (column := columns[code]) >= 0:
                one_hot[column] = 1.0
            return one_hot

        return encode


CODES = (Category, Bins, Match, Lookup, OneHot)
"""Operations on codes."""
