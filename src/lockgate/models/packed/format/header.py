"""The header of a packed model: inputs, operations, answers; checked as a whole."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Union

import msgspec
import numpy as np

from lockgate.data.columns.inputs import ColumnInput
from lockgate.errors import PackedFormatError
from lockgate.models.packed.format.categorical import CODES
from lockgate.models.packed.format.container import ArrayEntry, read_arrays, read_header, require
from lockgate.models.packed.format.forest import Forest
from lockgate.models.packed.format.linear import MODELS
from lockgate.models.packed.format.numeric import CELLS
from lockgate.models.packed.format.operation import ArrayReader, Operation, Shape
from lockgate.models.packed.format.outputs import DECIDING
from lockgate.models.packed.format.text import TEXTS

__all__ = ["FORMAT", "OPERATIONS", "VERSION", "Answers", "Header", "decode", "needed", "shapes_of"]

FORMAT = "lockgate.packed"
VERSION = 1
"""Version of the format that is written; readers of this version read it."""

OPERATIONS = {
    one.__struct_config__.tag: one for one in (*CELLS, *CODES, *MODELS, *DECIDING, Forest, *TEXTS)
}
"""Every operation by its name in a file."""

MOST_OPERATIONS = 10_000
MOST_OPERANDS = 1 << 18
SHARED = 1 << 20
"""Bytes of arrays that several operations may share, beyond twice what there is."""

WIDEST = 1 << 22
"""Most numbers that all operations together make of one row."""

KINDS = ("number", "integer", "boolean", "category", "date", "text")


class Answers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which operations answer.

    Attributes
    ----------
    label : int
        Operation of width 1: a class's place, or the value of a regression.
    score : int or None
        Operation that gives each class's probability, or that of the second of two.
    margin : int or None
        Operation that gives the value before it becomes a probability.
    finite : tuple of int
        Operations whose numbers must all be finite, or the row has no answer.
    short : tuple of int
        Operations whose numbers must fit into 32 bits, gaps excepted.

    """

    label: int
    score: int | None = None
    margin: int | None = None
    finite: tuple[int, ...] = ()
    short: tuple[int, ...] = ()


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything of a file but the arrays' content.

    Attributes
    ----------
    format, version, min_reader
        Name of the format, its version, and the oldest version of a reader that understands it.
    task : {"binary", "multiclass", "regression", "clustering"}
        What is predicted.
    classes : tuple
        Labels by place; texts, whole numbers, booleans or fractions.
    inputs : tuple of Input
        Columns that are asked for.
    ops : tuple of Operation
        Steps; each takes results of earlier ones.
    answers : Answers
        Which of them answer.
    tolerance : float
        Largest difference from the model that was packed, as it was measured.
    derived : tuple of mapping
        Steps that changed the packed form, with the digest of the file before.
    arrays : mapping of str to ArrayEntry
        Where the arrays lie.

    """

    format: str
    version: int
    min_reader: int
    task: str
    classes: tuple[str | int | float | bool, ...]
    inputs: tuple[ColumnInput, ...]
    # made of the table, so that a new operation is a new entry there and nowhere else
    ops: tuple[Union[tuple(OPERATIONS.values())], ...]  # type: ignore[valid-type]  # noqa: UP007
    answers: Answers
    arrays: dict[str, ArrayEntry]
    tolerance: float = 0.0
    derived: tuple[dict[str, str], ...] = ()


class _Front(msgspec.Struct):
    """What is looked at first, so that a newer file is refused for being newer."""

    format: str
    version: int
    min_reader: int
    ops: list[dict[str, Any]]


def decode(raw: bytes) -> tuple[Header, dict[str, np.ndarray], list[Shape]]:
    """Read and check a file: container, digests, header, every operation's shapes and arrays.

    Raises
    ------
    PackedFormatError
        And nothing else, whatever the bytes are.

    """
    text, start = read_header(raw)
    try:
        front = msgspec.json.decode(text, type=_Front)
        require(front.format == FORMAT, f"its format is {front.format!r}, expected {FORMAT!r}")
        _check_reader(front)
        header = msgspec.json.decode(text, type=Header)
        arrays = read_arrays(raw, start, header.arrays)
        return header, arrays, shapes_of(header, arrays)
    except PackedFormatError:
        raise
    except (msgspec.MsgspecError, UnicodeError, ValueError, OverflowError) as error:
        raise PackedFormatError(f"not a usable packed model: {error}") from None
    except (RecursionError, MemoryError) as error:
        name = type(error).__name__
        raise PackedFormatError(f"not a usable packed model: {name} while reading") from None


def _check_reader(front: _Front) -> None:
    strange = sorted({str(op.get("op")) for op in front.ops} - set(OPERATIONS))
    if front.min_reader > VERSION or strange:
        words = f"it uses {', '.join(strange)}; " if strange else ""
        raise PackedFormatError(
            f"not a usable packed model: {words}it needs a reader of version {front.min_reader}, "
            f"this one has {VERSION}; upgrade lockgate"
        )


def shapes_of(header: Header, arrays: Mapping[str, np.ndarray]) -> list[Shape]:
    """Infer what every operation gives; PackedFormatError where something does not fit."""
    require(header.version == VERSION, f"its version is {header.version}, expected {VERSION}")
    require(0 < len(header.ops) <= MOST_OPERATIONS, "no operation, or too many")
    for place, op in enumerate(header.ops):
        require(all(0 <= one < place for one in op.of), f"operation {place} takes a later one")
    _check_economy(header, arrays)
    _check_inputs(header)
    look = ArrayReader(header.inputs, arrays)
    shapes: list[Shape] = []
    for place, op in enumerate(header.ops):
        shape = _inferred(place, op, [shapes[one] for one in op.of], look)
        shapes.append(shape)
    width = sum(one.width for one in shapes if one.kind == "numbers")
    require(width <= WIDEST, f"{width} numbers a row, more than {WIDEST}")
    _check_answers(header, shapes)
    return shapes


def needed(header: Header) -> list[int]:
    """Return the operations that the answers depend on, in order."""
    answers = header.answers
    wanted = {answers.label, answers.score, answers.margin, *answers.finite, *answers.short}
    for place in range(len(header.ops) - 1, -1, -1):
        if place in wanted:
            wanted.update(header.ops[place].of)
    return [place for place in range(len(header.ops)) if place in wanted]


def _check_economy(header: Header, arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse what makes a small file cost much: idle operations, arrays used again and again."""
    for name in ("label", "score", "margin"):
        place = getattr(header.answers, name)
        there = place is None or 0 <= place < len(header.ops)
        require(there, f"{name} is an operation that is not there")
    require(len(needed(header)) == len(header.ops), "an operation that no answer depends on")
    require(sum(len(op.of) for op in header.ops) <= MOST_OPERANDS, "too many operands")
    used: dict[str, int] = {}
    for op in header.ops:
        for field in op.__struct_fields__:
            name = getattr(op, field)
            if isinstance(name, str) and name in arrays:
                used[name] = used.get(name, 0) + 1
    require(len(used) == len(arrays), "an array that no operation uses")
    held = sum(one.nbytes for one in arrays.values())
    asked = sum(arrays[name].nbytes * times for name, times in used.items())
    require(asked <= 2 * held + SHARED, "arrays that are used again and again")


