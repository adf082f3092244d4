"""Trees as plain arrays, and their conversion to an operation."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lockgate.models.packed.format.forest import Forest
from lockgate.models.packed.format.numeric import Concat
from lockgate.models.packed.format.term_columns import DenseTerms
from lockgate.models.packed.format.writer import Builder, smallest_dtype

__all__ = ["TreeArrays", "add_forest", "float32_limits"]


@dataclasses.dataclass
class TreeArrays:
    """Trees as plain arrays, one after the other, as most libraries keep them.

    Attributes
    ----------
    roots : ndarray of int, shape (trees,)
        Node of each root.
    left, right : ndarray of int, shape (nodes,)
        Children; -1 at a leaf.
    feature : ndarray of int, shape (nodes,)
        Column that is compared.
    limit : ndarray of float, shape (nodes,)
        A row goes left if the column, as a double, is at most that.
    missing_left : ndarray of bool, shape (nodes,)
        Whether a missing value goes left.
    value : ndarray of float, shape (nodes, outputs)
        What a leaf adds.
    sets : dict of int to ndarray of bool
        For nodes with a set of codes, whether each code goes left; the last entry
        is for missing values and codes out of range.
    cover : ndarray of float, shape (nodes,), or None
        Training rows, or their weight, that reached each node.

    """

    roots: np.ndarray
    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    limit: np.ndarray
    missing_left: np.ndarray
    value: np.ndarray
    sets: dict[int, np.ndarray] = dataclasses.field(default_factory=dict)
    cover: np.ndarray | None = None

    @classmethod
    def concatenate(cls, parts: Sequence[TreeArrays]) -> TreeArrays:
        """Concatenate the trees of several parts, in order."""
        offsets = np.cumsum([0, *(len(part.left) for part in parts)])

        def children(name: str) -> np.ndarray:
            shifted = [
                np.where(getattr(part, name) >= 0, getattr(part, name) + offset, -1)
                for part, offset in zip(parts, offsets, strict=False)
            ]
            return np.concatenate(shifted)

        def stacked(name: str) -> np.ndarray:
            return np.concatenate([getattr(part, name) for part in parts])

        covers = [part.cover for part in parts if part.cover is not None]
        sets: dict[int, np.ndarray] = {}
        for part, offset in zip(parts, offsets.tolist(), strict=False):
            sets |= {node + offset: members for node, members in part.sets.items()}
        return cls(
            roots=np.concatenate(
                [part.roots + offset for part, offset in zip(parts, offsets, strict=False)]
            ),
            left=children("left"),
            right=children("right"),
            feature=stacked("feature"),
            limit=stacked("limit"),
            missing_left=stacked("missing_left"),
            value=stacked("value"),
            sets=sets,
            cover=np.concatenate(covers) if len(covers) == len(parts) else None,
        )


def float32_limits(limits: np.ndarray) -> np.ndarray:
    """Return limits for doubles that decide as these do for numbers rounded to 32 bits.

    The largest double whose nearest 32-bit number is at most the limit: half-way
    to the next 32-bit number, itself included where it rounds down (to even).
    Infinity, which separates missing values from all numbers, becomes the largest
    double.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        below = limits.astype(np.float32)
        below = np.where(below > limits, np.nextafter(below, np.float32(-np.inf)), below)
        above = np.nextafter(below, np.float32(np.inf))
        half = below.astype(float) + (above.astype(float) - below.astype(float)) / 2
        rounds_down = half.astype(np.float32) <= below
    boundary = np.where(rounds_down, half, np.nextafter(half, -np.inf))
    beyond = np.isinf(below) | np.isinf(above)
    return np.clip(np.where(beyond, limits, boundary), -np.finfo(float).max, np.finfo(float).max)


def add_forest(
    builder: Builder,
    x: int,
    tree_arrays: TreeArrays,
    outputs: int,
    *,
    base: ArrayLike = 0.0,
    divide: int = 1,
    output: ArrayLike | None = None,
) -> int:
    """Add an operation that sums trees.

    Parameters
    ----------
    builder : Builder
        Where the operation is added.
    x : int
        Operation whose columns the trees compare.
    tree_arrays : TreeArrays
        The trees.
    outputs : int
        How many sums per row.
    base : array-like
        Initial value of the sums, shape (outputs,) or one number.
    divide : int
        Divisor of the sums.
    output : array-like of int, shape (trees,), optional
        Output of each tree, where each has a single output.

    """
    order, inner = _breadth_first(tree_arrays)
    leaf = tree_arrays.left[order] < 0
    x, feature = _used_terms(builder, x, tree_arrays.feature[inner].astype(np.int64))
    width = builder.width(x)
    codes, counts, ranks, edges, sets = _rank_limits(tree_arrays, inner, feature, width)
    array = builder.array
    missing_left = tree_arrays.missing_left[inner]
    fields: dict[str, Any] = {
        "trees": len(tree_arrays.roots),
        "outputs": outputs,
        "leaves": array(np.packbits(leaf), "u1"),
        "features": array(feature, smallest_dtype(feature)),
        "ranks": array(ranks, smallest_dtype(ranks)),
        "edges": array(edges),
        "counts": array(counts, "u4"),
        "base": array(np.broadcast_to(np.asarray(base, dtype=float), (outputs,))),
        "divide": divide,
    }
    if missing_left.any():
        fields["missing_left"] = array(np.packbits(missing_left), "u1")
    if codes.any():
        fields["codes"] = array(codes, "u4")
        fields["sets"] = array(sets, "u1")
    if output is not None:
        fields["output"] = array(output, "u2")
    fields |= _leaves(builder, tree_arrays.value[order[leaf]] + 0.0)
    if tree_arrays.cover is not None and (tree_arrays.cover[order[leaf]] > 0).all():
        fields["covers"] = array(tree_arrays.cover[order[leaf]])
    return builder.add(Forest, x, **fields)


