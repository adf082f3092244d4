"""Reads a packed model to change it, and writes the changed one: for compressors."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from lockgate.errors import PackedFormatError
from lockgate.models.packed.format.container import DTYPES, require
from lockgate.models.packed.format.header import OPERATIONS, Header, decode
from lockgate.models.packed.format.writer import Builder
from lockgate.suggestions import nearest

__all__ = ["PackedContent"]


@dataclasses.dataclass(frozen=True)
class PackedContent:
    """The operations and arrays of a packed model.

    Attributes
    ----------
    header : Header
        Inputs, task, classes, operations, and which of them give the prediction;
        ``docs/packed-format.md`` describes all of it.
    arrays : mapping of str to ndarray
        Arrays by the names that the operations use; not to be written to.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from lockgate.contract.tables import Column
    >>> from lockgate.models.converters.convert import inputs_of, pack_estimator
    >>> X = np.arange(4.0).reshape(-1, 1)
    >>> fitted = LinearRegression().fit(X, X[:, 0] / 3)
    >>> content = PackedContent.read(pack_estimator(fitted, inputs_of([Column("x", "number")])).raw)
    >>> [(index, op.weights) for index, op in content.operations("linear")]
    [(1, 'a0000')]
    >>> rounded = content.with_arrays({"a0000": content.arrays["a0000"].round(2)})
    >>> PackedContent.read(rounded.write()).arrays["a0000"].tolist()
    [[0.33]]

    """

    header: Header
    arrays: Mapping[str, np.ndarray]

    @classmethod
    def read(cls, raw: bytes) -> PackedContent:
        """Read and check the content of a file.

        Raises
        ------
        PackedFormatError
            If it is not a valid packed model.

        """
        header, arrays, _ = decode(raw)
        return cls(header, arrays)

    def operations(self, *names: str) -> list[tuple[int, Any]]:
        """Return the operations of these names, e.g. ``forest``, with their indices.

        Raises
        ------
        PackedFormatError
            If the format has no operation of that name.

        """
        known = [str(name) for name in OPERATIONS]
        for name in names:
            require(name in known, f"unknown operation {name!r}{nearest(name, known)}")
        return [
            (index, op)
            for index, op in enumerate(self.header.ops)
            if not names or op.__struct_config__.tag in names
        ]

    def with_arrays(self, arrays: Mapping[str, ArrayLike]) -> PackedContent:
        """Return the content with other values in some arrays; their types stay.

        Raises
        ------
        PackedFormatError
            If an array is unknown, or its type cannot hold the values.

        """
        unknown = sorted(set(arrays) - set(self.arrays))
        if unknown:
            raise PackedFormatError(f"the model has no array {', '.join(unknown)}")
        changed = {
            name: _as_type(name, new, self.arrays[name].dtype) for name, new in arrays.items()
        }
        return dataclasses.replace(self, arrays={**self.arrays, **changed})

    def with_operations(self, operations: Mapping[int, Any]) -> PackedContent:
        """Return the content with other operations at some indices."""
        for index in operations:
            require(0 <= index < len(self.header.ops), f"the model has no operation {index}")
        ops = tuple(operations.get(index, op) for index, op in enumerate(self.header.ops))
        return dataclasses.replace(self, header=msgspec.structs.replace(self.header, ops=ops))

    def with_step(self, name: str, before: bytes) -> PackedContent:
        """Return the content with a note that a step made it of another file."""
        step = {"step": name, "before": hashlib.sha256(before).hexdigest()}
        header = msgspec.structs.replace(self.header, derived=(*self.header.derived, step))
        return dataclasses.replace(self, header=header)

    def write(self) -> bytes:
        """Return the file; what the prediction does not need is left out.

        Raises
        ------
        PackedFormatError
            If operations and arrays do not fit together.

        """
        builder = Builder(self.header.inputs)
        names = {
            name: builder.array(array, _dtype_name(array)) for name, array in self.arrays.items()
        }
        indices: list[int] = []
        for op in self.header.ops:
            fields = {
                field: names.get(value, value) if isinstance(value, str) else value
                for field in op.__struct_fields__
                if (value := getattr(op, field)) is not None and field != "of"
            }
            indices.append(builder.add(type(op), *(indices[of] for of in op.of), **fields))
        answers = self.header.answers
        builder.checked.update(indices[operation] for operation in answers.finite)
        return builder.finish(
            self.header.task,
            self.header.classes,
            msgspec.structs.replace(
                answers,
                label=indices[answers.label],
                score=None if answers.score is None else indices[answers.score],
                margin=None if answers.margin is None else indices[answers.margin],
                finite=_renumber(answers.finite, indices),
                short=_renumber(answers.short, indices),
            ),
            tolerance=self.header.tolerance,
            derived=self.header.derived,
        )


def _as_type(name: str, values: ArrayLike, dtype: np.dtype[Any]) -> np.ndarray:
    """Return values in the type of an array; they must be the same in it."""
    array = np.asarray(values)
    with np.errstate(invalid="ignore"):
        converted = array.astype(dtype)
    changed = converted != array
    if array.dtype.kind == "f":
        changed &= ~np.isnan(array)
    if changed.any():
        first = array[changed].flat[0]
        raise PackedFormatError(f"array {name} is of {dtype}, which cannot hold {first}")
    return converted


def _dtype_name(array: np.ndarray) -> str:
    for name, dtype in DTYPES.items():
        if array.dtype == dtype:
            return name
    raise PackedFormatError(f"an array of {array.dtype} cannot be written; use {', '.join(DTYPES)}")


def _renumber(operations: Sequence[int], indices: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted({indices[operation] for operation in operations}))
