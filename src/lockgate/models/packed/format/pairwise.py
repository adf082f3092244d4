"""Operation that turns margins of pairs of classes into probabilities, as LIBSVM does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lockgate.models.packed.format import arithmetic
from lockgate.models.packed.format.array_types import Array, Namespace
from lockgate.models.packed.format.container import require
from lockgate.models.packed.format.operation import (
    POWERS_KEY,
    ArrayReader,
    Operation,
    Shape,
    check_numbers,
)

__all__ = ["MAX_CLASSES", "PAIRWISE", "PairwiseProbabilities"]

SMALLEST = 1e-7
"""Smallest probability of a class against another (LIBSVM's min_prob)."""

MAX_CLASSES = 64
MAX_ITERATIONS = 100
ERROR = 0.005
"""Error at which the iteration ends, times the number of classes."""


class PairwiseProbabilities(Operation, tag="coupling", frozen=True):
    """Probabilities of all classes from the margins of each pair.

    A margin m, positive for the first class of its pair, gives that class the probability
    1 / (1 + exp(slope m + offset)) against the other (Platt, 1999). Those of all classes are
    coupled by the second method of Wu, Lin and Weng (2004), iterated as LIBSVM does.
    """

    classes: int
    slopes: str
    offsets: str

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        width = check_numbers(operands)
        require(1 < self.classes <= MAX_CLASSES, f"{self.classes} classes, expected 2 to 64")
        pairs = self.classes * (self.classes - 1) // 2
        require(width == pairs, f"expected one margin for each of {pairs} pairs, got {width}")
        reader.floats(self.slopes, pairs)
        reader.floats(self.offsets, pairs)
        return Shape("numbers", self.classes)

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        slopes, offsets = (
            xp.reshape(arrays[name], (-1, 1)) for name in (self.slopes, self.offsets)
        )
        first = arithmetic.sigmoid(-(operands[0] * slopes + offsets), xp, arrays[POWERS_KEY])
        first = xp.where(first < SMALLEST, SMALLEST + 0.0 * first, first)
        first = xp.where(first > 1 - SMALLEST, (1 - SMALLEST) + 0.0 * first, first)
        count = self.classes
        against: dict[tuple[int, int], Array] = {}
        pair = 0
        for i in range(count):
            for j in range(i + 1, count):
                against[i, j], against[j, i] = first[pair, :], 1 - first[pair, :]
                pair += 1
        return self._couple(against, xp)

    def _couple(self, against: Mapping[tuple[int, int], Array], xp: Namespace) -> Array:
        count = self.classes
        zeros = 0.0 * against[0, 1]
        q = [[zeros for _ in range(count)] for _ in range(count)]
        for t in range(count):
            for j in range(count):
                if j != t:
                    q[t][t] = q[t][t] + against[j, t] * against[j, t]
                    q[t][j] = -against[j, t] * against[t, j]
        p = [zeros + 1.0 / count for _ in range(count)]
        active = zeros == 0
        for _ in range(max(MAX_ITERATIONS, count)):
            qp = []
            for t in range(count):
                total = zeros
                for j in range(count):
                    total = total + q[t][j] * p[j]
                qp.append(total)
            pqp = zeros
            for t in range(count):
                pqp = pqp + p[t] * qp[t]
            error = zeros
            for t in range(count):
                distance = xp.abs(qp[t] - pqp)
                error = xp.where(distance > error, distance, error)
            active = active & (error >= ERROR / count)
            if not bool(xp.any(active)):
                break
            self._step(q, p, qp, pqp, active, xp)
        return xp.stack(p)

    def _step(
        self,
        q: list[list[Array]],
        p: list[Array],
        qp: list[Array],
        pqp: Array,
        active: Array,
        xp: Namespace,
    ) -> None:
        """Update the probabilities of the rows that have not converged, class by class."""
        for t in range(self.classes):
            change = (-qp[t] + pqp) / q[t][t]
            change = xp.where(active, change, 0.0 * change)
            p[t] = p[t] + change
            pqp = (pqp + change * (change * q[t][t] + 2 * qp[t])) / (1 + change) / (1 + change)
            for j in range(self.classes):
                qp[j] = (qp[j] + change * q[t][j]) / (1 + change)
                p[j] = p[j] / (1 + change)


PAIRWISE = (PairwiseProbabilities,)
"""Operations on margins of pairs."""
