"""How far rounding alone may take the sums of a model, whatever order they are added in.

Two programs that add the same terms in another order differ by about the unit roundoff times the
sum of the terms' sizes (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section
4.2): where terms of 10,000 cancel to 0.1, relative to the latter by much more than it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.data.columns.parsing import read_columns
from lockgate.data.columns.rejections import RejectedRows
from lockgate.models.packed.format.forest import Forest
from lockgate.models.packed.format.linear import Kernel, Linear
from lockgate.models.packed.format.numeric import Apply, Arith, Concat, Select
from lockgate.models.packed.format.operation import Operation
from lockgate.models.packed.runtime.model import PackedModel

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["rounding_scale"]

Array = np.ndarray[Any, np.dtype[Any]]

STEEPEST = {"sigmoid": 0.25}
"""Largest slopes of functions other than 1."""


def rounding_scale(model: object, frame: pd.DataFrame) -> Array:
    """Return the size of what rounding is relative to in each row's numbers, at least 1.

    Parameters
    ----------
    model : PackedModel
        The model; of other formats, and of sums over trees, no more is known than the result.
    frame : DataFrame, shape (n, features)
        The rows.

    Returns
    -------
    ndarray, shape (n,)

    """
    scale = np.ones(len(frame))
    if not isinstance(model, PackedModel):
        return scale
    cells, rows = read_columns(model.inputs, frame, RejectedRows())
    sizes = _Sizes(model, cells, rows)
    answers = model.header.answers
    parts = (answers.margin, answers.score)
    if model.task == "regression":
        parts = (answers.label, None)
    with np.errstate(all="ignore"):
        for index in parts:
            if index is not None:
                size = sizes.of(index).max(axis=0, initial=0.0)
                scale = np.fmax(scale, np.where(np.isfinite(size), size, 1.0))
    return scale


class _Sizes:
    """Sizes that the rounding of an operation's numbers is relative to, shape (width, n)."""

    def __init__(self, model: PackedModel, cells: Sequence[Array], rows: int) -> None:
        self._model, self._cells, self._rows = model, cells, rows
        self._known: dict[int, Array] = {}

    def of(self, index: int) -> Array:
        if index not in self._known:
            self._known[index] = self._compute(self._model.header.ops[index])
        return self._known[index]

    def _numbers(self, index: int) -> Array:
        return np.asarray(np.abs(self._signed(index)))

    def _compute(self, op: Operation) -> Array:
        """Return the sizes; 0 for what is exact, or not known to be rounded."""
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
        if isinstance(op, (Arith, Kernel, Apply)):
            return self._of_single(op, sizes[0])
        largest = [size.max(axis=0, initial=0.0) for size in sizes]
        return np.asarray(np.max(largest, axis=0)[None, :])

    def _of_single(self, op: Arith | Kernel | Apply, size: Array) -> Array:
        """Return the sizes of an operation on one block."""
        numbers = self._numbers(op.of[0])
        if isinstance(op, Kernel):
            return _of_kernel(op, size, numbers, np.abs(self._model.arrays[op.vectors]))
        if isinstance(op, Apply):
            if op.function in ("exp", "expm1"):
                return np.exp(self._signed(op.of[0])) * np.maximum(size, 1.0)
            return size * STEEPEST.get(op.function, 1.0)
        constant = np.abs(self._model.arrays[op.values])[:, None]
        if op.how in ("add", "subtract"):
            return np.asarray(size + numbers + constant)
        return np.asarray(size * constant if op.how == "multiply" else size / constant)

    def _signed(self, index: int) -> Array:
        return self._model.compute_operation(index, self._cells, self._rows)

    def _of_linear(self, op: Linear, sizes: list[Array]) -> Array:
        arrays = self._model.arrays
        blocks = [self._numbers(k) + size for k, size in zip(op.of, sizes, strict=True)]
        weights, bias = np.abs(arrays[op.weights]), np.abs(arrays[op.bias])[:, None]
        return np.asarray(weights @ np.nan_to_num(np.concatenate(blocks)) + bias)


def _of_kernel(op: Kernel, size: Array, numbers: Array, vectors: Array) -> Array:
    """Return the sizes of similarities, from above: of the sums that they are functions of."""
    products = vectors @ (numbers + size)
    if op.kind == "linear":
        return np.asarray(products)
    if op.kind == "rbf":
        squares = (numbers + size) ** 2
        return np.asarray(np.minimum(1.0, abs(op.gamma) * (squares.sum(axis=0) + 2 * products)))
    total = abs(op.gamma) * products + abs(op.offset)
    return np.asarray(total if op.kind == "sigmoid" else op.degree * total**op.degree)
