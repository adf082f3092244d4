"""Splits what a model predicts into a sum of terms, by the inputs that each depends on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lockgate.contract.recipes import UNSUPERVISED
from lockgate.errors import NotApplicable
from lockgate.models.packed.explanation.players import find_players
from lockgate.models.packed.format.arithmetic import ordered_sum_one
from lockgate.models.packed.format.categorical import Lookup, OneHot
from lockgate.models.packed.format.forest import Forest
from lockgate.models.packed.format.header import Header
from lockgate.models.packed.format.linear import Linear
from lockgate.models.packed.format.numeric import Apply, Arith, Concat, Select
from lockgate.models.packed.format.operation import Operation, Shape
from lockgate.models.packed.format.outputs import Average, Isotonic, Pair

__all__ = ["Block", "Interaction", "Terms", "Trees", "find_explained", "split_terms"]

LINKS = ("exp", "expm1", "sigmoid")
"""Rising functions of a single number: what stands before them is explained."""


@dataclass(frozen=True)
class Block:
    """Columns that each depend on a single input, times their weights.

    Attributes
    ----------
    operation : int
        Operation that makes them.
    weights : ndarray of float
        Shape (outputs, width); for codes a table of shape (codes, outputs).
    players : ndarray of int, shape (width,)
        Input of each column, -1 for none; of codes a single one.
    kind : {"numbers", "codes", "terms"}
        What the operation makes.

    """

    operation: int
    weights: np.ndarray
    players: np.ndarray
    kind: str


@dataclass(frozen=True)
class Trees:
    """A forest each of whose columns depends on a single input.

    Attributes
    ----------
    operation : int
        The forest.
    weights : ndarray of float, shape (outputs, sums)
        How the forest's sums are added.
    players : ndarray of int, shape (width,)
        Input of each column that it compares.

    """

    operation: int
    weights: np.ndarray
    players: np.ndarray


@dataclass(frozen=True)
class Interaction:
    """Columns that depend on the same inputs together, times their weights.

    Attributes
    ----------
    players : int
        The inputs, a bit each.
    weights : dict of int to ndarray of float, shape (outputs, width)
        By operation.

    """

    players: int
    weights: dict[int, np.ndarray]


@dataclass(frozen=True)
class Terms:
    """A sum: blocks, forests, and what depends on several inputs together."""

    outputs: int
    blocks: tuple[Block, ...]
    trees: tuple[Trees, ...]
    interactions: tuple[Interaction, ...]


def find_explained(header: Header, shapes: Sequence[Shape]) -> tuple[int, str]:
    """Return the operation that is explained, and its name.

    That is the margin, or the score of a model without one for each class, or the value of a
    regression; behind a link function or a calibration, which are not additive, what stands
    before them.

    Raises
    ------
    NotApplicable
        If the model has none of them.

    """
    if header.task in UNSUPERVISED:
        raise NotApplicable(
            f"predictions of task {header.task} cannot be explained: inputs do not add up to them"
        )
    answers = header.answers
    index, name = answers.label, "value"
    expected = len(header.classes) if len(header.classes) > 2 else 1
    if answers.margin is not None and (
        answers.score is None or shapes[answers.margin].width == expected
    ):
        index, name = answers.margin, "margin"
    elif answers.score is not None:
        index, name = answers.score, "score"
    elif header.classes:
        raise NotApplicable(
            "this model gives labels alone, as by votes, and no number that could be explained"
        )
    while True:
        op = header.ops[index]
        if isinstance(op, Apply) and op.function in LINKS:
            name = f"{name} before {op.function}"
        elif isinstance(op, Isotonic):
            name = f"{name} before calibration"
        else:
            return index, name
        index = op.of[0]


def split_terms(
    header: Header, arrays: Mapping[str, np.ndarray], shapes: Sequence[Shape], index: int
) -> Terms:
    """Split the numbers of an operation into terms.

    Constants are left out: no input contributes them.

    Parameters
    ----------
    header, arrays, shapes
        As `header.decode` returns them.
    index : int
        The operation.

    """
    masks = find_players(header, arrays, shapes)
    blocks: list[Block] = []
    trees: list[Trees] = []
    # contributions of columns with the same inputs are computed together
    together: dict[int, dict[int, np.ndarray]] = {}
    for operation, weights in _find_weights(header, arrays, shapes, index).items():
        op, columns = header.ops[operation], masks[operation]
        if isinstance(op, Forest):
            compared = np.unique(arrays[op.features]).tolist()
            operand = masks[op.of[0]]
            if all(operand[k].bit_count() == 1 for k in compared):
                trees.append(Trees(operation, weights, _single_players(operand)))
                continue
        used = weights.any(axis=0)
        for mask in sorted({mask for mask in columns if mask.bit_count() > 1}):
            chosen = np.array([column == mask for column in columns]) & used
            if chosen.any():
                part = np.where(chosen, weights, 0.0)
                together.setdefault(mask, {})[operation] = part
        single = np.array([column.bit_count() == 1 for column in columns])
        if (single & used).any():
            rest = np.where(single, weights, 0.0)
            blocks.append(_make_block(header, operation, rest, columns, shapes, arrays))
    interactions = tuple(Interaction(mask, parts) for mask, parts in together.items())
    return Terms(shapes[index].width, tuple(blocks), tuple(trees), interactions)


def _find_weights(
    header: Header, arrays: Mapping[str, np.ndarray], shapes: Sequence[Shape], index: int
) -> dict[int, np.ndarray]:
    """Return the operations whose weighted sum an operation is, and the weights of their numbers.

    Operations that only add and scale are looked through.
    """
    pending = {index: np.eye(shapes[index].width)}
    ends: dict[int, np.ndarray] = {}
    for operation in range(index, -1, -1):
        if operation not in pending:
            continue
        weights = pending.pop(operation)
        parts = _look_through(header.ops[operation], weights, arrays, shapes)
        if parts is None:
            ends[operation] = weights
            continue
        for operand, part in parts:
            pending[operand] = pending[operand] + part if operand in pending else part
    return ends


def _look_through(
    op: Operation, weights: np.ndarray, arrays: Mapping[str, np.ndarray], shapes: Sequence[Shape]
) -> list[tuple[int, np.ndarray]] | None:
    """Return weights of an operation's operands, or None where it does more than add and scale."""
    if isinstance(op, Linear):
        weights = weights @ arrays[op.weights]
    if isinstance(op, (Linear, Concat)):
        ends = np.cumsum([shapes[operand].width for operand in op.of])[:-1]
        return list(zip(op.of, np.split(weights, ends, axis=1), strict=True))
    if isinstance(op, Arith):
        values = arrays[op.values]
        if op.how in ("add", "subtract"):
            return [(op.of[0], weights)]
        return [(op.of[0], weights * values if op.how == "multiply" else weights / values)]
    if isinstance(op, Apply) and op.function == "negate":
        return [(op.of[0], -weights)]
    if isinstance(op, Select):
        wide = np.zeros((len(weights), shapes[op.of[0]].width))
        for k, column in enumerate(op.columns):
            wide[:, column] += weights[:, k]
        return [(op.of[0], wide)]
    if isinstance(op, Pair):
        return [(op.of[0], weights[:, 1:] - weights[:, :1])]
    if isinstance(op, Average):
        size = ordered_sum_one(op.weights) if op.divide else 1.0
        return [
            (operand, weights * (weight / size))
            for operand, weight in zip(op.of, op.weights, strict=True)
        ]
    return None


def _single_players(masks: Sequence[int]) -> np.ndarray:
    """Return the input of each column; -1 where it depends on none, or on several."""
    return np.array(
        [mask.bit_length() - 1 if mask.bit_count() == 1 else -1 for mask in masks], np.int64
    )


def _make_block(
    header: Header,
    operation: int,
    weights: np.ndarray,
    masks: Sequence[int],
    shapes: Sequence[Shape],
    arrays: Mapping[str, np.ndarray],
) -> Block:
    op = header.ops[operation]
    players = _single_players(masks)
    if isinstance(op, OneHot):
        columns = arrays[op.code_columns]
        table = np.where((columns >= 0)[:, None], weights.T[np.maximum(columns, 0)], 0.0)
        return Block(op.of[0], table, players[:1], "codes")
    if isinstance(op, Lookup):
        table = arrays[op.table]
        return Block(op.of[0], _times(table, weights.T), players[:1], "codes")
    return Block(operation, weights, players, shapes[operation].kind)


def _times(table: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the product, in which a weight of 0 makes 0 of a missing value."""
    used = weights.any(axis=1)
    return np.asarray(table[:, used] @ weights[used])
