"""Operations on cells: from columns to the numbers that a model adds or compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from lockgate.models.packed.format import arithmetic
from lockgate.models.packed.format.array_types import Array, Namespace, RowFunction
from lockgate.models.packed.format.container import require
from lockgate.models.packed.format.operation import (
    POWERS_KEY,
    ArrayReader,
    Operation,
    Shape,
    check_cell_count,
    check_numbers,
)

__all__ = ["CELLS"]


class Numbers(Operation, tag="numbers", frozen=True):
    """Columns of numbers, missing values as NaN."""

    columns: tuple[int, ...]

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        require(
            not operands and self.columns,
            "columns of numbers take no operands, and at least one column",
        )
        for column in self.columns:
            require(0 <= column < len(reader.inputs), f"unknown input {column}")
            kind = reader.inputs[column].kind
            require(
                kind in ("number", "integer", "boolean"),
                f"input {column} is of kind {kind}, expected numbers",
            )
        return Shape("numbers", len(self.columns))


class Date(Operation, tag="date", frozen=True):
    """Days since 1970, month, weekday and hour of one column of dates."""

    column: int

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        require(not operands, "a column of dates takes no operands")
        require(0 <= self.column < len(reader.inputs), f"unknown input {self.column}")
        require(reader.inputs[self.column].kind == "date", f"input {self.column} is not a date")
        return Shape("numbers", 4)


class Fill(Operation, tag="fill", frozen=True, rename={"missing_value": "gap"}):
    """Replace missing values, NaN or `missing_value`, by one value per column."""

    values: str
    missing_value: float | None = None

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        width = check_numbers(operands)
        reader.floats(self.values, width)
        return Shape("numbers", width)

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        x = operands[0]
        empty = xp.isnan(x) if self.missing_value is None else x == self.missing_value
        return xp.where(empty, xp.reshape(arrays[self.values], (-1, 1)), x)

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        values, missing_value = arrays[self.values].tolist(), self.missing_value
        if missing_value is None:
            return lambda x: [f if v != v else v for v, f in zip(x, values, strict=True)]
        return lambda x: [f if v == missing_value else v for v, f in zip(x, values, strict=True)]


class MissingIndicator(Operation, tag="gaps", frozen=True, rename={"missing_value": "gap"}):
    """1 where a value is missing (NaN, or `missing_value`), else 0, for the listed columns."""

    columns: tuple[int, ...]
    missing_value: float | None = None

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        width = check_numbers(operands)
        require(
            all(0 <= column < width for column in self.columns), "a column index is out of range"
        )
        return Shape("numbers", len(self.columns))

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        x = xp.take(operands[0], xp.asarray(self.columns, dtype=xp.int64), axis=0)
        return xp.astype(
            xp.isnan(x) if self.missing_value is None else x == self.missing_value, xp.float64
        )

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        columns, missing_value = self.columns, self.missing_value
        if missing_value is None:
            return lambda x: [float(x[k] != x[k]) for k in columns]
        return lambda x: [float(x[k] == missing_value) for k in columns]


class Arith(Operation, tag="arith", frozen=True):
    """Add to, subtract from, multiply or divide each column by its own constant."""

    how: Literal["add", "subtract", "multiply", "divide"]
    values: str

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        width = check_numbers(operands)
        values = reader.floats(self.values, width)
        require(self.how != "divide" or (values != 0).all(), "division by zero")
        return Shape("numbers", width)

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        x, values = operands[0], xp.reshape(arrays[self.values], (-1, 1))
        if self.how == "subtract":
            return x - values
        if self.how == "divide":
            return x / values
        return x + values if self.how == "add" else x * values

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        values = arrays[self.values].tolist()
        if self.how == "subtract":
            return lambda x: [v - c for v, c in zip(x, values, strict=True)]
        if self.how == "divide":
            return lambda x: [v / c for v, c in zip(x, values, strict=True)]
        if self.how == "add":
            return lambda x: [v + c for v, c in zip(x, values, strict=True)]
        return lambda x: [v * c for v, c in zip(x, values, strict=True)]


class Clip(Operation, tag="clip", frozen=True):
    """Limit each column to bounds; missing values stay missing."""

    low: str
    high: str

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        width = check_numbers(operands)
        low, high = reader.floats(self.low, width), reader.floats(self.high, width)
        require((low <= high).all(), "a lower bound is above its upper bound")
        return Shape("numbers", width)

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        x = operands[0]
        low, high = xp.reshape(arrays[self.low], (-1, 1)), xp.reshape(arrays[self.high], (-1, 1))
        x = xp.where(x < low, low, x)
        return xp.where(x > high, high, x)

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        low, high = arrays[self.low].tolist(), arrays[self.high].tolist()
        return lambda x: [
            b if v < b else t if v > t else v for v, b, t in zip(x, low, high, strict=True)
        ]


class Apply(Operation, tag="apply", frozen=True):
    """One of a fixed list of functions, applied to every number."""

    function: Literal[
        "abs",
        "exp",
        "expm1",
        "log",
        "log1p",
        "negate",
        "positive",
        "relu",
        "sigmoid",
        "sqrt",
        "square",
        "tanh",
    ]

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        return Shape("numbers", check_numbers(operands))

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        x, name = operands[0], self.function
        if name in ("exp", "sigmoid", "tanh"):
            return getattr(arithmetic, name)(x, xp, arrays[POWERS_KEY])
        if name == "relu":
            return xp.where(x < 0, 0.0 * xp.ones_like(x), x)
        if name == "positive":
            return xp.where(x > 0, xp.ones_like(x), 0.0 * xp.ones_like(x))
        if name in ("abs", "negate", "square"):
            return {"abs": xp.abs, "negate": xp.negative, "square": xp.square}[name](x)
        if xp is np:
            with np.errstate(invalid="ignore", divide="ignore"):
                return getattr(np, name)(np.ascontiguousarray(x))
        return getattr(xp, name)(x)

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        if self.function in ("exp", "sigmoid", "tanh"):
            function = getattr(arithmetic, f"{self.function}_one")
            return lambda x: [function(v) for v in x]
        if self.function == "relu":
            return lambda x: [0.0 if v < 0 else v for v in x]
        if self.function == "positive":
            return lambda x: [1.0 if v > 0 else 0.0 for v in x]
        return super().row(arrays)


class Select(Operation, tag="select", frozen=True):
    """Some columns, in any order."""

    columns: tuple[int, ...]

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        width = check_numbers(operands)
        require(
            self.columns and all(0 <= k < width for k in self.columns),
            "a column index is out of range",
        )
        return Shape("numbers", len(self.columns))

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        return xp.take(operands[0], xp.asarray(self.columns, dtype=xp.int64), axis=0)

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        columns = self.columns
        return lambda x: [x[k] for k in columns]


class Concat(Operation, tag="concat", frozen=True):
    """Columns of several blocks side by side."""

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        check_numbers(operands, None)
        width = sum(operand.width for operand in operands)
        check_cell_count(width)
        return Shape("numbers", width)

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        return xp.concat(list(operands), axis=0)

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        return lambda *blocks: [value for block in blocks for value in block]


CELLS = (
    Numbers,
    Date,
    Fill,
    MissingIndicator,
    Arith,
    Clip,
    Apply,
    Select,
    Concat,
)
"""Operations on cells."""
