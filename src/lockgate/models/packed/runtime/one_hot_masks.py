"""Trees on one-hot columns: one table of masks for all columns of a category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lockgate.models.packed.format.categorical import OneHot
from lockgate.models.packed.format.header import Header
from lockgate.models.packed.format.numeric import Concat
from lockgate.models.packed.format.operation import Shape

__all__ = [
    "ForestColumn",
    "ForestPart",
    "count_rows",
    "find_parts",
    "flatten_blocks",
    "merge_one_hot",
    "plan_columns",
]


@dataclass(frozen=True)
class ForestPart:
    """A block of columns of a forest.

    Attributes
    ----------
    operand : int
        Operation that makes it; of one-hot columns the operation that makes the codes.
    width : int
        Number of columns.
    code_columns : ndarray or None
        Of one-hot columns the column of each code, -1 for none.

    """

    operand: int
    width: int
    code_columns: np.ndarray | None = None


@dataclass(frozen=True)
class ForestColumn:
    """What a table of masks is looked up with.

    Attributes
    ----------
    part : int
        Index of the part.
    row : int or None
        Row of the part; None for the codes of one-hot columns.
    column : int
        Column of the forest; of one-hot columns the first.

    """

    part: int
    row: int | None
    column: int


def flatten_blocks(header: Header, operands: Sequence[int]) -> list[int]:
    """Return operands, of concatenated blocks the parts."""
    flat: list[int] = []
    pending = list(reversed(operands))
    while pending:
        operand = pending.pop()
        op = header.ops[operand]
        if isinstance(op, Concat):
            pending += reversed(op.of)
        else:
            flat.append(operand)
    return flat


def find_parts(
    header: Header, arrays: Mapping[str, np.ndarray], shapes: Sequence[Shape], index: int
) -> list[ForestPart]:
    """Return the blocks of which the columns of a forest, an operation, consist."""
    parts = []
    for operand in flatten_blocks(header, header.ops[index].of):
        op = header.ops[operand]
        if isinstance(op, OneHot):
            parts.append(ForestPart(op.of[0], op.width, arrays[op.code_columns]))
        else:
            parts.append(ForestPart(operand, shapes[operand].width))
    return parts


def plan_columns(parts: Sequence[ForestPart], used: Sequence[int]) -> list[ForestColumn]:
    """Return what the tables are looked up with: used columns, and codes of one-hot columns."""
    plan, start = [], 0
    for index, part in enumerate(parts):
        columns = [column for column in used if start <= column < start + part.width]
        if part.code_columns is None:
            plan += [ForestColumn(index, column - start, column) for column in columns]
        elif columns:
            plan.append(ForestColumn(index, None, start))
        start += part.width
    return plan


def count_rows(
    parts: Sequence[ForestPart], plan: Sequence[ForestColumn], column_rows: Mapping[int, int]
) -> int:
    """Return the rows of all tables of a plan, of those of single columns by `column_rows`."""
    rows = 0
    for entry in plan:
        code_columns = parts[entry.part].code_columns
        if entry.row is None and code_columns is not None:
            rows += len(code_columns)
        else:
            rows += column_rows[entry.column]
    return rows


def merge_one_hot(
    parts: Sequence[ForestPart],
    plan: Sequence[ForestColumn],
    tables: Mapping[int, np.ndarray],
    edges: Mapping[int, np.ndarray],
) -> list[np.ndarray]:
    """Return the tables of a plan.

    Of the columns of a category one is 1 and the others are 0, or all are: the masks of all
    of them are combined for each code in advance.

    Parameters
    ----------
    parts, plan
        As for `plan_columns`.
    tables : mapping of int to ndarray
        Table of each used column, a row per code of the column.
    edges : mapping of int to ndarray
        Edges of each used column.

    """
    merged = []
    for entry in plan:
        part = parts[entry.part]
        if entry.row is not None or part.code_columns is None:
            merged.append(tables[entry.column])
            continue
        members = [k for k in range(entry.column, entry.column + part.width) if k in tables]
        cold = np.stack([tables[k][np.searchsorted(edges[k], 0.0)] for k in members])
        hot = np.stack([tables[k][np.searchsorted(edges[k], 1.0)] for k in members])
        full = np.full((1, cold.shape[1]), np.iinfo(cold.dtype).max, cold.dtype)
        before = np.bitwise_and.accumulate(np.concatenate([full, cold]), axis=0)
        after = np.bitwise_and.accumulate(np.concatenate([full, cold[::-1]]), axis=0)[::-1]
        table = np.repeat(before[-1:], len(part.code_columns), axis=0)
        for number, column in enumerate(members):
            codes = part.code_columns == column - entry.column
            table[codes] = before[number] & hot[number] & after[number + 1]
        merged.append(table)
    return merged
