"""Writes packed models: inputs, operations and arrays, in the order in which they are added."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from lockgate.data.columns.inputs import ColumnInput
from lockgate.errors import PackedFormatError
from lockgate.models.packed.format.container import DTYPES, require, write
from lockgate.models.packed.format.header import (
    FORMAT,
    OPERATIONS,
    VERSION,
    Answers,
    Header,
    infer_shapes,
)
from lockgate.models.packed.format.operation import ArrayReader, Operation, Shape
from lockgate.suggestions import nearest

__all__ = ["Builder", "FieldValue", "smallest_dtype"]

FieldValue: TypeAlias = str | float | tuple[object, ...] | None
"""A field of an operation; texts may be names of arrays."""


class Builder:
    """Collects the parts of a packed model, and writes the file.

    Attributes
    ----------
    inputs : list of ColumnInput
        Columns that the model needs.
    shapes : list of Shape
        Shape of the result of each operation added so far.
    checked : set of int
        Operations that stay for a check of their numbers, though the prediction may not use them.

    """

    def __init__(self, inputs: Sequence[ColumnInput]) -> None:
        self.inputs = list(inputs)
        self.ops: list[Operation] = []
        self.shapes: list[Shape] = []
        self.arrays: dict[str, np.ndarray] = {}
        self.checked: set[int] = set()
        self._known: dict[Any, Any] = {}

    def array(self, values: ArrayLike, dtype: str = "f8") -> str:
        """Add an array and return its name; equal arrays are stored once."""
        array = np.ascontiguousarray(values, dtype=DTYPES[dtype])
        if dtype == "f8":
            array = array + 0.0  # no negative zeros: they would make equal models differ
        key = (dtype, array.shape, array.tobytes())
        if key not in self._known:
            name = f"a{len(self.arrays):04d}"
            self.arrays[name] = array
            self._known[key] = name
        return str(self._known[key])

    def add(self, kind: Callable[..., Operation] | str, /, *of: int, **fields: FieldValue) -> int:
        """Check and add an operation; return its index. Equal operations are added once."""
        if isinstance(kind, str):
            suggestion = nearest(kind, map(str, OPERATIONS))
            require(kind in OPERATIONS, f"unknown operation {kind!r}{suggestion}")
            kind = cast(Callable[..., Operation], OPERATIONS[kind])
            # fields may also have the names that they have in the file
            config: Any = kind
            names = dict(
                zip(config.__struct_encode_fields__, config.__struct_fields__, strict=True)
            )
            fields = {names.get(name, name): value for name, value in fields.items()}
        try:
            op = kind(of=tuple(of), **fields)
            hash(op)
        except TypeError as error:
            raise PackedFormatError(f"operation {_name_of(kind)}: {error}") from None
        if op not in self._known:
            reader = ArrayReader(self.inputs, self.arrays)
            self.shapes.append(op.infer([self.shapes[operand] for operand in of], reader))
            self.ops.append(op)
            self._known[op] = len(self.ops) - 1
        return int(self._known[op])

    def width(self, index: int) -> int:
        """Return the number of columns of an operation's result."""
        return self.shapes[index].width

    def _prune(self, answers: Answers) -> None:
        """Remove operations that the prediction does not need, and arrays no longer used."""
        required = {answers.label, answers.score, answers.margin, *self.checked}
        for index in range(len(self.ops) - 1, -1, -1):
            if index in required:
                required.update(self.ops[index].of)
        retained = [index for index in range(len(self.ops)) if index in required]
        self.new_indices = {index: k for k, index in enumerate(retained)}
        ops = [
            msgspec.structs.replace(op, of=tuple(map(self.new_indices.__getitem__, op.of)))
            for op in (self.ops[k] for k in retained)
        ]
        used = {value for op in ops for value in _text_fields(op).values()}
        names = {
            name: f"a{k:04d}"
            for k, name in enumerate(array_name for array_name in self.arrays if array_name in used)
        }
        self.ops = [
            msgspec.structs.replace(
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
        classes: Sequence[str | float | bool],
        answers: Answers,
        *,
        tolerance: float = 0.0,
        derived: Sequence[dict[str, str]] = (),
    ) -> bytes:
        """Return the content of the file.

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


def _name_of(kind: Any) -> str:
    return str(kind.__struct_config__.tag)


def _text_fields(op: Operation) -> dict[str, str]:
    """Return an operation's text fields: names of arrays, among others."""
    return {
        name: value for name in op.__struct_fields__ if isinstance(value := getattr(op, name), str)
    }


def smallest_dtype(values: np.ndarray) -> str:
    """Return the smallest unsigned dtype that fits the values."""
    top = int(np.max(values)) if np.size(values) else 0
    return "u1" if top < 1 << 8 else "u2" if top < 1 << 16 else "u4"
