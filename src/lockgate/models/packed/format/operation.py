"""The base of all operations, the shapes between them, and access to arrays for checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from lockgate.data.columns.inputs import ColumnInput
from lockgate.models.packed.format.array_types import Array, Namespace, RowFunction
from lockgate.models.packed.format.container import require

__all__ = [
    "MAX_CELLS",
    "POWERS_KEY",
    "ArrayReader",
    "Operation",
    "Shape",
    "check_cell_count",
    "check_codes",
    "check_numbers",
    "unwrap_row",
]

MAX_CELLS = 1 << 28
"""Largest product of lengths that an operation may have."""


class Shape(NamedTuple):
    """What an operation gives for one row.

    Attributes
    ----------
    kind : {"numbers", "codes", "text", "terms"}
        Doubles; one category code; one text; sparse counts of terms.
    width : int
        Number of numbers or terms; for codes, the number of known categories:
        code `width` is a missing value, `width` + 1 an unknown category.

    """

    kind: str
    width: int


class ArrayReader:
    """Gives an operation the inputs and arrays of the file while it is checked."""

    def __init__(self, inputs: Sequence[ColumnInput], arrays: Mapping[str, np.ndarray]) -> None:
        self.inputs, self.arrays = inputs, arrays

    def array(self, name: str, dtypes: str, *shape: int | None) -> np.ndarray:
        """Return an array of one of these dtypes, e.g. ``"u1 u2"``, and of this shape.

        None in a shape means any length.
        """
        require(name in self.arrays, f"unknown array {name!r}")
        array = self.arrays[name]
        expected_dtypes = [np.dtype(f"<{dtype}") for dtype in dtypes.split()]
        require(
            array.dtype in expected_dtypes,
            f"array {name!r} has dtype {array.dtype}, expected {' or '.join(dtypes.split())}",
        )
        fits = array.ndim == len(shape) and all(
            expected is None or actual == expected
            for actual, expected in zip(array.shape, shape, strict=True)
        )
        expected_shape = " x ".join("?" if n is None else str(n) for n in shape)
        require(fits, f"array {name!r} has shape {array.shape}, expected {expected_shape}")
        return array

    def floats(self, name: str, *shape: int | None) -> np.ndarray:
        """Return an array of finite doubles of this shape."""
        array = self.array(name, "f8", *shape)
        require(np.isfinite(array).all(), f"array {name!r} contains NaN or infinity")
        return array


class Operation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op"):
    """One step of a model; its subclasses are all the operations that a file can contain.

    Attributes
    ----------
    of : tuple of int
        Earlier operations whose results it takes.

    """

    of: tuple[int, ...]

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        """Check fields and arrays, and return the shape of the result."""
        raise NotImplementedError

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        """Compute for n rows.

        Parameters
        ----------
        operands : sequence
            Numbers as doubles of shape (width, n), codes as integers of shape (n,).
        arrays : mapping of str to array
            Arrays of the file, on the device of `xp`.
        xp : module
            Array namespace.

        """
        raise NotImplementedError

    def row(self, arrays: Mapping[str, np.ndarray]) -> RowFunction:
        """Make the function for one row: lists of floats, or a code, to a list of floats.

        The default calls `run`; operations common in models override it with plain
        Python that adds and multiplies in the same order.
        """

        def run_row(*operands: Any) -> Any:
            blocks = [
                np.array(operand, dtype=float)[:, None]
                if isinstance(operand, list)
                else _as_block(operand)
                for operand in operands
            ]
            return unwrap_row(self.run(blocks, arrays, np))

        return run_row


def _as_block(operand: int | str) -> Array:
    return np.array([operand]) if isinstance(operand, int) else [operand]


def unwrap_row(result: Array) -> list[float] | int:
    """Turn a result for one row into a list of floats, or a code."""
    return result[:, 0].tolist() if result.ndim == 2 else int(result[0])


def check_numbers(operands: Sequence[Shape], count: int | None = 1) -> int:
    """Check that the operands are `count` blocks of numbers; return the width of the first."""
    require(
        count is None or len(operands) == count, f"expected {count} operands, got {len(operands)}"
    )
    require(operands and all(operand.kind == "numbers" for operand in operands), "expected numbers")
    return operands[0].width


def check_codes(operands: Sequence[Shape]) -> int:
    """Check that the operand is one column of codes; return its number of known categories."""
    require(len(operands) == 1 and operands[0].kind == "codes", "expected the codes of one column")
    return operands[0].width


def check_cell_count(*lengths: int) -> int:
    """Reject products of lengths that no real model needs; return the product."""
    product = 1
    for length in lengths:
        require(length >= 0, f"negative length {length}")
        product *= length
    require(product <= MAX_CELLS, f"{product} cells; at most {MAX_CELLS} are allowed")
    return product


POWERS_KEY = "2**k"
"""Name among the arrays of the table of powers that `arithmetic.exp` takes."""
