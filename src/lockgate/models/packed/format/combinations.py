"""Operations that combine the columns of a block of numbers: products, ratios, norms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from lockgate.models.packed.format import arithmetic
from lockgate.models.packed.format.array_types import Array, Namespace, RowFunction
from lockgate.models.packed.format.container import require
from lockgate.models.packed.format.operation import (
    ArrayReader,
    Operation,
    Shape,
    check_cell_count,
    check_numbers,
)

__all__ = ["COMBINATIONS", "Combine", "Products", "RowNorm"]


class Combine(Operation, tag="combine", frozen=True):
    """The difference or ratio of two columns; missing where that is not a finite number."""

    how: Literal["subtract", "divide"]

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        require(len(operands) == 2, f"expected two operands, got {len(operands)}")
        require(check_numbers(operands, None) == 1, "expected operands of one column")
        require(operands[1].width == 1, "expected operands of one column")
        return Shape("numbers", 1)

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        left, right = operands
        if self.how == "subtract":
            result = left - right
        else:
            # both branches are computed: the inner `where` avoids a division by zero
            result = xp.where(right == 0, math.nan, left / xp.where(right == 0, 1.0, right))
        return xp.where(xp.isfinite(result), result, math.nan)


class Products(Operation, tag="products", frozen=True):
    """Products of columns, e.g. x, y, x*x, x*y, y*y; an empty product is 1."""

    factors: tuple[tuple[int, ...], ...]

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        width = check_numbers(operands)
        check_cell_count(len(self.factors), 1 << 10)
        for columns in self.factors:
            require(
                len(columns) <= 16 and all(0 <= k < width for k in columns),
                "a product has more than 16 factors or an unknown one",
            )
        return Shape("numbers", len(self.factors))

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        x = operands[0]
        products = []
        for factors in self.factors:
            product = xp.ones_like(x[0, :]) if not factors else x[factors[0], :]
            for k in factors[1:]:
                product = product * x[k, :]
            products.append(product)
        return xp.stack(products)

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        factors = self.factors
        return lambda x: [
            math.prod([x[k] for k in columns]) if columns else 1.0 for columns in factors
        ]


class RowNorm(Operation, tag="rownorm", frozen=True):
    """Divide each row by its norm, unless that is zero."""

    norm: Literal["l1", "l2", "max"]

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        return Shape("numbers", check_numbers(operands))

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        x = operands[0]
        if self.norm == "l2":
            size = xp.sqrt(arithmetic.ordered_sum(x * x, xp))
        elif self.norm == "l1":
            size = arithmetic.ordered_sum(xp.abs(x), xp)
        else:
            size = xp.max(xp.abs(x), axis=0)
        return x / xp.where(size == 0, xp.ones_like(size), size)


COMBINATIONS = (Combine, Products, RowNorm)
"""Operations that combine columns."""
