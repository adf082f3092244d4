"""What numba compiles: the same comparisons and the same order of addition as with NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from lockgate.models.packed.runtime.tree_walk import CODE_BITS, NODE_BITS

__all__ = ["codes", "masked", "walked", "widened"]

TILE = 4096
CODE_MASK = (1 << CODE_BITS) - 1
NODE_MASK = (1 << NODE_BITS) - 1
COLUMN = CODE_BITS + NODE_BITS


@njit(nogil=True, cache=True)
def codes(x: Any, used: Any, known: Any, edges: Any, starts: Any, found: Any) -> None:
    """Write each row's codes: the number of edges below, or the category; gaps above all."""
    for place in range(len(used)):
        column, low, high = used[place], starts[place], starts[place + 1]
        for row in range(x.shape[1]):
            value = x[column, row]
            if known[place] == 0:
                if np.isnan(value):
                    found[row, place] = high - low + 1
                    continue
                first, count = low, high - low
                while count > 0:
                    half = count >> 1
                    below = edges[first + half] < value
                    first += below * (half + 1)
                    count = count - half - 1 if below else half
                found[row, place] = first - low
            elif np.isnan(value) or value <= -1 or value >= known[place]:
                found[row, place] = known[place]
            else:
                found[row, place] = int(value)


@njit(nogil=True, cache=True)
def masked(
    codes: Any,
    tables: Any,
    starts: Any,
    multiplier: Any,
    shift: Any,
    bits: int,
    values: Any,
    owners: Any,
    base: Any,
    found: Any,
) -> None:
    """Write the sums of leaves, found by mask tables."""
    trees, outputs = tables.shape[1], len(base)
    alive = np.empty(trees, tables.dtype)
    slots = np.empty(trees, np.uint64)
    mask = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - bits)
    total = np.empty(outputs)
    for row in range(len(codes)):
        alive[:] = tables[starts[0] + codes[row, 0]] if len(starts) else tables[0]
        for place in range(1, len(starts)):
            own = tables[starts[place] + codes[row, place]]
            for tree in range(trees):
                alive[tree] &= own[tree]
        for tree in range(trees):
            # numba computes in 64 bits, whatever the words have
            word = np.uint64(alive[tree])
            lowest = word & (np.uint64(0) - word)
            slots[tree] = np.uint64(tree * bits) + ((lowest * multiplier & mask) >> shift)
        if outputs == 1:
            only = base[0]
            for tree in range(trees):
                only += values[slots[tree], 0]
            found[0, row] = only
            continue
        total[:] = base
        for tree in range(trees):
            if owners[tree] >= 0:
                total[owners[tree]] += values[slots[tree], 0]
            else:
                for k in range(outputs):
                    total[k] += values[slots[tree], k]
        found[:, row] = total


@njit(nogil=True, cache=True)
def widened(codes: Any, places: Any, starts: Any, outside: Any, gaps: Any) -> Any:
    """Add the columns that gaps sent left and sets of categories have for themselves."""
    rows, width = codes.shape
    wide = np.empty((rows, width + len(places)), np.int32)
    for row in range(rows):
        for place in range(width):
            wide[row, place] = codes[row, place]
        for k in range(len(places)):
            code = codes[row, places[k]]
            if starts[k + 1] > starts[k]:
                wide[row, width + k] = outside[starts[k] + code]
            else:
                wide[row, width + k] = 0 if code == gaps[places[k]] else code
    return wide


@njit(nogil=True, cache=True)
def walked(
    wide: Any, words: Any, depths: Any, leaves: Any, values: Any, owners: Any, base: Any, found: Any
) -> None:
    """Write the sums of leaves, found by walking; 16 rows go down each tree side by side."""
    rows, outputs = wide.shape[0], len(base)
    state = np.empty(16, np.uint64)
    for first in range(0, rows, TILE):
        last = min(first + TILE, rows)
        for k in range(outputs):
            found[k, first:last] = base[k]
        for tree in range(len(depths)):
            for low in range(first, last, 16):
                size = min(16, last - low)
                state[:] = tree
                for _ in range(depths[tree]):
                    for k in range(size):
                        word = np.uint64(words[state[k]])
                        code = np.uint64(wide[low + k, word >> np.uint64(COLUMN)])
                        limit = (word >> np.uint64(NODE_BITS)) & np.uint64(CODE_MASK)
                        state[k] = (word & np.uint64(NODE_MASK)) + np.uint64(code > limit)
                for k in range(size):
                    leaf = np.uint64(leaves[state[k]])
                    if owners[tree] >= 0:
                        found[owners[tree], low + k] += values[leaf, 0]
                    else:
                        for output in range(outputs):
                            found[output, low + k] += values[leaf, output]
