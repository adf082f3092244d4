"""Trees as data: nodes without pointers, thresholds as ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lockgate.models.packed.format.array_types import Array, Namespace
from lockgate.models.packed.format.container import require
from lockgate.models.packed.format.operation import (
    ArrayReader,
    Operation,
    Shape,
    check_cell_count,
    check_numbers,
)

__all__ = ["MAX_DEPTH", "Forest", "ForestNodes", "expand_nodes"]

MAX_DEPTH = 512
"""Most levels of a tree that are read."""

MAX_NODES = 1 << 26
MAX_EDGES = (1 << 22) - 2
MAX_COLUMNS = 1 << 14
"""Most columns and sets that nodes may compare against."""


class Forest(Operation, tag="forest", frozen=True, rename={"missing_left": "gaps"}):
    """Sums of the leaves that a row reaches in each tree, trees first to last.

    The nodes of all trees are stored in one breadth-first order, the roots first.
    One bit a node tells whether it is a leaf; the children of the r-th inner node
    are the nodes ``trees + 2 r`` and ``trees + 2 r + 1``, so no file can describe
    a cycle or a child outside of the forest. A row goes left if its number is at
    most the node's edge, or its code is in the node's set; a missing value or a
    code out of range goes left if the node's bit in `missing_left`, or the set's
    last bit, is set.

    Attributes
    ----------
    trees, outputs : int
        How many trees, and how many numbers come out.
    leaves : str
        Bits of all nodes, u1, most significant first; 1 is a leaf.
    features : str
        Column of each inner node, u1, u2 or u4.
    ranks : str
        Index of the edge or set, within its column, of each inner node, u1, u2 or u4.
    missing_left : str or None
        Bits of all inner nodes; 1 sends a missing value left. None: all go right.
    edges : str
        Edges of all columns in ascending order, f8, column after column.
    counts : str
        How many edges or sets each column has, u4 of shape (width,).
    codes : str or None
        Number of known codes of each column of categories, u4; 0 is a column of numbers.
    sets : str or None
        Bits of the sets, u1 of shape (sets, bytes).
    values : str
        Leaf values, f8 of shape (rows, outputs), or (rows, 1) where each tree has one output.
    leaf_rows : str or None
        Row of `values` of each leaf; None: leaves in their order.
    output : str or None
        Output of each tree, u2; None: every tree has all of them.
    base : str
        Where each sum starts, f8 of shape (outputs,).
    covers : str or None
        Training rows, or their weight, that reached each leaf: positive, f8. The prediction
        does not need them, explanations do.
    divide : int
        What the sums are divided by at the end.

    """

    trees: int
    outputs: int
    leaves: str
    features: str
    ranks: str
    edges: str
    counts: str
    values: str
    base: str
    missing_left: str | None = None
    codes: str | None = None
    sets: str | None = None
    leaf_rows: str | None = None
    output: str | None = None
    covers: str | None = None
    divide: int = 1

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        width = check_numbers(operands)
        check_cell_count(self.outputs)
        require(
            0 < self.trees <= MAX_NODES and self.outputs > 0,
            "expected at least one tree and one output",
        )
        require(
            1 <= self.divide <= MAX_NODES,
            f"divide is {self.divide}, expected a positive count of trees",
        )
        self._check_nodes(width, reader)
        nodes = expand_nodes(self, reader.arrays)
        leaves = int(nodes.leaf.sum())
        per_row = 1 if self.output is not None else self.outputs
        rows = reader.floats(self.values, None, per_row).shape[0]
        reader.floats(self.base, self.outputs)
        if self.leaf_rows is None:
            require(rows == leaves, f"expected {leaves} leaf values, got {rows}")
        else:
            leaf_rows = reader.array(self.leaf_rows, "u1 u2 u4", leaves)
            require(rows > 0 and (leaf_rows < rows).all(), "a leaf refers to an unknown value")
        if self.covers is not None:
            covers = reader.floats(self.covers, leaves)
            require((covers > 0).all(), "a leaf has a cover that is not positive")
        if self.output is not None:
            tree_outputs = reader.array(self.output, "u2", self.trees)
            require((tree_outputs < self.outputs).all(), "a tree refers to an unknown output")
        return Shape("numbers", self.outputs)

    def _check_nodes(self, width: int, reader: ArrayReader) -> None:
        bits = reader.array(self.leaves, "u1", None)
        require(len(bits) * 8 <= MAX_NODES, f"{len(bits) * 8} nodes; at most {MAX_NODES} are read")
        features = reader.array(self.features, "u1 u2 u4", None)
        ranks = reader.array(self.ranks, "u1 u2 u4", len(features))
        total = self.trees + 2 * len(features)
        require(
            len(bits) == -(-total // 8),
            f"expected leaf bits of {total} nodes, got {len(bits)} bytes",
        )
        require(not len(features) or features.max() < width, "a node refers to an unknown column")
        counts = reader.array(self.counts, "u4", width).astype(np.int64)
        require((ranks < counts[features]).all(), "a node refers to an unknown edge or set")
        require((counts < MAX_EDGES).all(), f"a column has more than {MAX_EDGES} edges")
        if self.missing_left is not None:
            reader.array(self.missing_left, "u1", -(-len(features) // 8))
        codes = np.zeros(width, np.int64)
        if self.codes is not None:
            codes = reader.array(self.codes, "u4", width).astype(np.int64)
            require((codes < 1 << 16).all(), "a column has more than 65535 categories")
        numeric = codes == 0
        column_count = np.count_nonzero(counts) + int(counts[~numeric].sum())
        require(column_count <= MAX_COLUMNS, f"more than {MAX_COLUMNS} columns and sets")
        edges = reader.floats(self.edges, int(counts[numeric].sum()))
        ends = np.cumsum(np.where(numeric, counts, 0))
        rises = np.diff(edges) > 0
        rises[ends[(ends > 0) & (ends < len(edges))] - 1] = True
        require(rises.all(), "edges are not in strictly ascending order")
        if self.sets is not None:
            set_bytes = (int(codes.max()) + 8) // 8
            reader.array(self.sets, "u1", int(counts[~numeric].sum()), set_bytes)
        else:
            require(numeric.all(), "a column of categories has no sets")

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        raise NotImplementedError  # forests are run by `runtime.forest.CompiledForest`


@dataclass(frozen=True)
class ForestNodes:
    """The nodes of a forest, expanded.

    Attributes
    ----------
    leaf : ndarray of bool, shape (nodes,)
        Whether each node is a leaf.
    inner : ndarray of int, shape (inner,)
        Node of each inner node.
    tree : ndarray of int, shape (nodes,)
        Tree of each node.
    levels : list of (int, int)
        First and last node, exclusive, of each level.

    """

    leaf: np.ndarray
    inner: np.ndarray
    tree: np.ndarray
    levels: list[tuple[int, int]]

    @property
    def left(self) -> np.ndarray:
        """Left child of each inner node; the right one follows it."""
        trees = self.levels[0][1]
        return trees + 2 * np.arange(len(self.inner))


def expand_nodes(forest: Forest, arrays: Mapping[str, np.ndarray]) -> ForestNodes:
    """Expand the leaf bits; PackedFormatError unless every node belongs to one tree."""
    trees, inner_count = forest.trees, len(arrays[forest.features])
    total = trees + 2 * inner_count
    bits = np.unpackbits(arrays[forest.leaves])
    require(not bits[total:].any(), "the padding after the leaf bits is not zero")
    leaf = bits[:total].astype(bool)
    inner = np.flatnonzero(~leaf)
    require(
        len(inner) == inner_count,
        f"expected {inner_count} inner nodes, got {len(inner)} by the leaf bits",
    )
    require((inner < trees + 2 * np.arange(inner_count)).all(), "a node precedes its parent")
    tree = np.empty(total, np.int32)
    tree[:trees] = np.arange(trees)
    levels: list[tuple[int, int]] = []
    low, high, first_inner = 0, trees, 0
    while low < high:
        require(len(levels) < MAX_DEPTH, f"a tree has more than {MAX_DEPTH} levels")
        levels.append((low, high))
        level_inner_count = int(np.count_nonzero(~leaf[low:high]))
        tree[high : high + 2 * level_inner_count] = np.repeat(
            tree[inner[first_inner : first_inner + level_inner_count]], 2
        )
        first_inner, low, high = first_inner + level_inner_count, high, high + 2 * level_inner_count
    return ForestNodes(leaf, inner, tree, levels)
