"""Operations of models without trees: weighted sums, kernels, distances, pairwise votes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    check_numbers,
)

__all__ = ["MODELS", "Linear"]


class Linear(Operation, tag="linear", frozen=True):
    """Weighted sums: the bias, then each column's product, first to last.

    Several operands count as one block, side by side. Counts of terms are summed
    separately first, in the order of their columns, and that sum is added.
    """

    weights: str
    bias: str

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        require(
            operands and all(operand.kind in ("numbers", "terms") for operand in operands),
            "expected numbers or counts of terms",
        )
        width = sum(operand.width for operand in operands)
        weights = reader.floats(self.weights, None, width)
        reader.floats(self.bias, weights.shape[0])
        require(weights.shape[0], "expected at least one output")
        return Shape("numbers", weights.shape[0])

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        weights = arrays[self.weights]
        rows = next(_rows(operand) for operand in operands)
        total = xp.reshape(arrays[self.bias], (-1, 1)) + xp.zeros((weights.shape[0], rows))
        offset = 0
        for operand in operands:
            if isinstance(operand, OneHotBlock):
                part = xp.take(weights[:, offset : offset + operand.width], operand.safe, axis=1)
                total = total + xp.where(operand.known, part, 0.0 * part)
                offset += operand.width
            elif isinstance(operand, TermCounts):
                total = total + operand.weighted(weights[:, offset : offset + operand.width])
                offset += operand.width
            else:
                for k in range(operand.shape[0]):
                    total += weights[:, offset : offset + 1] * operand[k, :]
                    offset += 1
        return total

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        weights, bias = arrays[self.weights].tolist(), (arrays[self.bias] + 0.0).tolist()
        if len(weights) > 1:
            weighted_sums = [
                _make_weighted_sum(output_weights, start)
                for output_weights, start in zip(weights, bias, strict=True)
            ]
            return lambda *blocks: [weighted_sum(*blocks) for weighted_sum in weighted_sums]
        weighted_sum = _make_weighted_sum(weights[0], bias[0])
        return lambda *blocks: [weighted_sum(*blocks)]


def _make_weighted_sum(weights: list[float], bias: float) -> Callable[..., float]:
    """Make the weighted sum of one row's blocks: lists of numbers, one-hot columns, terms."""

    def weighted_sum(*blocks: list[float] | tuple[int, int] | TermCounts) -> float:
        total, offset = bias, 0
        for block in blocks:
            if isinstance(block, list):
                for value, weight in zip(
                    block, weights[offset:] if offset else weights, strict=False
                ):
                    total += weight * value
                offset += len(block)
            elif isinstance(block, tuple):
                column, width = block
                if column >= 0:
                    total += weights[offset + column]
                offset += width
            else:
                subtotal = 0.0
                for k, value in block.pairs():
                    subtotal += weights[offset + k] * value
                total += subtotal
                offset += block.width
        return total

    return weighted_sum


class OneHotBlock:
    """One-hot columns kept as the index of the 1, shape (n,): enough for a weighted sum."""

    def __init__(self, columns: Array, width: int, xp: Namespace) -> None:
        self.width = width
        self.known = columns >= 0
        self.safe = xp.where(self.known, columns, 0 * columns)
        self.shape = (width, columns.shape[0])


