"""Functions that numba compiles: same comparisons and order of addition as with NumPy."""

from __future__ import annotations

import numpy as np
from numba import njit

from lockgate.models.packed.runtime.tree_walk import CODE_BITS, NODE_BITS

__all__ = ["encode", "sum_masked", "sum_walked", "widen"]

TILE = 4096
CODE_MASK = (1 << CODE_BITS) - 1
NODE_MASK = (1 << NODE_BITS) - 1
COLUMN = CODE_BITS + NODE_BITS


@njit(nogil=True, cache=True)
def encode(
    x: np.ndarray,
    used: np.ndarray,
    known: np.ndarray,
    edges: np.ndarray,
    starts: np.ndarray,
    out: np.ndarray,
) -> None:
    """Write each row's codes: number of edges below, or the category; missing values above."""
    for index in range(len(used)):
        column, low, high = used[index], starts[index], starts[index + 1]
        for row in range(x.shape[1]):
            value = x[column, row]
            if known[index] == 0:
                if np.isnan(value):
                    out[row, index] = high - low + 1
                    continue
                first, count = low, high - low
                while count > 0:
                    half = count >> 1
                    below = edges[first + half] < value
                    first += below * (half + 1)
                    count = count - half - 1 if below else half
                out[row, index] = first - low
            elif np.isnan(value) or value <= -1 or value >= known[index]:
                out[row, index] = known[index]
            else:
                out[row, index] = int(value)


@njit(nogil=True, cache=True)
def sum_masked(
    codes: np.ndarray,
    tables: np.ndarray,
    starts: np.ndarray,
    multiplier: np.uint64,
    shift: np.uint64,
    bits: int,
    values: np.ndarray,
    owners: np.ndarray,
    base: np.ndarray,
    out: np.ndarray,
) -> None:
    """Write the sums of leaves, found by mask tables."""
    trees, outputs = tables.shape[1], len(base)
    alive = np.empty(trees, tables.dtype)
    slots = np.empty(trees, np.uint64)
    mask = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - bits)
    total = np.empty(outputs)
    for row in range(len(codes)):
        alive[:] = tables[starts[0] + codes[row, 0]] if len(starts) else tables[0]
        for index in range(1, len(starts)):
            column_masks = tables[starts[index] + codes[row, index]]
            for tree in range(trees):
                alive[tree] &= column_masks[tree]
        for tree in range(trees):
            # numba computes in 64 bits, whatever the size of the masks
            leaf_bits = np.uint64(alive[tree])
            lowest = leaf_bits & (np.uint64(0) - leaf_bits)
            slots[tree] = np.uint64(tree * bits) + ((lowest * multiplier & mask) >> shift)
        if outputs == 1:
            row_sum = base[0]
            for tree in range(trees):
                row_sum += values[slots[tree], 0]
            out[0, row] = row_sum
            continue
        total[:] = base
        for tree in range(trees):
            if owners[tree] >= 0:
                total[owners[tree]] += values[slots[tree], 0]
            else:
                for k in range(outputs):
                    total[k] += values[slots[tree], k]
        out[:, row] = total


@njit(nogil=True, cache=True)
def widen(
    codes: np.ndarray,
    source_columns: np.ndarray,
    starts: np.ndarray,
    outside: np.ndarray,
    missing_codes: np.ndarray,
) -> np.ndarray:
    """Add the extra columns for missing values that go left and for sets of categories."""
    rows, width = codes.shape
    wide = np.empty((rows, width + len(source_columns)), np.int32)
    for row in range(rows):
        for index in range(width):
            wide[row, index] = codes[row, index]
        for k in range(len(source_columns)):
            code = codes[row, source_columns[k]]
            if starts[k + 1] > starts[k]:
                wide[row, width + k] = outside[starts[k] + code]
            else:
                wide[row, width + k] = 0 if code == missing_codes[source_columns[k]] else code
    return wide


@njit(nogil=True, cache=True)
def sum_walked(
    wide: np.ndarray,
    nodes: np.ndarray,
    depths: np.ndarray,
    leaves: np.ndarray,
    values: np.ndarray,
    owners: np.ndarray,
    base: np.ndarray,
    out: np.ndarray,
) -> None:
    """Write the sums of leaves, found by walking; 16 rows go down each tree together."""
    rows, outputs = wide.shape[0], len(base)
    state = np.empty(16, np.uint64)
    for first in range(0, rows, TILE):
        last = min(first + TILE, rows)
        for k in range(outputs):
            out[k, first:last] = base[k]
        for tree in range(len(depths)):
            for low in range(first, last, 16):
                size = min(16, last - low)
                state[:] = tree
                for _ in range(depths[tree]):
                    for k in range(size):
                        node = np.uint64(nodes[state[k]])
                        code = np.uint64(wide[low + k, node >> np.uint64(COLUMN)])
                        limit = (node >> np.uint64(NODE_BITS)) & np.uint64(CODE_MASK)
                        state[k] = (node & np.uint64(NODE_MASK)) + np.uint64(code > limit)
                for k in range(size):
                    leaf = np.uint64(leaves[state[k]])
                    if owners[tree] >= 0:
                        out[owners[tree], low + k] += values[leaf, 0]
                    else:
                        for output in range(outputs):
                            out[output, low + k] += values[leaf, output]
