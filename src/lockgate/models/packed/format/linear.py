"""Operations of models without trees: weighted sums, kernels, distances, duels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from lockgate.models.packed.format import arithmetic
from lockgate.models.packed.format.container import require
from lockgate.models.packed.format.operation import (
    POWERS_KEY,
    ArrayReader,
    Operation,
    Shape,
    numbers,
)

__all__ = ["MODELS", "Linear"]


class Linear(Operation, tag="linear", frozen=True):
    """Weighted sums: the bias, then each column's product, first to last.

    Several operands are taken as side by side. Counts of terms are added up by
    themselves first, in the order of their columns.
    """

    weights: str
    bias: str

    def infer(self, given: Sequence[Shape], look: ArrayReader) -> Shape:
        require(
            given and all(one.kind in ("numbers", "terms") for one in given), "numbers expected"
        )
        width = sum(one.width for one in given)
        weights = look.floats(self.weights, None, width)
        look.floats(self.bias, weights.shape[0])
        require(weights.shape[0], "no output")
        return Shape("numbers", weights.shape[0])

    def run(self, given: Sequence[Any], a: Mapping[str, Any], xp: Any) -> Any:
        weights = a[self.weights]
        rows = next(_rows(one) for one in given)
        total = xp.reshape(a[self.bias], (-1, 1)) + xp.zeros((weights.shape[0], rows))
        at = 0
        for one in given:
            if isinstance(one, OneHotBlock):
                part = xp.take(weights[:, at : at + one.width], one.safe, axis=1)
                total = total + xp.where(one.known, part, 0.0 * part)
                at += one.width
            elif isinstance(one, TermCounts):
                total = total + one.weighted(weights[:, at : at + one.width])
                at += one.width
            else:
                for k in range(one.shape[0]):
                    total += weights[:, at : at + 1] * one[k, :]
                    at += 1
        return total

    def row(self, a: Mapping[str, np.ndarray]) -> Any:
        weights, bias = a[self.weights].tolist(), (a[self.bias] + 0.0).tolist()
        if len(weights) > 1:
            singles = [_weighted(one, start) for one, start in zip(weights, bias, strict=True)]
            return lambda *blocks: [single(*blocks) for single in singles]
        single = _weighted(weights[0], bias[0])
        return lambda *blocks: [single(*blocks)]


def _weighted(weights: list[float], bias: float) -> Any:
    """Make the weighted sum of one row's blocks: lists of numbers, places, terms."""

    def answer(*blocks: Any) -> float:
        total, at = bias, 0
        for block in blocks:
            if isinstance(block, list):
                for value, weight in zip(block, weights[at:] if at else weights, strict=False):
                    total += weight * value
                at += len(block)
            elif isinstance(block, tuple):
                place, width = block
                if place >= 0:
                    total += weights[at + place]
                at += width
            else:
                own = 0.0
                for k, value in block.pairs():
                    own += weights[at + k] * value
                total += own
                at += block.width
        return total

    return answer


class OneHotBlock:
    """One-hot columns kept as their code's place, shape (n,): a weighted sum needs no more."""

    def __init__(self, places: Any, width: int, xp: Any) -> None:
        self.width = width
        self.known = places >= 0
        self.safe = xp.where(self.known, places, 0 * places)
        self.shape = (width, places.shape[0])


