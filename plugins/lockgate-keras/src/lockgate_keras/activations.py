"""Layers and activation functions as operations of a packed model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lockgate.contract.conversion import ConversionTrace

__all__ = ["ACTIVATIONS", "LayerWriter", "class_name"]

ACTIVATIONS = (
    *("elu", "exponential", "hard_sigmoid", "leaky_relu", "linear", "prelu", "relu", "relu6"),
    *("selu", "sigmoid", "silu", "softmax", "softplus", "tanh"),
)
"""Activation functions that have a packed form, by Keras' names."""

SELU_SCALE, SELU_ALPHA = 1.05070098735548049342, 1.67326324235437728482
"""Klambauer et al., Self-normalizing neural networks (2017)."""


def class_name(part: object) -> str:
    """Return the name of a library's class, or the full name of a class of other code."""
    cls = type(part)
    if cls.__module__.partition(".")[0] in ("keras", "torch"):
        return cls.__name__
    return f"{cls.__module__}.{cls.__qualname__}"


class LayerWriter:
    """Adds layers to a packed model; each method takes and returns the index of an operation."""

    def __init__(self, trace: ConversionTrace) -> None:
        self._trace = trace
        self._add, self._array = trace.builder.add, trace.builder.array

    def width(self, op: int) -> int:
        """Return how many numbers an operation computes per row."""
        return self._trace.builder.width(op)

    def dense(self, op: int, weights: np.ndarray, bias: np.ndarray) -> int:
        """Add weighted sums; weights have the shape (outputs, inputs)."""
        return self._linear([op], weights, bias)

    def scaled(self, op: int, factor: np.ndarray, shift: np.ndarray) -> int:
        """Multiply each column by its own factor, and add its own number."""
        columns = self.width(op)
        factor = np.broadcast_to(np.asarray(factor, float).reshape(-1), (columns,))
        shift = np.broadcast_to(np.asarray(shift, float).reshape(-1), (columns,))
        op = self._add("arith", op, how="multiply", values=self._array(factor))
        return self._add("arith", op, how="add", values=self._array(shift))

    def weighted(self, ops: Sequence[int], factors: Sequence[float]) -> int:
        """Add blocks of equal width, each times its factor."""
        identity = np.eye(self.width(ops[0]))
        weights = np.hstack([factor * identity for factor in factors])
        return self._linear(ops, weights, np.zeros(len(identity)))

    def multiplied(self, ops: Sequence[int]) -> int:
        """Multiply blocks of equal width column by column."""
        columns = self.width(ops[0])
        factors = tuple(
            tuple(k + block * columns for block in range(len(ops))) for k in range(columns)
        )
        return self._add("products", self._add("concat", *ops), factors=factors)

    def concatenated(self, ops: Sequence[int]) -> int:
        """Put blocks side by side."""
        return self._add("concat", *ops)

    def activated(self, op: int, name: str, parameter: float | np.ndarray | None = None) -> int:
        """Apply an activation function; `parameter` is its slope or scale below zero."""
        self._trace.require(
            name in ACTIVATIONS,
            f"activation {name!r}; use one of {', '.join(ACTIVATIONS)}, or format=keras",
        )
        if name == "linear":
            return op
        if name in ("relu", "sigmoid", "tanh"):
            return self._apply(op, name)
        if name == "exponential":
            return self._apply(op, "exp")
        if name == "softmax":
            return self._add("softmax", op)
        if name in ("relu6", "hard_sigmoid"):
            return self._clipped(op, name)
        if name == "silu":
            return self.multiplied([op, self._apply(op, "sigmoid")])
        if name == "softplus":
            # log(1 + e^x) without a power of a large number
            raised = self._apply(self._apply(self._apply(op, "abs"), "negate"), "exp")
            return self.weighted([self._apply(op, "relu"), self._apply(raised, "log1p")], [1, 1])
        return self._piecewise(op, name, parameter)

    def _clipped(self, op: int, name: str) -> int:
        columns = np.ones(self.width(op))
        top = 6.0
        if name == "hard_sigmoid":
            op, top = self.scaled(op, columns / 6, columns / 2), 1.0
        return self._add("clip", op, low=self._array(0 * columns), high=self._array(top * columns))

    def _piecewise(self, op: int, name: str, parameter: float | np.ndarray | None) -> int:
        """Add a function that is the identity above zero, and another below."""
        columns = self.width(op)
        above, below = self._apply(op, "relu"), self._apply(self._apply(op, "negate"), "relu")
        factor = np.ones(columns)
        if name in ("elu", "selu"):
            below = self._apply(self._apply(below, "negate"), "expm1")
            alpha = SELU_ALPHA if name == "selu" else parameter
            factor = factor * (SELU_SCALE if name == "selu" else 1.0)
            slope = np.broadcast_to(np.asarray(alpha, float).reshape(-1), (columns,))
        else:
            slope = -np.broadcast_to(np.asarray(parameter, float).reshape(-1), (columns,))
        weights = np.hstack([np.diag(factor), np.diag(factor * slope)])
        return self._linear([above, below], weights, np.zeros(columns))

    def _linear(self, ops: Sequence[int], weights: np.ndarray, bias: np.ndarray) -> int:
        weights = np.ascontiguousarray(weights, dtype=float)
        bias = np.asarray(bias, dtype=float).reshape(-1)
        return self._add("linear", *ops, weights=self._array(weights), bias=self._array(bias))

    def _apply(self, op: int, function: str) -> int:
        return self._add("apply", op, function=function)
