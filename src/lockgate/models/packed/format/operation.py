"""What flows between operations, and what an operation may look at while a file is checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from lockgate.data.columns.inputs import ColumnInput
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
"""Largest product of lengths that any operation may ask for."""


class Shape(NamedTuple):
    """What an operation gives for one row.

    Attributes
    ----------
    kind : {"numbers", "codes", "text", "terms"}
        Doubles; one category code; one text; counts of terms, most of them 0.
    width : int
        How many numbers or terms; for codes how many categories are known:
        code `width` is a gap, `width` + 1 is unknown.

    """

    kind: str
    width: int


class ArrayReader:
    """What an operation sees of the file while it is checked."""

    def __init__(self, inputs: Sequence[ColumnInput], arrays: Mapping[str, np.ndarray]) -> None:
        self.inputs, self.arrays = inputs, arrays

    def array(self, name: str, dtypes: str, *shape: int | None) -> np.ndarray:
        """Return an array of one of these dtypes, e.g. ``"u1 u2"``, and of this shape.

        None in a shape stands for any length.
        """
        require(name in self.arrays, f"array {name!r} is missing")
        array = self.arrays[name]
        expected_dtypes = [np.dtype(f"<{dtype}") for dtype in dtypes.split()]
        require(
            array.dtype in expected_dtypes,
            f"array {name!r} has dtype {array.dtype}, expected {dtypes}",
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
        require(np.isfinite(array).all(), f"array {name!r} holds NaN or infinity")
        return array


class Operation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op"):
    """One step of a model; subclasses are the closed list of what a file can ask for.

    Attributes
    ----------
    of : tuple of int
        Earlier operations whose results it takes.

    """

    of: tuple[int, ...]

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        """Check parameters and arrays, and say what comes out."""
        raise NotImplementedError

    def run(self, operands: Sequence[Any], arrays: Mapping[str, Any], xp: Any) -> Any:
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

    def row(self, arrays: Mapping[str, np.ndarray]) -> Any:
        """Make the function for one row: lists of floats, or a code, to a list of floats.

        The default asks `run`; operations that are met in every model have their own,
        which adds and multiplies in the same order.
        """

        def answer(*operands: Any) -> Any:
            blocks = [
                np.array(operand, dtype=float)[:, None]
                if isinstance(operand, list)
                else _as_block(operand)
                for operand in operands
            ]
            return unwrap_row(self.run(blocks, arrays, np))

        return answer


def _as_block(operand: Any) -> Any:
    return np.array([operand]) if isinstance(operand, int) else [operand]


def unwrap_row(result: Any) -> Any:
    """Turn a result for one row into a list of floats, or a code."""
    return result[:, 0].tolist() if result.ndim == 2 else int(result[0])


def check_numbers(operands: Sequence[Shape], count: int | None = 1) -> int:
    """Check that `count` blocks of numbers came, and return the width of the first."""
    require(count is None or len(operands) == count, f"{len(operands)} operands, expected {count}")
    require(operands and all(operand.kind == "numbers" for operand in operands), "numbers expected")
    return operands[0].width


def check_codes(operands: Sequence[Shape]) -> int:
    """Check that one column of codes came, and return how many categories it knows."""
    require(len(operands) == 1 and operands[0].kind == "codes", "codes of one column expected")
    return operands[0].width


def check_cell_count(*lengths: int) -> int:
    """Refuse products of lengths that no real model needs; return the product."""
    product = 1
    for length in lengths:
        require(length >= 0, "a negative length")
        product *= length
    require(product <= MAX_CELLS, f"{product} cells, more than {MAX_CELLS}")
    return product


POWERS_KEY = "2**k"
"""Name under which the engine keeps the table that `exact.exp` reads."""