def _inferred(place: int, op: Operation, given: list[Shape], look: ArrayReader) -> Shape:
    try:
        return op.infer(given, look)
    except PackedFormatError as error:
        _, _, words = str(error).partition(": ")
        name = type(op).__struct_config__.tag
        raise PackedFormatError(
            f"not a usable packed model: operation {place} ({name}): {words}"
        ) from None


def _check_inputs(header: Header) -> None:
    names = [one.name for one in header.inputs]
    require(len(set(names)) == len(names), "an input stands twice")
    for one in header.inputs:
        require(one.kind in KINDS, f"input {one.name!r} holds {one.kind!r}")
        require(one.missing in ("allow", "refuse"), f"input {one.name!r}: missing {one.missing!r}")
        require(one.unknown in ("ignore", "refuse"), f"input {one.name!r}: unknown {one.unknown!r}")
        distinct = len(set(one.categories)) == len(one.categories)
        require(distinct, f"input {one.name!r} has a category twice")
        _check_allowed(one)


def _check_allowed(one: ColumnInput) -> None:
    """Categories of a column of numbers are the only numbers that it may hold."""
    if one.kind in ("number", "integer", "boolean"):
        require(
            bool(one.categories) == (one.unknown == "refuse"), f"input {one.name!r} allows nothing"
        )
        values = [float(text) for text in one.categories]
        require(all(map(math.isfinite, values)), f"input {one.name!r} allows what is not finite")
    elif one.kind != "category":
        require(not one.categories, f"input {one.name!r} has categories")


def _check_answers(header: Header, shapes: list[Shape]) -> None:
    answers, count = header.answers, len(header.classes)
    require(header.task in ("binary", "multiclass", "regression", "clustering"), "an unknown task")
    require((header.task == "regression") == (count == 0), "classes do not go with the task")
    require(header.task != "binary" or count == 2, "a binary task has two classes")
    require(len(set(header.classes)) == count, "a class stands twice")
    widths = {"label": (1,), "score": (1,) if header.task == "binary" else (count,)}
    for name in ("label", "score", "margin"):
        place = getattr(answers, name)
        if place is None:
            continue
        require(shapes[place].kind == "numbers", f"{name} is not a number")
        fits = shapes[place].width in widths.get(name, (shapes[place].width,))
        require(fits, f"{name} has width {shapes[place].width}")
    for place in (*answers.finite, *answers.short):
        require(0 <= place < len(shapes), "a check of an operation that is not there")
        require(shapes[place].kind == "numbers", "a check of what is no number")
    require(answers.score is None or header.task != "regression", "a regression has no score")
