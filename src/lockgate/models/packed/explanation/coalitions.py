"""Shapley values of a function of few players, by all of their coalitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lockgate.models.packed.format.arithmetic import ordered_sum
from lockgate.models.packed.format.array_types import Cells
from lockgate.models.packed.runtime.blocks import take_cells

__all__ = ["MAX_PLAYERS", "coalition_bits", "mix_cells", "shapley_values"]

MAX_PLAYERS = 12
"""Most players: 4,096 coalitions."""


def coalition_bits(players: int) -> np.ndarray:
    """Return which players are in each coalition, bool of shape (2 ** players, players)."""
    return (np.arange(1 << players)[:, None] >> np.arange(players) & 1).astype(bool)


def shapley_values(worth: np.ndarray) -> np.ndarray:
    """Return Shapley values (Shapley, 1953).

    Parameters
    ----------
    worth : ndarray of float, shape (2 ** players, ...)
        What each coalition is worth, in the order of `coalition_bits`.

    Returns
    -------
    ndarray of float, shape (players, ...)

    Examples
    --------
    >>> shapley_values(np.array([0.0, 1.0, 2.0, 5.0])).tolist()
    [2.0, 3.0]

    """
    players = len(worth).bit_length() - 1
    bits = coalition_bits(players)
    sizes = bits.sum(axis=1)
    # of a coalition without the player: |S|! (n - |S| - 1)! / n!
    shares = np.array(
        [1.0 / (players * math.comb(players - 1, size)) for size in range(players)] or [0.0]
    )
    values = np.empty((players, *worth.shape[1:]))
    for player in range(players):
        without = np.flatnonzero(~bits[:, player])
        gains = worth[without | 1 << player] - worth[without]
        weighted = shares[sizes[without], None] * gains.reshape(len(gains), -1)
        values[player] = ordered_sum(weighted, np).reshape(worth.shape[1:])
    return values


def mix_cells(
    cells: Sequence[Cells], reference: Sequence[Cells], players: Sequence[int], span: slice
) -> list[Any]:
    """Return the cells of every coalition for each row: the row's, or the reference's.

    Parameters
    ----------
    cells, reference : sequence
        As `read_columns` returns them, of rows and of the reference row.
    players : sequence of int
        Inputs that form coalitions; the others have the reference's cells.
    span : slice
        The rows.

    """
    bits = coalition_bits(len(players))
    rows = np.repeat(np.arange(span.start, span.stop), len(bits))
    mixed = []
    for k, column in enumerate(cells):
        if k not in players:
            mixed.append(take_cells(reference[k], np.zeros(len(rows), np.int64)))
            continue
        present = np.tile(bits[:, players.index(k)], span.stop - span.start)
        row_cells = take_cells(column, rows)
        if isinstance(row_cells, np.ndarray):
            mixed.append(np.where(present, row_cells, reference[k][0]))
        else:
            pairs = zip(row_cells, present.tolist(), strict=True)
            mixed.append([text if is_present else reference[k][0] for text, is_present in pairs])
    return mixed
