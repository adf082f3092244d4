"""Explains a sum of trees with the engine that its size allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lockgate.contract.explanation import Against
from lockgate.contract.requests import numpy_backend
from lockgate.models.packed.explanation.additive_terms import Trees
from lockgate.models.packed.explanation.cell_tables import CellTables
from lockgate.models.packed.explanation.cover_walk import CoverWalk, node_covers
from lockgate.models.packed.explanation.reference_walk import ReferenceWalk
from lockgate.models.packed.explanation.tree_paths import TreePaths, leaf_values
from lockgate.models.packed.explanation.tree_units import LeafShares, Path
from lockgate.models.packed.format.forest import Forest
from lockgate.models.packed.runtime.forest_codes import ForestCodes
from lockgate.models.packed.runtime.model import PackedModel
from lockgate.models.packed.runtime.one_hot_masks import ForestPart, find_parts
from lockgate.models.packed.runtime.tree_arrays import UnpackedForest
from lockgate.models.packed.runtime.tree_walk import TreeWalk

__all__ = ["TreeExplainer", "find_forest_parts", "read_covers"]


MAX_LEAVES = 1 << 14
"""Most leaves of all trees for which tables are tried."""

MAX_SQUARES = 1 << 20
"""Most sum of the squares of the trees' leaves: how long it takes to divide them into units."""


def read_covers(model: PackedModel, trees: Trees) -> np.ndarray | None:
    """Return how many training rows reached each leaf, or None where that is not known."""
    op = _forest_of(model, trees)
    return None if op.covers is None else model.arrays[op.covers].astype(float)


def find_forest_parts(model: PackedModel, trees: Trees) -> list[ForestPart]:
    """Return the blocks that a forest is read from: of one-hot columns the codes."""
    op = _forest_of(model, trees)
    parts = find_parts(model.header, model.arrays, model.shapes, trees.operation)
    if op.codes is not None or all(part.code_columns is None for part in parts):
        return [ForestPart(op.of[0], model.shapes[op.of[0]].width)]
    return parts


def _forest_of(model: PackedModel, trees: Trees) -> Forest:
    op = model.header.ops[trees.operation]
    assert isinstance(op, Forest)
    return op


class TreeExplainer:
    """Explains one sum of trees.

    Parameters
    ----------
    model : PackedModel
        The model.
    trees : Trees
        The sum.
    parts : sequence of ForestPart
        The blocks that it is read from, of `find_forest_parts`.
    reference : sequence
        What these blocks are for the reference row.
    against : {"reference", "training"}
        What rows are compared with; the second needs `read_covers`.
    span : slice
        Where the blocks' results stand among those of the explainer's program.

    Attributes
    ----------
    engine : CellTables, ReferenceWalk or CoverWalk
        What explains.
    base_change : ndarray of float, shape (outputs,)
        How much the base value differs from the reference's.

    """

    def __init__(
        self,
        model: PackedModel,
        trees: Trees,
        parts: Sequence[ForestPart],
        reference: Sequence[Any],
        against: Against,
        span: slice,
    ) -> None:
        self.span = span
        op, inputs = _forest_of(model, trees), len(model.inputs)
        unpacked = UnpackedForest.unpack(op, model.arrays)
        self.encoder = ForestCodes(unpacked, numpy_backend(), parts)
        self._columns = _column_codes(self.encoder)
        values = leaf_values(unpacked, trees.weights)
        codes = self.encoder.row()(*reference)
        covers = None
        self.base_change = np.zeros(len(trees.weights))
        if against == "training":
            leaf_covers = read_covers(model, trees)
            assert leaf_covers is not None  # the explainer checks it
            covers = node_covers(unpacked, leaf_covers)
            share = covers / covers[: op.trees][unpacked.nodes.tree]
            sums = TreeWalk(unpacked, numpy_backend()).sums(
                self._widen([np.array([code]) for code in codes]), 1
            )[:, 0]
            start = model.arrays[op.base] / op.divide
            self.base_change = share @ values - trees.weights @ (sums - start)
        tables = None
        leaves = np.bincount(unpacked.nodes.tree[unpacked.nodes.leaf])
        if leaves.sum() <= MAX_LEAVES and leaves @ leaves <= MAX_SQUARES:
            paths = TreePaths(unpacked, self.encoder, trees.players)
            tables = CellTables.build(paths, values, _shares(paths, codes, covers), inputs)
        self.engine: CellTables | ReferenceWalk | CoverWalk
        if tables is not None:
            self.engine = tables
        elif covers is not None:
            self.engine = CoverWalk(unpacked, values, trees.players, covers, inputs)
        else:
            wide = [int(code[0]) for code in self._widen([np.array([code]) for code in codes])]
            self.engine = ReferenceWalk(unpacked, values, trees.players, wide, inputs)

    def _widen(self, codes: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the codes of each column that the forest compares."""
        return [
            codes[entry] if column_codes is None else column_codes[codes[entry]]
            for entry, column_codes in self._columns
        ]

    def columns(self, parts: Sequence[Any], rows: int) -> np.ndarray:
        """Explain rows of the forest's blocks, as shape (rows, inputs * outputs)."""
        codes = self.encoder.columns(parts)
        if not isinstance(self.engine, CellTables):
            codes = self._widen(codes)
        return self.engine.columns(codes, rows)

    def row(self) -> Callable[..., list[float]]:
        """Make the function that explains one row of the forest's blocks."""
        encode, engine = self.encoder.row(), self.engine
        if isinstance(engine, CellTables):
            return lambda *parts: engine.row(encode(*parts)).tolist()

        def explain_row(*parts: Any) -> list[float]:
            codes = [np.array([code]) for code in encode(*parts)]
            values: list[float] = engine.columns(self._widen(codes), 1)[0].tolist()
            return values

        return explain_row


def _column_codes(encoder: ForestCodes) -> list[tuple[int, np.ndarray | None]]:
    """Return which code each compared column has, and for one-hot columns the rank by it."""
    columns: list[tuple[int, np.ndarray | None]] = []
    for number, entry in enumerate(encoder.plan):
        if entry.row is not None:
            columns.append((number, None))
            continue
        end = entry.column + encoder.parts[entry.part].width
        columns += [
            (number, encoder.ranks(entry, column))
            for column in encoder.used
            if entry.column <= column < end
        ]
    return columns


def _shares(paths: TreePaths, reference: list[int], covers: np.ndarray | None) -> LeafShares:
    """Return the share of each input on the way to a leaf.

    With `covers` the share of training rows that went on towards the leaf by the input's
    conditions, otherwise whether the reference meets them.
    """

    def shares(leaf: int, way: Path) -> dict[int, float]:
        node = int(paths.unpacked.nodes.tree[leaf])  # the root, as roots come first
        result: dict[int, float] = {}
        for condition, goes_left in way:
            child = int(paths.left[node]) + (not goes_left)
            if covers is None:
                share = float(paths.met(condition)[reference[condition.entry]] == goes_left)
            else:
                share = float(covers[child] / covers[node])
            player = paths.entry_players[condition.entry]
            result[player] = result.get(player, 1.0) * share
            node = child
        return result

    return shares
