"""Operations that turn numbers into predictions: shares, votes, limits, calibration."""

from __future__ import annotations

import math
from bisect import bisect_right
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

__all__ = [
    "OUTPUTS",
    "Above",
    "ArgMax",
    "Average",
    "Isotonic",
    "LogSumExp",
    "Pair",
    "Share",
    "Softmax",
    "Votes",
]


class Softmax(Operation, tag="softmax", frozen=True):
    """The exponential of each number, divided by their sum."""

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        return Shape("numbers", check_numbers(operands))

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        x = operands[0]
        raised = arithmetic.exp(x - xp.max(x, axis=0), xp, arrays[POWERS_KEY])
        return raised / arithmetic.ordered_sum(raised, xp)

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        def normalize(x: list[float]) -> list[float]:
            top = max(x)
            raised = [arithmetic.exp_one(v - top) for v in x]
            total = arithmetic.ordered_sum_one(raised)
            return [v / total for v in raised]

        return normalize


class LogSumExp(Operation, tag="log_sum_exp", frozen=True):
    """The logarithm of the sum of the exponentials."""

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        check_numbers(operands)
        return Shape("numbers", 1)

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        x = operands[0]
        top = xp.max(x, axis=0)
        raised = arithmetic.exp(x - top, xp, arrays[POWERS_KEY])
        return xp.reshape(top + xp.log(arithmetic.ordered_sum(raised, xp)), (1, -1))


class Share(Operation, tag="share", frozen=True):
    """Each number divided by the sum; where that is zero, equal shares or zeros."""

    empty: Literal["equal", "zero"]

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        return Shape("numbers", check_numbers(operands))

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        x = operands[0]
        total = arithmetic.ordered_sum(x, xp)
        rest = 1.0 / x.shape[0] if self.empty == "equal" else 0.0
        # both branches are computed: the inner `where` avoids a division by zero
        return xp.where(
            total == 0, rest * xp.ones_like(x), x / xp.where(total == 0, 1.0 + total, total)
        )

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        equal = self.empty == "equal"

        def normalize(x: list[float]) -> list[float]:
            total = arithmetic.ordered_sum_one(x)
            if total == 0:
                return [1.0 / len(x) if equal else 0.0] * len(x)
            return [v / total for v in x]

        return normalize


class Pair(Operation, tag="pair", frozen=True):
    """The probability p as two: 1 - p and p."""

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        require(check_numbers(operands) == 1, f"expected one probability, got {operands[0].width}")
        return Shape("numbers", 2)

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        return xp.concat([1.0 - operands[0], operands[0]], axis=0)

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        return lambda x: [1.0 - x[0], x[0]]


class Average(Operation, tag="average", frozen=True):
    """Weighted mean of equal blocks: products first to last, then divided by the total weight."""

    weights: tuple[float, ...]
    divide: bool = True

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        width = check_numbers(operands, None)
        require(
            all(operand.width == width for operand in operands), "expected blocks of equal width"
        )
        require(
            len(self.weights) == len(operands),
            f"expected {len(operands)} weights, got {len(self.weights)}",
        )
        require(all(map(math.isfinite, self.weights)), "a weight is not finite")
        require(not self.divide or sum(self.weights) != 0, "the weights add up to zero")
        return Shape("numbers", width)

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        total = operands[0] * self.weights[0]
        for block, weight in zip(operands[1:], self.weights[1:], strict=True):
            total = total + block * weight
        return total / arithmetic.ordered_sum_one(self.weights) if self.divide else total

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        weights = self.weights
        size = arithmetic.ordered_sum_one(weights) if self.divide else 1.0

        def average(*blocks: list[float]) -> list[float]:
            total = [v * weights[0] for v in blocks[0]]
            for block, weight in zip(blocks[1:], weights[1:], strict=True):
                total = [t + v * weight for t, v in zip(total, block, strict=True)]
            return [t / size for t in total]

        return average


