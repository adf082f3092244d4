"""How far rounding alone may take two programs that compute the same numbers.

Two programs that add the same terms in another order differ by about the unit roundoff times the
sum of the terms' sizes (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section
4.2): where terms of 10,000 cancel to 0.1, relative to the latter by much more than it. The sizes
are carried from operation to operation, as in a running error analysis (section 3.3 there).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.contract.recipes import NUMERIC
from lockgate.data.columns.parsing import read_columns
from lockgate.data.columns.rejections import RejectedRows
from lockgate.models.packed.format.forest import Forest
from lockgate.models.packed.format.linear import Kernel, Linear
from lockgate.models.packed.format.numeric import Apply, Arith, Concat, Select
from lockgate.models.packed.format.operation import Operation
from lockgate.models.packed.format.outputs import Isotonic
from lockgate.models.packed.runtime.model import PackedModel

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["rounding_bound"]

Array = np.ndarray[Any, np.dtype[Any]]

ROUNDINGS = 256 * np.finfo(float).eps
"""Roundings of the sum of all sizes by which results may differ: sums of thousands of terms are
rounded as often, but hardly ever all in one direction."""

LARGEST_OF_PROBABILITIES = 1e-9
"""Difference of a probability that no rounding excuses."""


def rounding_bound(model: object, frame: pd.DataFrame) -> Array:
    """Return by how much rounding may change each row's numbers, shape (n,).

    Those are the values of a regression, else the probabilities, and then the bound is at most
    1e-9, else the margins. Sums over trees are added in the order of the trees; those of
    XGBoost in 32 bits, so that the tolerance of the file is relative to where they begin.

    Parameters
    ----------
    model : PackedModel
        The model; of other formats nothing is known, and the bound is 0.
    frame : DataFrame, shape (n, features)
        The rows.

    """
    bound = np.zeros(len(frame))
    if not isinstance(model, PackedModel):
        return bound
    cells, rows = read_columns(model.inputs, frame, RejectedRows())
    answers, header = model.header.answers, model.header
    index = answers.label if header.task in NUMERIC else answers.score
    if index is None:
        index = answers.margin
    if index is None:
        return bound
    sizes = _Sizes(model, cells, rows)
    with np.errstate(all="ignore"):
        size = np.nan_to_num(sizes.of(index).max(axis=0, initial=0.0), posinf=0.0)
    has_trees = any(isinstance(op, Forest) for op in header.ops)
    bound = size * max(ROUNDINGS, header.tolerance if has_trees else 0.0)
    is_probability = answers.score is not None and header.task not in NUMERIC
    return np.asarray(np.minimum(bound, LARGEST_OF_PROBABILITIES) if is_probability else bound)


class _Sizes:
    """Sizes that the rounding of an operation's numbers is relative to, shape (width, n)."""

    def __init__(self, model: PackedModel, cells: Sequence[Array], rows: int) -> None:
        self._model, self._cells, self._rows = model, cells, rows
        self._known: dict[int, Array] = {}

    def of(self, index: int) -> Array:
        if index not in self._known:
            self._known[index] = self._compute(index)
        return self._known[index]

    def _numbers(self, index: int) -> Array:
        return self._model.compute_operation(index, self._cells, self._rows)

    def _compute(self, index: int) -> Array:
        """Return the sizes; 0 for what is exact, or not known to be rounded."""
        op = self._model.header.ops[index]
        shapes = [self._model.shapes[k] for k in op.of]
        if isinstance(op, Forest):  # sums begin there
            base = np.abs(self._model.arrays[op.base])[:, None]
            return np.broadcast_to(base, (len(base), self._rows))
        if not shapes or any(shape.kind != "numbers" for shape in shapes):
            return np.zeros((1, self._rows))
        sizes = [
            np.broadcast_to(self.of(k), (shape.width, self._rows))
            if len(self.of(k)) == 1
            else self.of(k)
            for k, shape in zip(op.of, shapes, strict=True)
        ]
        if isinstance(op, Linear):
            return self._of_linear(op, sizes)
        if isinstance(op, Concat):
            return np.concatenate(sizes)
        if isinstance(op, Select):
            return sizes[0][list(op.columns)]
        if isinstance(op, Isotonic):
            x, y = self._model.arrays[op.x], self._model.arrays[op.y]
            steepest = np.max(np.abs(np.diff(y) / np.diff(x)), initial=0.0)
            return np.asarray((sizes[0] + np.abs(self._numbers(op.of[0]))) * steepest)
        if isinstance(op, (Arith, Kernel, Apply)):
            return self._of_single(index, op, sizes[0])
        largest = [size.max(axis=0, initial=0.0) for size in sizes]
        return np.asarray(np.max(largest, axis=0)[None, :])

    def _of_single(self, index: int, op: Operation, size: Array) -> Array:
        """Return the sizes of an operation on one block: what it carries on, and its result."""
        result = np.abs(self._numbers(index))
        if isinstance(op, Kernel):
            numbers = self._numbers(op.of[0])
            return result + _carried_by_kernel(op, size, numbers, self._model.arrays[op.vectors])
        if isinstance(op, Apply):
            if op.function in ("exp", "expm1"):
                return np.asarray(np.exp(self._numbers(op.of[0])) * np.maximum(size, 1.0))
            return np.asarray(size * (0.25 if op.function == "sigmoid" else 1.0))
        if isinstance(op, Arith) and op.how in ("multiply", "divide"):
            constant = np.abs(self._model.arrays[op.values])[:, None]
            size = size * constant if op.how == "multiply" else size / constant
        return np.asarray(size + result)

    def _of_linear(self, op: Linear, sizes: list[Array]) -> Array:
        arrays = self._model.arrays
        blocks = [np.abs(self._numbers(k)) + size for k, size in zip(op.of, sizes, strict=True)]
        weights, bias = np.abs(arrays[op.weights]), np.abs(arrays[op.bias])[:, None]
        return np.asarray(weights @ np.nan_to_num(np.concatenate(blocks)) + bias)


def _carried_by_kernel(op: Kernel, size: Array, numbers: Array, vectors: Array) -> Array:
    """Return the sizes that similarities take over from their operand, and from their sums."""
    if op.kind == "rbf":  # the slope of exp is its value
        squares = np.zeros((len(vectors), numbers.shape[1]))
        exponent = np.zeros_like(squares)
        for k in range(len(numbers)):
            difference = numbers[k][None, :] - vectors[:, k : k + 1]
            squares += difference**2
            exponent += 2 * np.abs(difference) * size[k]
        gamma = abs(op.gamma)
        return np.asarray(gamma * (exponent + squares) * np.exp(-gamma * squares))
    total = np.abs(vectors) @ (np.abs(numbers) + size)
    if op.kind == "linear":
        return np.asarray(total)
    total = abs(op.gamma) * total + abs(op.offset)
    if op.kind == "sigmoid":
        return np.asarray(total)
    value = np.abs(op.gamma * (vectors @ numbers) + op.offset)
    return np.asarray(op.degree * value ** max(op.degree - 1, 0) * total)