def _used_terms(builder: Builder, x: int, feature: np.ndarray) -> tuple[int, np.ndarray]:
    """Leave out the counts of terms that no tree compares; return the new features."""
    op = builder.ops[x]
    operands = op.of if isinstance(op, Concat) else (x,)
    parts, features, offset, new_offset = [], feature.copy(), 0, 0
    for operand in operands:
        width, inner = builder.width(operand), builder.ops[operand]
        inside = (feature >= offset) & (feature < offset + width)
        used = np.unique(feature[inside] - offset)
        if isinstance(inner, DenseTerms):
            features[inside] = np.searchsorted(used, feature[inside] - offset) + new_offset
            if len(used):
                columns = builder.array(builder.arrays[inner.columns][used], "u4")
                parts.append(builder.add(DenseTerms, *inner.of, columns=columns))
            new_offset += len(used)
        else:
            features[inside] += new_offset - offset
            parts.append(operand)
            new_offset += width
        offset += width
    if not parts:  # trees without a comparison
        return x, feature
    return (parts[0] if len(parts) == 1 else builder.add(Concat, *parts)), features


def _breadth_first(tree_arrays: TreeArrays) -> tuple[np.ndarray, np.ndarray]:
    """Return all nodes level by level, and those that are not leaves."""
    levels, inner = [], []
    level = tree_arrays.roots
    while len(level):
        levels.append(level)
        split_nodes = level[tree_arrays.left[level] >= 0]
        inner.append(split_nodes)
        level = np.stack(
            [tree_arrays.left[split_nodes], tree_arrays.right[split_nodes]], axis=1
        ).ravel()
    return np.concatenate(levels), np.concatenate(inner)


def _rank_limits(
    tree_arrays: TreeArrays, inner: np.ndarray, feature: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return codes and counts by column, ranks by node, edges, and sets as bits."""
    ranks, counts = np.zeros(len(inner), np.int64), np.zeros(width, np.int64)
    codes = np.zeros(width, np.int64)
    edges: list[np.ndarray] = []
    sets: list[np.ndarray] = []
    by_set = np.array([node in tree_arrays.sets for node in inner.tolist()], bool)
    for column in range(width):
        positions = np.flatnonzero(feature == column)
        if not len(positions):
            continue
        if by_set[positions].any():
            node_sets = [tree_arrays.sets[node] for node in inner[positions].tolist()]
            codes[column] = len(node_sets[0]) - 1
            distinct, inverse = np.unique(np.stack(node_sets), axis=0, return_inverse=True)
            ranks[positions] = inverse.reshape(-1)
            sets += list(distinct)
            counts[column] = len(distinct)
        else:
            distinct, inverse = np.unique(
                tree_arrays.limit[inner[positions]] + 0.0, return_inverse=True
            )
            ranks[positions] = inverse.reshape(-1)
            edges.append(distinct)
            counts[column] = len(distinct)
    byte_count = (int(codes.max(initial=0)) + 8) // 8
    bits = np.zeros((len(sets), byte_count), np.uint8)
    for row, members in enumerate(sets):
        packed = np.packbits(members)
        bits[row, : len(packed)] = packed
    return codes, counts, ranks, np.concatenate(edges) if edges else np.zeros(0), bits


def _leaves(builder: Builder, values: np.ndarray) -> dict[str, str]:
    """Store equal leaves once where that takes less space."""
    distinct, rows = np.unique(values, axis=0, return_inverse=True)
    dtype = smallest_dtype(np.array([len(distinct) - 1]))
    width = {"u1": 1, "u2": 2, "u4": 4}[dtype]
    if distinct.nbytes + len(values) * width < values.nbytes:
        rows_name = builder.array(rows.reshape(-1), dtype)
        return {"values": builder.array(distinct), "leaf_rows": rows_name}
    return {"values": builder.array(values)}