class ArgMax(Operation, tag="argmax", frozen=True):
    """The index of the largest number, the first of several, as a number."""

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        check_numbers(operands)
        return Shape("numbers", 1)

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        return xp.astype(xp.reshape(xp.argmax(operands[0], axis=0), (1, -1)), xp.float64)

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        return lambda x: [float(x.index(max(x)))]


class Above(Operation, tag="above", frozen=True):
    """1 where the number is above the limit, else 0; if not `strict`, also where it is equal."""

    limit: float
    strict: bool

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        require(check_numbers(operands) == 1, f"expected one column, got {operands[0].width}")
        require(math.isfinite(self.limit), "the limit is not finite")
        return Shape("numbers", 1)

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        x = operands[0]
        return xp.astype(x > self.limit if self.strict else x >= self.limit, xp.float64)

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        limit = self.limit
        if self.strict:
            return lambda x: [1.0 if x[0] > limit else 0.0]
        return lambda x: [1.0 if x[0] >= limit else 0.0]


class Votes(Operation, tag="votes", frozen=True):
    """Weighted votes for each of `classes` classes; each operand is the index of one class."""

    weights: tuple[float, ...]
    classes: int

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        require(
            check_numbers(operands, None) == 1 and all(operand.width == 1 for operand in operands),
            "expected one class index per operand",
        )
        require(
            len(self.weights) == len(operands),
            f"expected {len(operands)} weights, got {len(self.weights)}",
        )
        require(all(map(math.isfinite, self.weights)), "a weight is not finite")
        require(self.classes > 0, "expected at least one class")
        check_cell_count(self.classes, len(operands), 64)
        return Shape("numbers", self.classes)

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        class_indices = xp.reshape(xp.arange(self.classes, dtype=xp.float64), (-1, 1))
        total = 0.0 * (class_indices + operands[0])
        for operand, weight in zip(operands, self.weights, strict=True):
            total = total + weight * xp.astype(class_indices == operand, xp.float64)
        return total


class Isotonic(Operation, tag="isotonic", frozen=True):
    """Linear interpolation between points in ascending order, constant outside of them."""

    x: str
    y: str

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        require(check_numbers(operands) == 1, f"expected one column, got {operands[0].width}")
        x = reader.floats(self.x, None)
        reader.floats(self.y, len(x))
        require(len(x) and (np.diff(x) > 0).all(), "points are not in strictly ascending order")
        return Shape("numbers", 1)

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        value, x, y = operands[0][0, :], arrays[self.x], arrays[self.y]
        last = x.shape[0] - 1
        if last == 0:
            return xp.reshape(xp.take(y, xp.zeros(value.shape, dtype=xp.int64)), (1, -1))
        right = xp.astype(xp.searchsorted(x, value, side="right"), xp.int64)
        right = xp.clip(right, 1, last)
        x0, x1 = xp.take(x, right - 1), xp.take(x, right)
        y0, y1 = xp.take(y, right - 1), xp.take(y, right)
        interpolated = y0 + (value - x0) * ((y1 - y0) / (x1 - x0))
        interpolated = xp.where(
            value <= x[0], y[0], xp.where(value >= x[last], y[last], interpolated)
        )
        return xp.reshape(interpolated, (1, -1))

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        x, y = arrays[self.x].tolist(), arrays[self.y].tolist()
        last = len(x) - 1

        def interpolate(operand: list[float]) -> list[float]:
            value = operand[0]
            if value <= x[0]:
                return [y[0]]
            if value >= x[last]:
                return [y[last]]
            right = min(max(bisect_right(x, value), 1), last)
            slope = (y[right] - y[right - 1]) / (x[right] - x[right - 1])
            return [y[right - 1] + (value - x[right - 1]) * slope]

        return interpolate


OUTPUTS = (Softmax, LogSumExp, Share, Pair, Average, ArgMax, Above, Votes, Isotonic)
"""Operations that turn numbers into predictions."""
