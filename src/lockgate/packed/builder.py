"""Writes packed models: inputs, operations and arrays, in the order in which they are added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lockgate.packed.container import DTYPES, write
from lockgate.packed.header import FORMAT, VERSION, Answers, Header, shapes_of
from lockgate.packed.shapes import Input, Look, Operation, Shape

__all__ = ["Builder", "smallest"]


class Builder:
    """Collects the parts of a packed model.

    Attributes
    ----------
    inputs : list of Input
        Columns that are asked for.
    shapes : list of Shape
        What each operation added so far gives.

    """

    def __init__(self, inputs: Sequence[Input]) -> None:
        self.inputs = list(inputs)
        self.ops: list[Operation] = []
        self.shapes: list[Shape] = []
        self.arrays: dict[str, np.ndarray] = {}
        self._known: dict[Any, Any] = {}

    def array(self, values: Any, dtype: str = "f8") -> str:
        """Add an array and return its name; equal arrays are kept once."""
        made = np.ascontiguousarray(values, dtype=DTYPES[dtype])
        if dtype == "f8":
            made = made + 0.0  # no negative zeros: they would make equal models differ
        key = (dtype, made.shape, made.tobytes())
        if key not in self._known:
            name = f"a{len(self.arrays):04d}"
            self.arrays[name] = made
            self._known[key] = name
        return str(self._known[key])

    def add(self, kind: Any, /, *of: int, **fields: Any) -> int:
        """Add an operation, checked, and return its place; equal operations are added once."""
        op = kind(of=tuple(of), **fields)
        if op not in self._known:
            look = Look(self.inputs, self.arrays)
            self.shapes.append(op.infer([self.shapes[one] for one in of], look))
            self.ops.append(op)
            self._known[op] = len(self.ops) - 1
        return int(self._known[op])

    def width(self, place: int) -> int:
        """Return how many numbers an operation gives."""
        return self.shapes[place].width

    def finish(
        self,
        task: str,
        classes: Sequence[Any],
        answers: Answers,
        *,
        tolerance: float = 0.0,
        derived: Sequence[dict[str, str]] = (),
    ) -> bytes:
        """Return the file.

        Raises
        ------
        PackedFormatError
            If the parts do not fit together.

        """
        header = Header(
            FORMAT, VERSION, VERSION, task, tuple(classes), tuple(self.inputs), tuple(self.ops),
            answers, {}, tolerance, tuple(derived),
        )  # fmt: skip
        shapes_of(header, self.arrays)
        fields = {name: getattr(header, name) for name in header.__struct_fields__}
        return write(fields, self.arrays)


def smallest(values: Any) -> str:
    """Return the smallest dtype of whole numbers that holds the values."""
    top = int(np.max(values)) if np.size(values) else 0
    return "u1" if top < 1 << 8 else "u2" if top < 1 << 16 else "u4"
