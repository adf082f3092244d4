"""Divides trees into units, and tabulates the explanations that each may give."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lockgate.models.packed.explanation.pattern_values import pattern_values
from lockgate.models.packed.explanation.tree_paths import Condition, TreePaths

__all__ = ["LeafShares", "Path", "Unit", "UnitBuilder"]

MAX_PATTERN_VALUES = 1 << 25
"""Most values of all leaves, one for each input and pattern of inputs: a few seconds of work."""

MAX_UNIT_LEAVES = 32
"""Most leaves of a unit; tables of more are too large, so their size is not even counted."""

FIRST_TREES = 8
"""Trees after which the size of all tables is estimated."""

Path = tuple[tuple[Condition, bool], ...]
"""Conditions on the way to a node, each with whether the way goes left."""

LeafShares = Callable[[int, Path], dict[int, float]]
"""From a leaf and its path to each input's share: see `pattern_values`."""

Groups = dict[int, list[int]]
"""For codes that are compared, groups of cells that are the same for all leaves of a unit."""

Boxes = dict[int, int]
"""For codes that are compared on the way to a node, the tree's cells that pass, a bit each."""


@dataclass(frozen=True)
class Unit:
    """A subtree, and the explanations that it may give.

    Attributes
    ----------
    steps : dict of int to ndarray of int
        For each of the codes used, how many rows of the table each value leads further.
    targets : list of (int, int)
        Input and output of each column of the table.
    table : ndarray of float, shape (cells of the first code, ..., targets)

    """

    steps: dict[int, np.ndarray]
    targets: list[tuple[int, int]]
    table: np.ndarray


@dataclass(frozen=True)
class Axis:
    """An axis of a table: the cells of a code, or how many of several codes a row passes."""

    entries: list[int]
    size: int


@dataclass(frozen=True)
class _Leaf:
    node: int
    boxes: Boxes
    shares: dict[int, float]


class _TreeCells:
    """The cells into which the conditions of one tree divide each code.

    Attributes
    ----------
    cell_of : dict of int to ndarray of int
        For each of the codes compared, the cell of each value.
    passing : dict of Condition to int
        The cells that go left, a bit each.
    all : dict of int to int
        All cells, a bit each.

    """

    def __init__(self, paths: TreePaths, root: int) -> None:
        by_entry: dict[int, list[Condition]] = {}
        for condition in dict.fromkeys(_conditions(paths, root)):
            by_entry.setdefault(condition.entry, []).append(condition)
        self.cell_of: dict[int, np.ndarray] = {}
        self.passing: dict[Condition, int] = {}
        self.all: dict[int, int] = {}
        for entry, members in by_entry.items():
            met = np.stack([paths.met(condition) for condition in members])
            _, first, inverse = np.unique(
                np.packbits(met, axis=0), axis=1, return_index=True, return_inverse=True
            )
            self.cell_of[entry] = inverse.reshape(-1)
            self.all[entry] = (1 << len(first)) - 1
            for condition, passes in zip(members, met[:, first].tolist(), strict=True):
                self.passing[condition] = sum(1 << k for k, left in enumerate(passes) if left)

    def go(self, boxes: Boxes, condition: Condition, left: bool) -> Boxes:
        """Return the boxes of a child."""
        passing = self.passing[condition]
        everything = self.all[condition.entry]
        box = boxes.get(condition.entry, everything) & (passing if left else everything ^ passing)
        return {**boxes, condition.entry: box}


@dataclass(frozen=True)
class _Plan:
    """A unit before its table is filled: first all sizes are known, then they are allowed."""

    cells: _TreeCells
    leaves: Sequence[_Leaf]
    groups: Groups
    axes: list[Axis]
    targets: list[tuple[int, int]]


def _conditions(paths: TreePaths, node: int) -> list[Condition]:
    """Return the conditions of a subtree."""
    result, pending = [], [node]
    while pending:
        node = pending.pop()
        left = int(paths.left[node])
        if left >= 0:
            result.append(paths.conditions[int(paths.inner_index[node])])
            pending += [left, left + 1]
    return result