class TermCounts:
    """Counts or weights of terms for n rows, most of them zero.

    Attributes
    ----------
    starts : ndarray, shape (n + 1,)
        Index of each row's first term.
    columns, values : ndarray
        Column and value of each term, columns in ascending order within a row.
    width : int
        How many terms there are.

    """

    def __init__(
        self, starts: np.ndarray, columns: np.ndarray, values: np.ndarray, width: int
    ) -> None:
        self.starts, self.columns, self.values, self.width = starts, columns, values, width
        self.shape = (width, len(starts) - 1)

    def pairs(self) -> Iterator[tuple[int, float]]:
        """Yield column and value of each term of the first row."""
        return zip(self.columns.tolist(), self.values.tolist(), strict=True)

    def row_indices(self) -> np.ndarray:
        """Return the row of each term."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def weighted(self, weights: np.ndarray) -> np.ndarray:
        """Return weighted sums, shape (outputs, n), added in order."""
        rows, row_indices = len(self.starts) - 1, self.row_indices()
        parts = np.take(weights, self.columns, axis=1) * self.values
        return np.stack([np.bincount(row_indices, part, minlength=rows) for part in parts])


def _rows(block: Array | OneHotBlock | TermCounts) -> int:
    return int(block.shape[1])


class Kernel(Operation, tag="kernel", frozen=True):
    """Similarity of a row to each of several vectors: radial, polynomial or sigmoid kernel."""

    vectors: str
    kind: Literal["rbf", "poly", "sigmoid", "linear"]
    gamma: float = 1.0
    offset: float = 0.0
    degree: int = 1

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        vectors = reader.floats(self.vectors, None, check_numbers(operands))
        require(
            math.isfinite(self.gamma) and math.isfinite(self.offset),
            "gamma or offset is not finite",
        )
        require(0 <= self.degree <= 64, f"degree is {self.degree}, expected 0 to 64")
        require(len(vectors), "expected at least one vector")
        return Shape("numbers", vectors.shape[0])

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        x, vectors = operands[0], arrays[self.vectors]
        total = xp.zeros((vectors.shape[0], x.shape[1]))
        for k in range(x.shape[0]):
            column, coordinates = xp.reshape(x[k, :], (1, -1)), vectors[:, k : k + 1]
            total += (column - coordinates) ** 2 if self.kind == "rbf" else column * coordinates
        if self.kind == "rbf":
            return arithmetic.exp(-self.gamma * total, xp, arrays[POWERS_KEY])
        if self.kind == "linear":
            return total
        total = self.gamma * total + self.offset
        if self.kind == "sigmoid":
            return arithmetic.tanh(total, xp, arrays[POWERS_KEY])
        power = xp.ones_like(total)
        for _ in range(self.degree):
            power = power * total
        return power


class Distances(Operation, tag="distances", frozen=True):
    """Squared Euclidean distance to each centre."""

    centres: str

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        centres = reader.floats(self.centres, None, check_numbers(operands))
        require(len(centres), "expected at least one centre")
        return Shape("numbers", centres.shape[0])

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        x, centres = operands[0], arrays[self.centres]
        total = xp.zeros((centres.shape[0], x.shape[1]))
        for k in range(x.shape[0]):
            difference = xp.reshape(x[k, :], (1, -1)) - centres[:, k : k + 1]
            total += difference * difference
        return total


class PairwiseVotes(Operation, tag="duels", frozen=True):
    """Margins of each pair of classes, turned into one number per class.

    A positive margin is a vote for the first class of the pair. With `rank`, the
    sums of the margins, scaled to less than a third, are added to break ties.
    """

    classes: int
    rank: bool

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        width = check_numbers(operands)
        require(1 < self.classes <= 512, f"expected 2 to 512 classes, got {self.classes}")
        pairs = self.classes * (self.classes - 1) // 2
        require(width == pairs, f"expected one margin for each of {pairs} pairs, got {width}")
        return Shape("numbers", self.classes)

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        x = operands[0]
        votes = [xp.zeros(x.shape[1]) for _ in range(self.classes)]
        sums = [xp.zeros(x.shape[1]) for _ in range(self.classes)]
        k = 0
        for i in range(self.classes):
            for j in range(i + 1, self.classes):
                won = xp.astype(x[k, :] > 0, xp.float64)
                votes[i], votes[j] = votes[i] + won, votes[j] + (1.0 - won)
                sums[i], sums[j] = sums[i] + x[k, :], sums[j] - x[k, :]
                k += 1
        vote_counts, total = xp.stack(votes), xp.stack(sums)
        return vote_counts + total / (3 * (xp.abs(total) + 1)) if self.rank else vote_counts


MODELS = (Linear, Kernel, Distances, PairwiseVotes)
"""Operations of models without trees."""
