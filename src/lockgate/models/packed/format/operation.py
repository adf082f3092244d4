"""What flows between operations, and what an operation may look at while a file is checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from lockgate.data.columns.inputs import ColumnInput
from lockgate.models.packed.format.container import require

__all__ = [
    "MOST_CELLS",
    "POWERS_KEY",
    "ArrayReader",
    "Operation",
    "Shape",
    "bounded",
    "codes",
    "numbers",
    "plain",
]

MOST_CELLS = 1 << 28
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
        found = self.arrays[name]
        kinds = [np.dtype(f"<{one}") for one in dtypes.split()]
        require(found.dtype in kinds, f"array {name!r} has dtype {found.dtype}, expected {dtypes}")
        fits = found.ndim == len(shape) and all(
            want is None or have == want for have, want in zip(found.shape, shape, strict=True)
        )
        words = " x ".join("?" if n is None else str(n) for n in shape)
        require(fits, f"array {name!r} has shape {found.shape}, expected {words}")
        return found

    def floats(self, name: str, *shape: int | None) -> np.ndarray:
        """Return an array of finite doubles of this shape."""
        found = self.array(name, "f8", *shape)
        require(np.isfinite(found).all(), f"array {name!r} holds NaN or infinity")
        return found


class Operation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op"):
    """One step of a model; subclasses are the closed list of what a file can ask for.

    Attributes
    ----------
    of : tuple of int
        Earlier operations whose results it takes.

    """

    of: tuple[int, ...]

    def infer(self, given: Sequence[Shape], look: ArrayReader) -> Shape:
        """Check parameters and arrays, and say what comes out."""
        raise NotImplementedError

    def run(self, given: Sequence[Any], a: Mapping[str, Any], xp: Any) -> Any:
        """Compute for n rows.

        Parameters
        ----------
        given : sequence
            Numbers as doubles of shape (width, n), codes as integers of shape (n,).
        a : mapping of str to array
            Arrays of the file, on the device of `xp`.
        xp : module
            Array namespace.

        """
        raise NotImplementedError

    def row(self, a: Mapping[str, np.ndarray]) -> Any:
        """Make the function for one row: lists of floats, or a code, to a list of floats.

        The default asks `run`; operations that are met in every model have their own,
        which adds and multiplies in the same order.
        """

        def answer(*given: Any) -> Any:
            wide = [
                np.array(one, dtype=float)[:, None] if isinstance(one, list) else _alone(one)
                for one in given
            ]
            return plain(self.run(wide, a, np))

        return answer


def _alone(one: Any) -> Any:
    return np.array([one]) if isinstance(one, int) else [one]


def plain(found: Any) -> Any:
    """Turn a result for one row into a list of floats, or a code."""
    return found[:, 0].tolist() if found.ndim == 2 else int(found[0])


def numbers(given: Sequence[Shape], count: int | None = 1) -> int:
    """Check that `count` blocks of numbers came, and return the width of the first."""
    require(count is None or len(given) == count, f"{len(given)} operands, expected {count}")
    require(given and all(one.kind == "numbers" for one in given), "numbers expected")
    return given[0].width


def codes(given: Sequence[Shape]) -> int:
    """Check that one column of codes came, and return how many categories it knows."""
    require(len(given) == 1 and given[0].kind == "codes", "codes of one column expected")
    return given[0].width


def bounded(*lengths: int) -> int:
    """Refuse products of lengths that no real model needs; return the product."""
    product = 1
    for length in lengths:
        require(length >= 0, "a negative length")
        product *= length
    require(product <= MOST_CELLS, f"{product} cells, more than {MOST_CELLS}")
    return product


POWERS_KEY = "2**k"
"""Name under which the engine keeps the table that `exact.exp` reads."""