class UnitBuilder:
    """Divides trees into units, and fills their tables.

    Parameters
    ----------
    paths : TreePaths
        The forest.
    values : ndarray of float, shape (nodes, outputs)
        What each leaf adds.
    shares : callable
        Share of each input on the way to a leaf.
    max_bytes : int
        Largest size of all tables.
    unit_size : int
        Most numbers in a unit's table, unless the unit is a single leaf.

    """

    def __init__(
        self,
        paths: TreePaths,
        values: np.ndarray,
        shares: LeafShares,
        max_bytes: int,
        unit_size: int,
    ) -> None:
        self.paths, self.values, self.shares = paths, values, shares
        self.unit_size = unit_size
        self.plans: list[_Plan] = []
        self.bytes_left = max_bytes

    def build(self) -> list[Unit] | None:
        """Return the units of all trees, or None where their tables would be too large."""
        trees, allowed = self.paths.unpacked.forest.trees, self.bytes_left
        patterns_left = MAX_PATTERN_VALUES
        for root in range(trees):
            expected = (allowed - self.bytes_left) * trees
            if root == FIRST_TREES and expected > 2 * allowed * FIRST_TREES:
                return None
            self.cells = _TreeCells(self.paths, root)
            leaves: list[_Leaf] = []
            self._leaves_below: dict[int, slice] = {}
            self._collect(root, (), {}, leaves)
            patterns_left -= sum(len(leaf.shares) << len(leaf.shares) for leaf in leaves)
            if patterns_left < 0:
                return None
            if not self._plan(root, leaves):
                return None
        return [self._fill(plan) for plan in self.plans]

    def _collect(self, node: int, path: Path, boxes: Boxes, leaves: list[_Leaf]) -> None:
        """Append the leaves of a subtree that add something, and note where they stand."""
        start, left = len(leaves), int(self.paths.left[node])
        if left >= 0:
            condition = self.paths.conditions[int(self.paths.inner_index[node])]
            for goes_left in (True, False):
                child_boxes = self.cells.go(boxes, condition, goes_left)
                child_path = (*path, (condition, goes_left))
                self._collect(left + (not goes_left), child_path, child_boxes, leaves)
        elif self.values[node].any():
            leaves.append(_Leaf(node, boxes, self.shares(node, path)))
        self._leaves_below[node] = slice(start, len(leaves))

    def _plan(self, node: int, tree: Sequence[_Leaf]) -> bool:
        """Divide a subtree into units; False where the tables would be too large."""
        leaves = tree[self._leaves_below[node]]
        left = int(self.paths.left[node])
        if len(leaves) > MAX_UNIT_LEAVES:
            return all(self._plan(child, tree) for child in (left, left + 1))
        targets = self._targets(leaves)
        if not targets:
            return True  # without a condition, no input contributes anything
        groups = self._group(leaves)
        axes = self._axes(leaves, groups)
        size = math.prod(axis.size for axis in axes) * len(targets)
        if left >= 0 and size > self.unit_size:
            return all(self._plan(child, tree) for child in (left, left + 1))
        self.bytes_left -= 8 * (size + sum(self.paths.sizes[entry] for entry in groups))
        if self.bytes_left < 0:
            return False
        self.plans.append(_Plan(self.cells, leaves, groups, axes, targets))
        return True

    def _targets(self, leaves: Sequence[_Leaf]) -> list[tuple[int, int]]:
        targets: set[tuple[int, int]] = set()
        for leaf in leaves:
            outputs = np.flatnonzero(self.values[leaf.node]).tolist()
            targets.update((player, output) for player in leaf.shares for output in outputs)
        return sorted(targets)

    def _group(self, leaves: Sequence[_Leaf]) -> Groups:
        """Return for each of the codes groups of cells that are the same for all leaves."""
        groups = {}
        for entry in sorted({entry for leaf in leaves for entry in leaf.boxes}):
            everything = self.cells.all[entry]
            parts = [everything]
            for box in {leaf.boxes.get(entry, everything) for leaf in leaves}:
                parts = [piece for part in parts for piece in (part & box, part & ~box) if piece]
            groups[entry] = sorted(parts)
        return groups

    def _axes(self, leaves: Sequence[_Leaf], groups: Groups) -> list[Axis]:
        """Return the axes of a unit's table.

        Codes on which the reference fails all leaves of the unit, in the same way, have an axis
        together: it counts those that the row passes, and a leaf gives anything only if the row
        passes all.
        """
        required = [entry for entry in groups if self._is_required(entry, leaves)]
        alone = [entry for entry in groups if len(required) < 2 or entry not in required]
        axes = [Axis([entry], len(groups[entry])) for entry in alone]
        return [Axis(required, len(required) + 1), *axes] if len(required) > 1 else axes

    def _is_required(self, entry: int, leaves: Sequence[_Leaf]) -> bool:
        player = self.paths.entry_players[entry]
        return len({leaf.boxes.get(entry) for leaf in leaves}) == 1 and all(
            leaf.shares[player] == 0
            and [self.paths.entry_players[code] for code in leaf.boxes].count(player) == 1
            for leaf in leaves
        )

    def _fill(self, plan: _Plan) -> Unit:
        leaves, groups, axes, targets = plan.leaves, plan.groups, plan.axes, plan.targets
        axis_of = {entry: k for k, axis in enumerate(axes) for entry in axis.entries}
        table = np.zeros((*(axis.size for axis in axes), len(targets)))
        column_of = {target: k for k, target in enumerate(targets)}
        patterns = _patterns(leaves)
        for leaf in leaves:
            numbers = {player: number for number, player in enumerate(leaf.shares)}
            meets: dict[int, np.ndarray] = {}
            for entry, box in leaf.boxes.items():
                axis = axes[axis_of[entry]]
                passes = np.array([bool(part & box) for part in groups[entry]])
                if len(axis.entries) > 1:
                    passes = np.arange(axis.size) == len(axis.entries)
                shape = [1] * len(axes)
                shape[axis_of[entry]] = -1
                passes = passes.reshape(shape)
                player = self.paths.entry_players[entry]
                meets[player] = meets[player] & passes if player in meets else passes
            pattern = np.zeros([1] * len(axes), np.int64)
            for player, passes in meets.items():
                pattern = pattern + (passes.astype(np.int64) << numbers[player])
            contributions = patterns[leaf.node][pattern]
            for output in np.flatnonzero(self.values[leaf.node]).tolist():
                columns = [column_of[player, output] for player in numbers]
                table[..., columns] += contributions * self.values[leaf.node, output]
        return Unit(_steps(plan), targets, table)


def _steps(plan: _Plan) -> dict[int, np.ndarray]:
    """Return for each of the codes how many rows of the table each value leads further."""
    steps, stride = {}, 1
    for axis in reversed(plan.axes):
        for entry in axis.entries:
            tree_cells = range(plan.cells.all[entry].bit_length())
            if len(axis.entries) > 1:
                cells = [plan.leaves[0].boxes[entry] >> k & 1 for k in tree_cells]
            else:
                parts = plan.groups[entry]
                cells = [
                    next(n for n, part in enumerate(parts) if part >> k & 1) for k in tree_cells
                ]
            steps[entry] = np.array(cells)[plan.cells.cell_of[entry]] * stride
        stride *= axis.size
    return steps


def _patterns(leaves: Sequence[_Leaf]) -> dict[int, np.ndarray]:
    """Return the values of each leaf for every pattern, those of as many inputs together."""
    by_count: dict[int, list[_Leaf]] = {}
    for leaf in leaves:
        by_count.setdefault(len(leaf.shares), []).append(leaf)
    patterns = {}
    for members in by_count.values():
        values = pattern_values(np.array([list(leaf.shares.values()) for leaf in members]))
        for leaf, part in zip(members, values, strict=True):
            patterns[leaf.node] = part
    return patterns
