"""Operations of models without trees: weighted sums, distances, and what makes them answers."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from lockgate.packed import exact
from lockgate.packed.cells import POWERS
from lockgate.packed.container import need
from lockgate.packed.shapes import Look, Operation, Shape, bounded, numbers

__all__ = ["MODELS", "Linear"]


class Linear(Operation, tag="linear", frozen=True):
    """Weighted sums: the bias, then each column's product, first to last.

    Several operands are taken as side by side. Counts of terms are added up by
    themselves first, in the order of their columns.
    """

    weights: str
    bias: str

    def infer(self, given: Sequence[Shape], look: Look) -> Shape:
        need(given and all(one.kind in ("numbers", "terms") for one in given), "numbers expected")
        width = sum(one.width for one in given)
        weights = look.floats(self.weights, None, width)
        look.floats(self.bias, weights.shape[0])
        need(weights.shape[0], "no output")
        return Shape("numbers", weights.shape[0])

    def run(self, given: Sequence[Any], a: Mapping[str, Any], xp: Any) -> Any:
        weights = a[self.weights]
        rows = next(_rows(one) for one in given)
        total = xp.reshape(a[self.bias], (-1, 1)) + xp.zeros((weights.shape[0], rows))
        at = 0
        for one in given:
            if isinstance(one, Hot):
                part = xp.take(weights[:, at : at + one.width], one.safe, axis=1)
                total = total + xp.where(one.known, part, 0.0 * part)
                at += one.width
            elif isinstance(one, Terms):
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


class Hot:
    """One-hot columns kept as their code's place, shape (n,): a weighted sum needs no more."""

    def __init__(self, places: Any, width: int, xp: Any) -> None:
        self.width = width
        self.known = places >= 0
        self.safe = xp.where(self.known, places, 0 * places)
        self.shape = (width, places.shape[0])


class Terms:
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


class Softmax(Operation, tag="softmax", frozen=True):
    """e to each number, as a share of their sum."""

    def infer(self, given: Sequence[Shape], look: Look) -> Shape:
        return Shape("numbers", numbers(given))

    def run(self, given: Sequence[Any], a: Mapping[str, Any], xp: Any) -> Any:
        x = given[0]
        raised = exact.exp(x - xp.max(x, axis=0), xp, a[POWERS])
        return raised / exact.ordered_sum(raised, xp)

    def row(self, a: Mapping[str, np.ndarray]) -> Any:
        def answer(x: list[float]) -> list[float]:
            top = max(x)
            raised = [exact.exp_one(v - top) for v in x]
            total = exact.ordered_sum_one(raised)
            return [v / total for v in raised]

        return answer


class Share(Operation, tag="share", frozen=True):
    """Each number as a share of the sum; where that is zero, equal shares or zeros."""

    empty: Literal["equal", "zero"]

    def infer(self, given: Sequence[Shape], look: Look) -> Shape:
        return Shape("numbers", numbers(given))

    def run(self, given: Sequence[Any], a: Mapping[str, Any], xp: Any) -> Any:
        x = given[0]
        total = exact.ordered_sum(x, xp)
        rest = 1.0 / x.shape[0] if self.empty == "equal" else 0.0
        return xp.where(
            total == 0, rest * xp.ones_like(x), x / xp.where(total == 0, 1.0 + total, total)
        )

    def row(self, a: Mapping[str, np.ndarray]) -> Any:
        equal = self.empty == "equal"

        def answer(x: list[float]) -> list[float]:
            total = exact.ordered_sum_one(x)
            if total == 0:
                return [1.0 / len(x) if equal else 0.0] * len(x)
            return [v / total for v in x]

        return answer


class Pair(Operation, tag="pair", frozen=True):
    """The probability p as two: 1 - p and p."""

    def infer(self, given: Sequence[Shape], look: Look) -> Shape:
        need(numbers(given) == 1, "one probability expected")
        return Shape("numbers", 2)

    def run(self, given: Sequence[Any], a: Mapping[str, Any], xp: Any) -> Any:
        return xp.concat([1.0 - given[0], given[0]], axis=0)

    def row(self, a: Mapping[str, np.ndarray]) -> Any:
        return lambda x: [1.0 - x[0], x[0]]


