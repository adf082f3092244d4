"""The header of a packed model: inputs, operations, outputs; checked as a whole."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Union, get_args

import msgspec
import numpy as np

from lockgate.contract.recipes import NUMERIC, TWO_CLASSES, Task
from lockgate.data.columns.inputs import ColumnInput
from lockgate.errors import PackedFormatError
from lockgate.models.packed.format.container import ArrayEntry, read_arrays, read_header, require
from lockgate.models.packed.format.known_operations import OPERATIONS
from lockgate.models.packed.format.operation import ArrayReader, Operation, Shape

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

MAX_OPERATIONS = 10_000
MAX_OPERANDS = 1 << 18
MAX_SHARED_BYTES = 1 << 20
"""How far the bytes used by all operations may exceed twice the bytes stored."""

MAX_WIDTH = 1 << 22
"""Most numbers that all operations together may compute for one row."""

KINDS = ("number", "integer", "boolean", "category", "date", "text")


class Answers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which operations give the prediction.

    Attributes
    ----------
    label : int
        Operation of width 1: the index of a class, or the value of a regression; of several
        targets the operation that gives a value for each.
    score : int or None
        Operation that gives each class's probability, or that of the second of two.
    margin : int or None
        Operation that gives the value before it becomes a probability.
    finite : tuple of int
        Operations whose numbers must all be finite; other rows have no prediction.
    short : tuple of int
        Operations whose numbers must fit into 32 bits, missing values excepted.

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
    task : {"binary", "multiclass", "regression", "multioutput", "clustering", "anomaly"}
        What is predicted.
    classes : tuple
        Labels by index; texts, whole numbers, booleans or fractions.
    inputs : tuple of ColumnInput
        Columns that the model needs.
    ops : tuple of Operation
        Steps; each takes the results of earlier ones.
    answers : Answers
        Which of them give the prediction.
    tolerance : float
        Largest difference allowed from the model that was packed.
    derived : tuple of mapping
        Steps that changed the packed form, with the digest of the file before.
    arrays : mapping of str to ArrayEntry
        Dtype, shape and offset of each array.

    """

    format: str
    version: int
    min_reader: int
    task: str
    classes: tuple[str | int | float | bool, ...]
    inputs: tuple[ColumnInput, ...]
    # built from the table, so that a new operation is added there and nowhere else
    ops: tuple[Union[tuple(OPERATIONS.values())], ...]  # type: ignore[valid-type]  # noqa: UP007
    answers: Answers
    arrays: dict[str, ArrayEntry]
    tolerance: float = 0.0
    derived: tuple[dict[str, str], ...] = ()


class _Preamble(msgspec.Struct):
    """What is read first, so that a newer file is rejected with the right message."""

    format: str
    version: int
    min_reader: int
    ops: list[dict[str, Any]]