class TermCounts:
    """Counts or weights of terms for n rows, most of them zero.

    Attributes
    ----------
    starts : ndarray, shape (n + 1,)
        Where each row's terms begin.
    places, values : ndarray
        Column and number of each term, columns rising within a row.
    width : int
        How many terms there are.

    """

    def __init__(self, starts: Any, places: Any, values: Any, width: int) -> None:
        self.starts, self.places, self.values, self.width = starts, places, values, width
        self.shape = (width, len(starts) - 1)

    def pairs(self) -> Any:
        """Yield place and number of each term of the first row."""
        return zip(self.places.tolist(), self.values.tolist(), strict=True)

    def owners(self) -> Any:
        """Return the row of each term."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def weighted(self, weights: Any) -> Any:
        """Return weighted sums, shape (outputs, n), added in order."""
        rows, owners = len(self.starts) - 1, self.owners()
        parts = np.take(weights, self.places, axis=1) * self.values
        return np.stack([np.bincount(owners, one, minlength=rows) for one in parts])


def _rows(block: Any) -> int:
    return int(block.shape[1])


class Kernel(Operation, tag="kernel", frozen=True):
    """Similarity of a row to each of some vectors: a radial, polynomial or sigmoid kernel."""

    vectors: str
    kind: Literal["rbf", "poly", "sigmoid", "linear"]
    gamma: float = 1.0
    offset: float = 0.0
    degree: int = 1

    def infer(self, given: Sequence[Shape], look: ArrayReader) -> Shape:
        vectors = look.floats(self.vectors, None, numbers(given))
        require(math.isfinite(self.gamma) and math.isfinite(self.offset), "not finite")
        require(0 <= self.degree <= 64 and len(vectors), "a degree from 0 to 64 expected")
        return Shape("numbers", vectors.shape[0])

    def run(self, given: Sequence[Any], a: Mapping[str, Any], xp: Any) -> Any:
        x, vectors = given[0], a[self.vectors]
        total = xp.zeros((vectors.shape[0], x.shape[1]))
        for k in range(x.shape[0]):
            column, own = xp.reshape(x[k, :], (1, -1)), vectors[:, k : k + 1]
            total += (column - own) ** 2 if self.kind == "rbf" else column * own
        if self.kind == "rbf":
            return arithmetic.exp(-self.gamma * total, xp, a[POWERS_KEY])
        if self.kind == "linear":
            return total
        total = self.gamma * total + self.offset
        if self.kind == "sigmoid":
            return arithmetic.tanh(total, xp, a[POWERS_KEY])
        made = xp.ones_like(total)
        for _ in range(self.degree):
            made = made * total
        return made


class Distances(Operation, tag="distances", frozen=True):
    """Squared Euclidean distance to each centre."""

    centres: str

    def infer(self, given: Sequence[Shape], look: ArrayReader) -> Shape:
        centres = look.floats(self.centres, None, numbers(given))
        require(len(centres), "no centre")
        return Shape("numbers", centres.shape[0])

    def run(self, given: Sequence[Any], a: Mapping[str, Any], xp: Any) -> Any:
        x, centres = given[0], a[self.centres]
        total = xp.zeros((centres.shape[0], x.shape[1]))
        for k in range(x.shape[0]):
            apart = xp.reshape(x[k, :], (1, -1)) - centres[:, k : k + 1]
            total += apart * apart
        return total


class PairwiseVotes(Operation, tag="duels", frozen=True):
    """Margins of each pair of classes, turned into one number a class.

    A positive margin is a vote for the first of the pair. `rank` adds the sums of
    the margins, squeezed to less than a third, to break ties.
    """

    classes: int
    rank: bool

    def infer(self, given: Sequence[Shape], look: ArrayReader) -> Shape:
        width = numbers(given)
        require(1 < self.classes <= 512, "2 to 512 classes expected")
        require(width == self.classes * (self.classes - 1) // 2, "one margin a pair expected")
        return Shape("numbers", self.classes)

    def run(self, given: Sequence[Any], a: Mapping[str, Any], xp: Any) -> Any:
        x = given[0]
        votes = [xp.zeros(x.shape[1]) for _ in range(self.classes)]
        sums = [xp.zeros(x.shape[1]) for _ in range(self.classes)]
        k = 0
        for i in range(self.classes):
            for j in range(i + 1, self.classes):
                won = xp.astype(x[k, :] > 0, xp.float64)
                votes[i], votes[j] = votes[i] + won, votes[j] + (1.0 - won)
                sums[i], sums[j] = sums[i] + x[k, :], sums[j] - x[k, :]
                k += 1
        found, total = xp.stack(votes), xp.stack(sums)
        return found + total / (3 * (xp.abs(total) + 1)) if self.rank else found


MODELS = (Linear, Kernel, Distances, PairwiseVotes)
"""Operations of models without trees."""
