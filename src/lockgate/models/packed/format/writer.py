"""Writes packed models: inputs, operations and arrays, in the order in which they are added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lockgate.data.columns.inputs import ColumnInput
from lockgate.models.packed.format.container import DTYPES, write
from lockgate.models.packed.format.header import FORMAT, VERSION, Answers, Header, infer_shapes
from lockgate.models.packed.format.operation import ArrayReader, Operation, Shape

__all__ = ["Builder", "smallest_dtype"]


class Builder:
    """Collects the parts of a packed model.

    Attributes
    ----------
    inputs : list of Input
        Columns that are asked for.
    shapes : list of Shape
        What each operation added so far gives.

    """

    def __init__(self, inputs: Sequence[ColumnInput]) -> None:
        self.inputs = list(inputs)
        self.ops: list[Operation] = []
        self.shapes: list[Shape] = []
        self.arrays: dict[str, np.ndarray] = {}
        self._known: dict[Any, Any] = {}

    def array(self, values: Any, dtype: str = "f8") -> str:
        """Add an array and return its name; equal arrays are kept once."""
        array = np.ascontiguousarray(values, dtype=DTYPES[dtype])
        if dtype == "f8":
            array = array + 0.0  # no negative zeros: they would make equal models differ
        key = (dtype, array.shape, array.tobytes())
        if key not in self._known:
            name = f"a{len(self.arrays):04d}"
            self.arrays[name] = array
            self._known[key] = name
        return str(self._known[key])

    def add(self, kind: Any, /, *of: int, **fields: Any) -> int:
        """Add an operation, checked, and return its place; equal operations are added once."""
        op = kind(of=tuple(of), **fields)
        if op not in self._known:
            reader = ArrayReader(self.inputs, self.arrays)
            self.shapes.append(op.infer([self.shapes[operand] for operand in of], reader))
            self.ops.append(op)
            self._known[op] = len(self.ops) - 1
        return int(self._known[op])

    def width(self, index: int) -> int:
        """Return how many numbers an operation gives."""
        return self.shapes[index].width

    def _prune(self, answers: Answers) -> None:
        """Leave out operations that no answer depends on, and arrays that none of the rest uses."""
        required = {answers.label, answers.score, answers.margin}
        for index in range(len(self.ops) - 1, -1, -1):
            if index in required:
                required.update(self.ops[index].of)
        retained = [index for index in range(len(self.ops)) if index in required]
        self.new_indices = {index: k for k, index in enumerate(retained)}
        ops = [
            _replace(op, of=tuple(map(self.new_indices.__getitem__, op.of)))
            for op in (self.ops[k] for k in retained)
        ]
        used = {value for op in ops for value in _text_fields(op).values()}
        names = {
            name: f"a{k:04d}"
            for k, name in enumerate(array_name for array_name in self.arrays if array_name in used)
        }
        self.ops = [
            _replace(
                op,
                **{field: names[text] for field, text in _text_fields(op).items() if text in names},
            )
            for op in ops
        ]
        self.arrays = {names[name]: array for name, array in self.arrays.items() if name in names}

    def _renumber_answers(self, answers: Answers) -> Answers:
        def renumber(index: int | None) -> int | None:
            return None if index is None else self.new_indices[index]

        def renumber_retained(indices: Sequence[int]) -> tuple[int, ...]:
            return tuple(
                sorted(self.new_indices[index] for index in indices if index in self.new_indices)
            )

        return Answers(
            self.new_indices[answers.label],
            renumber(answers.score),
            renumber(answers.margin),
            renumber_retained(answers.finite),
            renumber_retained(answers.short),
        )

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
        self._prune(answers)
        answers = self._renumber_answers(answers)
        header = Header(
            FORMAT,
            VERSION,
            VERSION,
            task,
            tuple(classes),
            tuple(self.inputs),
            tuple(self.ops),
            answers,
            {},
            tolerance,
            tuple(derived),
        )
        infer_shapes(header, self.arrays)
        fields = {name: getattr(header, name) for name in header.__struct_fields__}
        return write(fields, self.arrays)


def _text_fields(op: Any) -> dict[str, str]:
    """Return an operation's fields that are texts: names of arrays, among others."""
    return {
        name: value for name in op.__struct_fields__ if isinstance(value := getattr(op, name), str)
    }


def _replace(op: Any, **fields: Any) -> Any:
    """Return an operation with other fields."""
    return type(op)(**{**{name: getattr(op, name) for name in op.__struct_fields__}, **fields})


def smallest_dtype(values: Any) -> str:
    """Return the smallest dtype of whole numbers that holds the values."""
    top = int(np.max(values)) if np.size(values) else 0
    return "u1" if top < 1 << 8 else "u2" if top < 1 << 16 else "u4"