class Average(Operation, tag="average", frozen=True):
    """Weighted mean of equal blocks: products first to last, then divided by the total weight."""

    weights: tuple[float, ...]
    divide: bool = True

    def infer(self, given: Sequence[Shape], look: Look) -> Shape:
        width = numbers(given, None)
        need(all(one.width == width for one in given), "blocks of equal width expected")
        need(len(self.weights) == len(given), "one weight an operand expected")
        need(all(map(math.isfinite, self.weights)), "a weight that is not finite")
        need(not self.divide or sum(self.weights) != 0, "weights that add up to zero")
        return Shape("numbers", width)

    def run(self, given: Sequence[Any], a: Mapping[str, Any], xp: Any) -> Any:
        total = given[0] * self.weights[0]
        for block, weight in zip(given[1:], self.weights[1:], strict=True):
            total = total + block * weight
        return total / exact.ordered_sum_one(self.weights) if self.divide else total

    def row(self, a: Mapping[str, np.ndarray]) -> Any:
        weights = self.weights
        size = exact.ordered_sum_one(weights) if self.divide else 1.0

        def answer(*blocks: list[float]) -> list[float]:
            total = [v * weights[0] for v in blocks[0]]
            for block, weight in zip(blocks[1:], weights[1:], strict=True):
                total = [t + v * weight for t, v in zip(total, block, strict=True)]
            return [t / size for t in total]

        return answer


class ArgMax(Operation, tag="argmax", frozen=True):
    """The place of the largest number, the first of several, as a number."""

    def infer(self, given: Sequence[Shape], look: Look) -> Shape:
        numbers(given)
        return Shape("numbers", 1)

    def run(self, given: Sequence[Any], a: Mapping[str, Any], xp: Any) -> Any:
        return xp.astype(xp.reshape(xp.argmax(given[0], axis=0), (1, -1)), xp.float64)

    def row(self, a: Mapping[str, np.ndarray]) -> Any:
        return lambda x: [float(x.index(max(x)))]


class Above(Operation, tag="above", frozen=True):
    """1 where the one number is above a limit, else 0; `strict`: not where it is equal."""

    limit: float
    strict: bool

    def infer(self, given: Sequence[Shape], look: Look) -> Shape:
        need(numbers(given) == 1, "one column expected")
        need(math.isfinite(self.limit), "a limit that is not finite")
        return Shape("numbers", 1)

    def run(self, given: Sequence[Any], a: Mapping[str, Any], xp: Any) -> Any:
        x = given[0]
        return xp.astype(x > self.limit if self.strict else x >= self.limit, xp.float64)

    def row(self, a: Mapping[str, np.ndarray]) -> Any:
        limit = self.limit
        if self.strict:
            return lambda x: [1.0 if x[0] > limit else 0.0]
        return lambda x: [1.0 if x[0] >= limit else 0.0]


class Votes(Operation, tag="votes", frozen=True):
    """Weighted votes for each of `classes` places, from operands that each name one place."""

    weights: tuple[float, ...]
    classes: int

    def infer(self, given: Sequence[Shape], look: Look) -> Shape:
        need(numbers(given, None) == 1 and all(one.width == 1 for one in given), "one place each")
        need(len(self.weights) == len(given), "one weight an operand expected")
        need(all(map(math.isfinite, self.weights)), "a weight that is not finite")
        bounded(self.classes)
        need(self.classes > 0, "no class")
        return Shape("numbers", self.classes)

    def run(self, given: Sequence[Any], a: Mapping[str, Any], xp: Any) -> Any:
        places = xp.reshape(xp.arange(self.classes, dtype=xp.float64), (-1, 1))
        total = 0.0 * (places + given[0])
        for one, weight in zip(given, self.weights, strict=True):
            total = total + weight * xp.astype(places == one, xp.float64)
        return total


