"""Writes packed models: inputs, operations and arrays, in the order in which they are added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lockgate.data.columns.inputs import ColumnInput
from lockgate.models.packed.format.container import DTYPES, write
from lockgate.models.packed.format.header import FORMAT, VERSION, Answers, Header, shapes_of
from lockgate.models.packed.format.operation import ArrayReader, Operation, Shape

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

    def __init__(self, inputs: Sequence[ColumnInput]) -> None:
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
            look = ArrayReader(self.inputs, self.arrays)
            self.shapes.append(op.infer([self.shapes[one] for one in of], look))
            self.ops.append(op)
            self._known[op] = len(self.ops) - 1
        return int(self._known[op])

    def width(self, place: int) -> int:
        """Return how many numbers an operation gives."""
        return self.shapes[place].width

    def _prune(self, answers: Answers) -> None:
        """Leave out operations that no answer depends on, and arrays that none of the rest uses."""
        wanted = {answers.label, answers.score, answers.margin}
        for place in range(len(self.ops) - 1, -1, -1):
            if place in wanted:
                wanted.update(self.ops[place].of)
        kept = [place for place in range(len(self.ops)) if place in wanted]
        self.moved = {place: k for k, place in enumerate(kept)}
        ops = [
            _with(op, of=tuple(map(self.moved.__getitem__, op.of)))
            for op in (self.ops[k] for k in kept)
        ]
        used = {value for op in ops for value in _texts(op).values()}
        names = {
            name: f"a{k:04d}" for k, name in enumerate(one for one in self.arrays if one in used)
        }
        self.ops = [
            _with(op, **{field: names[one] for field, one in _texts(op).items() if one in names})
            for op in ops
        ]
        self.arrays = {names[name]: one for name, one in self.arrays.items() if name in names}

    def _moved_answers(self, answers: Answers) -> Answers:
        def at(place: int | None) -> int | None:
            return None if place is None else self.moved[place]

        def kept(places: Sequence[int]) -> tuple[int, ...]:
            return tuple(sorted(self.moved[one] for one in places if one in self.moved))

        return Answers(
            self.moved[answers.label],
            at(answers.score),
            at(answers.margin),
            kept(answers.finite),
            kept(answers.short),
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
        answers = self._moved_answers(answers)
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
        shapes_of(header, self.arrays)
        fields = {name: getattr(header, name) for name in header.__struct_fields__}
        return write(fields, self.arrays)


def _texts(op: Any) -> dict[str, str]:
    """Return an operation's fields that are texts: names of arrays, among others."""
    return {
        name: value for name in op.__struct_fields__ if isinstance(value := getattr(op, name), str)
    }


def _with(op: Any, **fields: Any) -> Any:
    """Return an operation with other fields."""
    return type(op)(**{**{name: getattr(op, name) for name in op.__struct_fields__}, **fields})


def smallest(values: Any) -> str:
    """Return the smallest dtype of whole numbers that holds the values."""
    top = int(np.max(values)) if np.size(values) else 0
    return "u1" if top < 1 << 8 else "u2" if top < 1 << 16 else "u4"
