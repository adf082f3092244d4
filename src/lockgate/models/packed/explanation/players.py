"""Which inputs each number of a packed model depends on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lockgate.models.packed.format.categorical import Category
from lockgate.models.packed.format.combinations import Products
from lockgate.models.packed.format.curves import NormalQuantile, Power, Shares
from lockgate.models.packed.format.forest import Forest
from lockgate.models.packed.format.header import Header
from lockgate.models.packed.format.numeric import (
    Apply,
    Arith,
    Clip,
    Concat,
    Date,
    Fill,
    MissingIndicator,
    Numbers,
    Select,
)
from lockgate.models.packed.format.operation import Operation, Shape
from lockgate.models.packed.format.text import Text

__all__ = ["find_players", "split_mask"]

Masks = list[int]
"""For each column of a result, the inputs that it depends on, a bit each."""


def find_players(
    header: Header, arrays: Mapping[str, np.ndarray], shapes: Sequence[Shape]
) -> list[Masks]:
    """Return for each operation, and each column of its result, the inputs it depends on.

    Codes and texts count as one column. Where an operation is not listed here, each of its
    columns depends on all of its operands: that is never too few.

    Parameters
    ----------
    header, arrays, shapes
        As `header.decode` returns them.

    """
    masks: list[Masks] = []
    for op, shape in zip(header.ops, shapes, strict=True):
        operands = [masks[operand] for operand in op.of]
        width = shape.width if shape.kind in ("numbers", "terms") else 1
        masks.append(_masks_of(op, operands, arrays, width))
    return masks


def _masks_of(
    op: Operation, operands: Sequence[Masks], arrays: Mapping[str, np.ndarray], width: int
) -> Masks:
    match op:
        case Numbers():
            masks = [1 << column for column in op.columns]
        case Category() | Date() | Text():
            masks = [1 << op.column] * width
        case MissingIndicator() | Select():
            masks = [operands[0][k] for k in op.columns]
        case Products():
            masks = [_union([operands[0][k] for k in columns]) for columns in op.factors]
        case Concat():
            masks = [mask for part in operands for mask in part]
        case Fill() | Arith() | Clip() | Apply() | Power() | NormalQuantile() | Shares():
            masks = list(operands[0])  # each column depends on the same one of the operand
        case Forest():
            compared = np.unique(arrays[op.features]).tolist()
            masks = [_union([operands[0][column] for column in compared])] * width
        case _:
            masks = [_union([mask for part in operands for mask in part])] * width
    return masks


def _union(masks: Sequence[int]) -> int:
    total = 0
    for mask in set(masks):
        total |= mask
    return total


def split_mask(mask: int) -> tuple[int, ...]:
    """Return the inputs of a mask, in ascending order."""
    return tuple(k for k in range(mask.bit_length()) if mask >> k & 1)
