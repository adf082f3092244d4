"""What blocks contribute, whose columns each depend on a single input: of columns, and of a row.

The same additions in the same order both ways, so that the values are equal to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lockgate.models.packed.explanation.additive_terms import Block

__all__ = ["add_block", "compared_with", "row_adder"]


def compared_with(block: Block, reference: Any) -> Any:
    """Return what a block's values are compared with."""
    if block.kind == "codes":
        return block.weights - block.weights[reference]
    if block.kind == "terms":
        return reference.weighted(block.weights)[:, 0]
    return np.asarray(reference, dtype=float)


def add_block(total: np.ndarray, block: Block, delta: Any, result: Any) -> None:
    """Add a block's contributions to `total`, shape (inputs, outputs, n), column after column."""
    if block.kind == "codes":
        total[block.players[0]] += delta[result].T
    elif block.kind == "terms":
        total[block.players[0]] += result.weighted(block.weights) - delta[:, None]
    else:
        for k in np.flatnonzero(block.weights.any(axis=0)).tolist():
            total[block.players[k]] += block.weights[:, k : k + 1] * (result[k] - delta[k])


def row_adder(
    number: int, block: Block, delta: Any
) -> Callable[[list[float], Sequence[Any]], None]:
    """Make the function that adds a block's contributions to one row's values."""
    player = int(block.players[0])
    if block.kind == "codes":
        changes = delta[:, 0].tolist()

        def add_code(values: list[float], results: Sequence[Any]) -> None:
            values[player] += changes[results[number]]

        return add_code
    if block.kind == "terms":
        weights, subtrahend = block.weights[0].tolist(), float(delta[0])

        def add_terms(values: list[float], results: Sequence[Any]) -> None:
            subtotal = 0.0
            for k, value in results[number].pairs():
                subtotal += weights[k] * value
            values[player] += subtotal - subtrahend

        return add_terms
    used = np.flatnonzero(block.weights.any(axis=0)).tolist()
    plan = [(k, int(block.players[k]), float(block.weights[0, k]), float(delta[k])) for k in used]

    def add_numbers(values: list[float], results: Sequence[Any]) -> None:
        block_values = results[number]
        for k, input_number, weight, reference in plan:
            values[input_number] += weight * (block_values[k] - reference)

    return add_numbers
