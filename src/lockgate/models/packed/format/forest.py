"""Trees as data: nodes without pointers, thresholds as ranks, two ways to walk them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

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
"""Most levels of a tree."""

MAX_NODES = 1 << 26
MAX_EDGES = (1 << 22) - 2
MAX_COLUMNS = 1 << 14
"""Most columns and sets that nodes may compare with."""


class Forest(Operation, tag="forest", frozen=True):
    """Sums of the leaves that a row reaches in each tree, trees first to last.

    Nodes of all trees stand in one breadth-first order, the roots first. One bit
    a node says whether it is a leaf; the children of the r-th node that is not
    are the nodes ``trees + 2 r`` and ``trees + 2 r + 1``, so no file can describe
    a cycle or a child elsewhere. A row goes left where its number is at most the
    node's edge, where its code is in the node's set, or, for a gap or a code out
    of range, where the node's `gap` bit (the set's last bit) says so.

    Attributes
    ----------
    trees, outputs : int
        How many trees, and how many numbers come out.
    leaves : str
        Bits of all nodes, u1, most significant first; 1 is a leaf.
    features : str
        Column of each inner node, u1, u2 or u4.
    ranks : str
        Which of its column's edges or sets each inner node compares with, u1, u2 or u4.
    gaps : str or None
        Bits of all inner nodes; 1 sends a gap to the left. None: all go right.
    edges : str
        Rising edges of all columns, f8, column after column.
    counts : str
        How many edges or sets each column has, u4 of shape (width,).
    codes : str or None
        How many codes each column of categories knows, u4; 0 is a column of numbers.
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
    gaps: str | None = None
    codes: str | None = None
    sets: str | None = None
    leaf_rows: str | None = None
    output: str | None = None
    divide: int = 1

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        width = check_numbers(operands)
        check_cell_count(self.outputs)
        require(0 < self.trees <= MAX_NODES and self.outputs > 0, "no tree or no output")
        require(1 <= self.divide <= MAX_NODES, "a sum divided by nothing")
        self._check_nodes(width, reader)
        nodes = expand_nodes(self, reader.arrays)
        leaves = int(nodes.leaf.sum())
        per_row = 1 if self.output is not None else self.outputs
        rows = reader.floats(self.values, None, per_row).shape[0]
        reader.floats(self.base, self.outputs)
        if self.leaf_rows is None:
            require(rows == leaves, f"{rows} leaf values for {leaves} leaves")
        else:
            leaf_rows = reader.array(self.leaf_rows, "u1 u2 u4", leaves)
            require(rows > 0 and (leaf_rows < rows).all(), "a leaf without a value")
        if self.output is not None:
            tree_outputs = reader.array(self.output, "u2", self.trees)
            require((tree_outputs < self.outputs).all(), "a tree whose output is not there")
        return Shape("numbers", self.outputs)

    def _check_nodes(self, width: int, reader: ArrayReader) -> None:
        bits = reader.array(self.leaves, "u1", None)
        require(len(bits) * 8 <= MAX_NODES, "too many nodes")
        features = reader.array(self.features, "u1 u2 u4", None)
        ranks = reader.array(self.ranks, "u1 u2 u4", len(features))
        total = self.trees + 2 * len(features)
        require(len(bits) == -(-total // 8), "the number of leaf bits is not that of the nodes")
        require(not len(features) or features.max() < width, "a node asks for a column not there")
        counts = reader.array(self.counts, "u4", width).astype(np.int64)
        require((ranks < counts[features]).all(), "a node compares with an edge not there")
        require((counts < MAX_EDGES).all(), f"a column of more than {MAX_EDGES} edges")
        if self.gaps is not None:
            reader.array(self.gaps, "u1", -(-len(features) // 8))
        codes = np.zeros(width, np.int64)
        if self.codes is not None:
            codes = reader.array(self.codes, "u4", width).astype(np.int64)
            require((codes < 1 << 16).all(), "a column of more than 65535 categories")
        numeric = codes == 0
        column_count = np.count_nonzero(counts) + int(counts[~numeric].sum())
        require(column_count <= MAX_COLUMNS, f"more than {MAX_COLUMNS} columns and sets")
        edges = reader.floats(self.edges, int(counts[numeric].sum()))
        ends = np.cumsum(np.where(numeric, counts, 0))
        rises = np.diff(edges) > 0
        rises[ends[(ends > 0) & (ends < len(edges))] - 1] = True
        require(rises.all(), "edges that do not rise")
        if self.sets is not None:
            set_bytes = (int(codes.max()) + 8) // 8
            reader.array(self.sets, "u1", int(counts[~numeric].sum()), set_bytes)
        else:
            require(numeric.all(), "categories without sets")

    def run(self, operands: Sequence[Any], arrays: Mapping[str, Any], xp: Any) -> Any:
        raise NotImplementedError  # the engine prepares forests: `Grown`


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


def expand_nodes(forest: Forest, arrays: Mapping[str, np.ndarray]) -> ForestNodes:
    """Expand the leaf bits; PackedFormatError unless every node belongs to one tree."""
    trees, inner_count = forest.trees, len(arrays[forest.features])
    total = trees + 2 * inner_count
    bits = np.unpackbits(arrays[forest.leaves])
    require(not bits[total:].any(), "leaf bits after the last node")
    leaf = bits[:total].astype(bool)
    inner = np.flatnonzero(~leaf)
    require(len(inner) == inner_count, "the leaf bits are not those of these nodes")
    require((inner < trees + 2 * np.arange(inner_count)).all(), "a node before its parent")
    tree = np.empty(total, np.int32)
    tree[:trees] = np.arange(trees)
    levels: list[tuple[int, int]] = []
    low, high, first_inner = 0, trees, 0
    while low < high:
        require(len(levels) < MAX_DEPTH, f"a tree of more than {MAX_DEPTH} levels")
        levels.append((low, high))
        level_inner_count = int(np.count_nonzero(~leaf[low:high]))
        tree[high : high + 2 * level_inner_count] = np.repeat(
            tree[inner[first_inner : first_inner + level_inner_count]], 2
        )
        first_inner, low, high = first_inner + level_inner_count, high, high + 2 * level_inner_count
    return ForestNodes(leaf, inner, tree, levels)