class Isotonic(Operation, tag="isotonic", frozen=True):
    """Linear interpolation between rising points, constant outside of them."""

    x: str
    y: str

    def infer(self, given: Sequence[Shape], look: Look) -> Shape:
        need(numbers(given) == 1, "one column expected")
        x = look.floats(self.x, None)
        look.floats(self.y, len(x))
        need(len(x) and (np.diff(x) > 0).all(), "points that do not rise")
        return Shape("numbers", 1)

    def run(self, given: Sequence[Any], a: Mapping[str, Any], xp: Any) -> Any:
        value, x, y = given[0][0, :], a[self.x], a[self.y]
        last = x.shape[0] - 1
        if last == 0:
            return xp.reshape(xp.take(y, xp.zeros(value.shape, dtype=xp.int64)), (1, -1))
        right = xp.astype(xp.searchsorted(x, value, side="right"), xp.int64)
        right = xp.clip(right, 1, last)
        x0, x1 = xp.take(x, right - 1), xp.take(x, right)
        y0, y1 = xp.take(y, right - 1), xp.take(y, right)
        found = y0 + (value - x0) * ((y1 - y0) / (x1 - x0))
        found = xp.where(value <= x[0], y[0], xp.where(value >= x[last], y[last], found))
        return xp.reshape(found, (1, -1))

    def row(self, a: Mapping[str, np.ndarray]) -> Any:
        x, y = a[self.x].tolist(), a[self.y].tolist()
        last = len(x) - 1

        def answer(given: list[float]) -> list[float]:
            value = given[0]
            if value <= x[0]:
                return [y[0]]
            if value >= x[last]:
                return [y[last]]
            right = min(max(bisect_right(x, value), 1), last)
            slope = (y[right] - y[right - 1]) / (x[right] - x[right - 1])
            return [y[right - 1] + (value - x[right - 1]) * slope]

        return answer


class Kernel(Operation, tag="kernel", frozen=True):
    """Similarity of a row to each of some vectors: a radial, polynomial or sigmoid kernel."""

    vectors: str
    kind: Literal["rbf", "poly", "sigmoid", "linear"]
    gamma: float = 1.0
    offset: float = 0.0
    degree: int = 1

    def infer(self, given: Sequence[Shape], look: Look) -> Shape:
        vectors = look.floats(self.vectors, None, numbers(given))
        need(math.isfinite(self.gamma) and math.isfinite(self.offset), "not finite")
        need(0 <= self.degree <= 64 and len(vectors), "a degree from 0 to 64 expected")
        return Shape("numbers", vectors.shape[0])

    def run(self, given: Sequence[Any], a: Mapping[str, Any], xp: Any) -> Any:
        x, vectors = given[0], a[self.vectors]
        total = xp.zeros((vectors.shape[0], x.shape[1]))
        for k in range(x.shape[0]):
            column, own = xp.reshape(x[k, :], (1, -1)), vectors[:, k : k + 1]
            total += (column - own) ** 2 if self.kind == "rbf" else column * own
        if self.kind == "rbf":
            return exact.exp(-self.gamma * total, xp, a[POWERS])
        if self.kind == "linear":
            return total
        total = self.gamma * total + self.offset
        if self.kind == "sigmoid":
            return exact.tanh(total, xp, a[POWERS])
        made = xp.ones_like(total)
        for _ in range(self.degree):
            made = made * total
        return made


class Distances(Operation, tag="distances", frozen=True):
    """Squared Euclidean distance to each centre."""

    centres: str

    def infer(self, given: Sequence[Shape], look: Look) -> Shape:
        centres = look.floats(self.centres, None, numbers(given))
        need(len(centres), "no centre")
        return Shape("numbers", centres.shape[0])

    def run(self, given: Sequence[Any], a: Mapping[str, Any], xp: Any) -> Any:
        x, centres = given[0], a[self.centres]
        total = xp.zeros((centres.shape[0], x.shape[1]))
        for k in range(x.shape[0]):
            apart = xp.reshape(x[k, :], (1, -1)) - centres[:, k : k + 1]
            total += apart * apart
        return total


class Duels(Operation, tag="duels", frozen=True):
    """Margins of each pair of classes, turned into one number a class.

    A positive margin is a vote for the first of the pair. `rank` adds the sums of
    the margins, squeezed to less than a third, to break ties.
    """

    classes: int
    rank: bool

    def infer(self, given: Sequence[Shape], look: Look) -> Shape:
        width = numbers(given)
        need(1 < self.classes <= 4096, "2 to 4096 classes expected")
        need(width == self.classes * (self.classes - 1) // 2, "one margin a pair expected")
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


MODELS = (
    Linear, Softmax, Share, Pair, Average, ArgMax, Above, Votes, Isotonic, Kernel, Distances, Duels,
)  # fmt: skip
"""Operations of models without trees."""