def decode(raw: bytes) -> tuple[Header, dict[str, np.ndarray], list[Shape]]:
    """Read and check a file: container, digests, header, every operation's shapes and arrays.

    Raises
    ------
    PackedFormatError
        If anything is wrong, whatever the bytes are; no other error is raised.

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
            f"not a usable packed model: {detail}it needs reader version {preamble.min_reader}, "
            f"this is version {VERSION}; upgrade lockgate"
        )


def infer_shapes(header: Header, arrays: Mapping[str, np.ndarray]) -> list[Shape]:
    """Infer what every operation gives; PackedFormatError where something does not fit."""
    require(header.version == VERSION, f"its version is {header.version}, expected {VERSION}")
    require(
        0 < len(header.ops) <= MAX_OPERATIONS,
        f"expected 1 to {MAX_OPERATIONS} operations, got {len(header.ops)}",
    )
    for index, op in enumerate(header.ops):
        require(
            all(0 <= operand < index for operand in op.of),
            f"operation {index} takes a later operation",
        )
    _check_usage(header, arrays)
    _check_inputs(header)
    reader = ArrayReader(header.inputs, arrays)
    shapes: list[Shape] = []
    for index, op in enumerate(header.ops):
        shape = _infer_shape(index, op, [shapes[operand] for operand in op.of], reader)
        shapes.append(shape)
    width = sum(shape.width for shape in shapes if shape.kind == "numbers")
    require(width <= MAX_WIDTH, f"{width} numbers per row; at most {MAX_WIDTH} are allowed")
    _check_answers(header, shapes)
    return shapes


def find_required(header: Header) -> list[int]:
    """Return the operations that the prediction depends on, in order."""
    answers = header.answers
    required = {answers.label, answers.score, answers.margin, *answers.finite, *answers.short}
    for index in range(len(header.ops) - 1, -1, -1):
        if index in required:
            required.update(header.ops[index].of)
    return [index for index in range(len(header.ops)) if index in required]


def _check_usage(header: Header, arrays: Mapping[str, np.ndarray]) -> None:
    """Reject what makes a small file expensive: unused operations, arrays used many times."""
    for name in ("label", "score", "margin"):
        index = getattr(header.answers, name)
        exists = index is None or 0 <= index < len(header.ops)
        require(exists, f"{name} refers to an unknown operation")
    require(
        len(find_required(header)) == len(header.ops), "an operation is not used by the prediction"
    )
    require(
        sum(len(op.of) for op in header.ops) <= MAX_OPERANDS, f"more than {MAX_OPERANDS} operands"
    )
    used: dict[str, int] = {}
    for op in header.ops:
        for field in op.__struct_fields__:
            name = getattr(op, field)
            if isinstance(name, str) and name in arrays:
                used[name] = used.get(name, 0) + 1
    require(len(used) == len(arrays), "an array is not used by any operation")
    stored_bytes = sum(array.nbytes for array in arrays.values())
    used_bytes = sum(arrays[name].nbytes * uses for name, uses in used.items())
    require(
        used_bytes <= 2 * stored_bytes + MAX_SHARED_BYTES, "the same arrays are used too many times"
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
    require(len(set(names)) == len(names), "an input is duplicated")
    for column in header.inputs:
        require(
            column.kind in KINDS,
            f"input {column.name!r} has kind {column.kind!r}; available: {', '.join(KINDS)}",
        )
        require(
            column.missing in ("allow", "refuse"),
            f"input {column.name!r}: missing is {column.missing!r}, expected allow or refuse",
        )
        require(
            column.unknown in ("ignore", "refuse"),
            f"input {column.name!r}: unknown is {column.unknown!r}, expected ignore or refuse",
        )
        require(
            column.bits == 64 or (column.bits in (16, 32) and column.kind == "number"),
            f"input {column.name!r} is a {column.kind} of {column.bits} bits, expected 64, or a "
            "number of 32 or 16",
        )
        distinct = len(set(column.categories)) == len(column.categories)
        require(distinct, f"input {column.name!r} has a duplicated category")
        _check_allowed(column)


def _check_allowed(column: ColumnInput) -> None:
    """Check the allowed numbers: the categories of a column of numbers."""
    if column.kind in ("number", "integer", "boolean"):
        require(
            bool(column.categories) == (column.unknown == "refuse"),
            f"input {column.name!r}: categories and unknown=refuse must go together",
        )
        values = [float(text) for text in column.categories]
        require(
            all(map(math.isfinite, values)),
            f"input {column.name!r} allows a number that is not finite",
        )
    elif column.kind != "category":
        require(
            not column.categories, f"input {column.name!r} of kind {column.kind} has categories"
        )


def _check_answers(header: Header, shapes: list[Shape]) -> None:
    answers, count = header.answers, len(header.classes)
    require(
        header.task in get_args(Task),
        f"unknown task {header.task!r}",
    )
    require(
        (header.task in NUMERIC) == (count == 0),
        f"{count} classes do not fit task {header.task}",
    )
    two = header.task in TWO_CLASSES
    require(not two or count == 2, f"task {header.task} needs two classes, got {count}")
    require(len(set(header.classes)) == count, "a class is duplicated")
    widths = {"label": 1, "score": 1 if two else count}
    for name in ("label", "score", "margin"):
        index = getattr(answers, name)
        if index is None:
            continue
        require(shapes[index].kind == "numbers", f"{name} is not an operation on numbers")
        width = shapes[index].width
        if header.task == "multioutput" and name == "label":
            require(width > 1, f"task multioutput needs several values, got {width}")
            continue
        expected = widths.get(name, width)
        require(width == expected, f"{name} has width {width}, expected {expected}")
    for index in (*answers.finite, *answers.short):
        require(0 <= index < len(shapes), "a check refers to an unknown operation")
        require(
            shapes[index].kind == "numbers",
            "a check refers to an operation that does not give numbers",
        )
    is_scored = answers.score is not None or answers.margin is not None
    require(header.task != "multioutput" or not is_scored, "several targets have no margin")
    require(answers.score is None or header.task not in NUMERIC, "a regression has no score")
