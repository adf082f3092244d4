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
from lockgate.models.packed.format.outputs import OUTPUTS
from lockgate.models.packed.format.text import TEXTS

__all__ = [
    "FORMAT",
    "OPERATIONS",
    "VERSION",
    "Answers",
    "Header",
    "decode",
    "find_required",
    "infer_shapes",
]

FORMAT = "lockgate.packed"
VERSION = 1
"""Version of the format that is written; readers of this version read it."""

OPERATIONS = {
    operation.__struct_config__.tag: operation
    for operation in (*CELLS, *CODES, *MODELS, *OUTPUTS, Forest, *TEXTS)
}
"""Every operation by its name in a file."""

MAX_OPERATIONS = 10_000
MAX_OPERANDS = 1 << 18
MAX_SHARED_BYTES = 1 << 20
"""Bytes of arrays that several operations may share, beyond twice what there is."""

MAX_WIDTH = 1 << 22
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


class _Preamble(msgspec.Struct):
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
        preamble = msgspec.json.decode(text, type=_Preamble)
        require(
            preamble.format == FORMAT, f"its format is {preamble.format!r}, expected {FORMAT!r}"
        )
        _check_reader(preamble)
        header = msgspec.json.decode(text, type=Header)
        arrays = read_arrays(raw, start, header.arrays)
        return header, arrays, infer_shapes(header, arrays)
    except PackedFormatError:
        raise
    except (msgspec.MsgspecError, UnicodeError, ValueError, OverflowError) as error:
        raise PackedFormatError(f"not a usable packed model: {error}") from None
    except (RecursionError, MemoryError) as error:
        name = type(error).__name__
        raise PackedFormatError(f"not a usable packed model: {name} while reading") from None


def _check_reader(preamble: _Preamble) -> None:
    unknown = sorted({str(op.get("op")) for op in preamble.ops} - set(OPERATIONS))
    if preamble.min_reader > VERSION or unknown:
        detail = f"it uses {', '.join(unknown)}; " if unknown else ""
        raise PackedFormatError(
            f"not a usable packed model: {detail}it needs a reader of version {preamble.min_reader}, "
            f"this one has {VERSION}; upgrade lockgate"
        )


def infer_shapes(header: Header, arrays: Mapping[str, np.ndarray]) -> list[Shape]:
    """Infer what every operation gives; PackedFormatError where something does not fit."""
    require(header.version == VERSION, f"its version is {header.version}, expected {VERSION}")
    require(0 < len(header.ops) <= MAX_OPERATIONS, "no operation, or too many")
    for index, op in enumerate(header.ops):
        require(
            all(0 <= operand < index for operand in op.of), f"operation {index} takes a later one"
        )
    _check_usage(header, arrays)
    _check_inputs(header)
    reader = ArrayReader(header.inputs, arrays)
    shapes: list[Shape] = []
    for index, op in enumerate(header.ops):
        shape = _infer_shape(index, op, [shapes[operand] for operand in op.of], reader)
        shapes.append(shape)
    width = sum(shape.width for shape in shapes if shape.kind == "numbers")
    require(width <= MAX_WIDTH, f"{width} numbers a row, more than {MAX_WIDTH}")
    _check_answers(header, shapes)
    return shapes


def find_required(header: Header) -> list[int]:
    """Return the operations that the answers depend on, in order."""
    answers = header.answers
    required = {answers.label, answers.score, answers.margin, *answers.finite, *answers.short}
    for index in range(len(header.ops) - 1, -1, -1):
        if index in required:
            required.update(header.ops[index].of)
    return [index for index in range(len(header.ops)) if index in required]


def _check_usage(header: Header, arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse what makes a small file cost much: idle operations, arrays used again and again."""
    for name in ("label", "score", "margin"):
        index = getattr(header.answers, name)
        exists = index is None or 0 <= index < len(header.ops)
        require(exists, f"{name} is an operation that is not there")
    require(len(find_required(header)) == len(header.ops), "an operation that no answer depends on")
    require(sum(len(op.of) for op in header.ops) <= MAX_OPERANDS, "too many operands")
    used: dict[str, int] = {}
    for op in header.ops:
        for field in op.__struct_fields__:
            name = getattr(op, field)
            if isinstance(name, str) and name in arrays:
                used[name] = used.get(name, 0) + 1
    require(len(used) == len(arrays), "an array that no operation uses")
    stored_bytes = sum(array.nbytes for array in arrays.values())
    used_bytes = sum(arrays[name].nbytes * uses for name, uses in used.items())
    require(
        used_bytes <= 2 * stored_bytes + MAX_SHARED_BYTES, "arrays that are used again and again"
    )


def _infer_shape(index: int, op: Operation, operands: list[Shape], reader: ArrayReader) -> Shape:
    try:
        return op.infer(operands, reader)
    except PackedFormatError as error:
        _, _, message = str(error).partition(": ")
        name = type(op).__struct_config__.tag
        raise PackedFormatError(
            f"not a usable packed model: operation {index} ({name}): {message}"
        ) from None


def _check_inputs(header: Header) -> None:
    names = [column.name for column in header.inputs]
    require(len(set(names)) == len(names), "an input stands twice")
    for column in header.inputs:
        require(column.kind in KINDS, f"input {column.name!r} holds {column.kind!r}")
        require(
            column.missing in ("allow", "refuse"),
            f"input {column.name!r}: missing {column.missing!r}",
        )
        require(
            column.unknown in ("ignore", "refuse"),
            f"input {column.name!r}: unknown {column.unknown!r}",
        )
        distinct = len(set(column.categories)) == len(column.categories)
        require(distinct, f"input {column.name!r} has a category twice")
        _check_allowed(column)


def _check_allowed(column: ColumnInput) -> None:
    """Categories of a column of numbers are the only numbers that it may hold."""
    if column.kind in ("number", "integer", "boolean"):
        require(
            bool(column.categories) == (column.unknown == "refuse"),
            f"input {column.name!r} allows nothing",
        )
        values = [float(text) for text in column.categories]
        require(all(map(math.isfinite, values)), f"input {column.name!r} allows what is not finite")
    elif column.kind != "category":
        require(not column.categories, f"input {column.name!r} has categories")


def _check_answers(header: Header, shapes: list[Shape]) -> None:
    answers, count = header.answers, len(header.classes)
    require(header.task in ("binary", "multiclass", "regression", "clustering"), "an unknown task")
    require((header.task == "regression") == (count == 0), "classes do not go with the task")
    require(header.task != "binary" or count == 2, "a binary task has two classes")
    require(len(set(header.classes)) == count, "a class stands twice")
    widths = {"label": (1,), "score": (1,) if header.task == "binary" else (count,)}
    for name in ("label", "score", "margin"):
        index = getattr(answers, name)
        if index is None:
            continue
        require(shapes[index].kind == "numbers", f"{name} is not a number")
        fits = shapes[index].width in widths.get(name, (shapes[index].width,))
        require(fits, f"{name} has width {shapes[index].width}")
    for index in (*answers.finite, *answers.short):
        require(0 <= index < len(shapes), "a check of an operation that is not there")
        require(shapes[index].kind == "numbers", "a check of what is no number")
    require(answers.score is None or header.task != "regression", "a regression has no score")
