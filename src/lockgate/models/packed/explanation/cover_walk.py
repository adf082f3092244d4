"""Explanations of trees of any size against the training rows that reached each leaf.

The path-dependent values of TreeSHAP (Lundberg et al., 2020), in time proportional to the nodes
times half the most inputs on the way to a leaf: the integral of `pattern_values` at the points
of its quadrature, products from the roots down, sums from the leaves up, in the manner of
Linear TreeShap (Yu et al., 2022).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lockgate.contract.requests import numpy_backend
from lockgate.models.packed.explanation.pattern_values import quadrature
from lockgate.models.packed.runtime.tree_arrays import UnpackedForest
from lockgate.models.packed.runtime.tree_walk import TreeWalk

__all__ = ["CoverWalk", "node_covers"]


def node_covers(unpacked: UnpackedForest, leaf_covers: np.ndarray) -> np.ndarray:
    """Return how many training rows reached each node, from those of the leaves."""
    nodes = unpacked.nodes
    covers = np.zeros(len(nodes.leaf))
    covers[nodes.leaf] = leaf_covers
    for node, child in zip(nodes.inner[::-1].tolist(), nodes.left[::-1].tolist(), strict=True):
        covers[node] = covers[child] + covers[child + 1]
    return covers


class CoverWalk:
    """Passes over all nodes for each row.

    Parameters
    ----------
    unpacked : UnpackedForest
        The forest.
    values : ndarray of float, shape (nodes, outputs)
        What each leaf adds.
    players : ndarray of int, shape (width,)
        Input of each column.
    covers : ndarray of float, shape (nodes,)
        Training rows that reached each node, all positive.
    inputs : int
        Number of inputs.

    """

    name = "walk of all nodes"

    def __init__(
        self,
        unpacked: UnpackedForest,
        values: np.ndarray,
        players: np.ndarray,
        covers: np.ndarray,
        inputs: int,
    ) -> None:
        self.walk = TreeWalk(unpacked, numpy_backend())
        self.values, self.inputs = values, inputs
        self.column, self.limit, _ = self.walk.unpack_nodes()
        nodes, trees = unpacked.nodes, unpacked.forest.trees
        self.levels, self.leaf = nodes.levels, nodes.leaf
        total = len(nodes.leaf)
        child_nodes = np.arange(trees, total)
        self.parent = np.full(total, -1)
        self.parent[trees:] = np.repeat(nodes.inner, 2)
        self.goes_left = np.zeros(total, bool)
        self.goes_left[trees::2] = True
        self.player = np.full(total, -1)
        self.player[trees:] = np.repeat(players[unpacked.feature], 2)
        ratio = np.ones(total)
        ratio[trees:] = covers[child_nodes] / covers[self.parent[trees:]]
        self._link_players(ratio)
        self.points, self.weights = quadrature(self.most_players)

    def _link_players(self, ratio: np.ndarray) -> None:
        """Link each node to the last one above it on the way of the same input."""
        total = len(ratio)
        none = total  # one behind the last: no such node
        self.above = np.full(total, none)
        self.share = np.append(ratio, 1.0)
        count = np.zeros(total, np.int64)
        inputs, number = np.unique(self.player[self.player >= 0], return_inverse=True)
        numbers = np.append(np.zeros(total - len(number), np.int64), number)
        # of each node of a level, the last node for each input on the way to it
        last = np.full((len(inputs), self.levels[0][1]), none)
        for (start, _), (low, high) in zip(self.levels, self.levels[1:], strict=False):
            span, parent = np.arange(low, high), self.parent[low:high]
            last = last[:, parent - start]
            self.above[span] = last[numbers[span], span - low]
            last[numbers[span], span - low] = span
            count[span] = count[parent] + (self.above[span] == none)
            self.share[span] *= self.share[self.above[span]]
        self.most_players = int(count.max(initial=0))

    def _explain(self, wide: np.ndarray) -> np.ndarray:
        """Return the values of one row, given the codes of the walk's columns."""
        total, outputs = len(self.leaf), self.values.shape[1]
        right = wide[self.column] > self.limit
        met = np.append(np.ones(total, bool), True)
        product = np.ones((len(self.points), total))
        points = self.points[:, None]
        change = np.zeros((len(self.points), total))
        for low, high in self.levels[1:]:
            span = slice(low, high)
            parent, above = self.parent[span], self.above[span]
            met[span] = met[above] & (right[parent] != self.goes_left[span])
            share, share_above = self.share[span], self.share[above]
            a, a_above = met[span].astype(float), met[above].astype(float)
            factor = points * a + (1 - points) * share
            factor_above = points * a_above + (1 - points) * share_above
            product[:, span] = product[:, parent] * (factor / factor_above)
            change[:, span] = (a - share) / factor - (a_above - share_above) / factor_above
        result = np.zeros((self.inputs, outputs))
        for output in range(outputs):
            below = product * self.values[:, output]
            for low, high in self.levels[:0:-1]:
                sums = below[:, low:high:2] + below[:, low + 1 : high : 2]
                below[:, self.parent[low:high:2]] = sums
            edges = self.weights @ (below * change)
            trees = self.levels[0][1]
            result[:, output] = np.bincount(
                self.player[trees:], edges[trees:], minlength=self.inputs
            )
        return result.reshape(-1)

    def columns(self, codes: Sequence[np.ndarray], rows: int) -> np.ndarray:
        """Return the values of rows, shape (rows, inputs * outputs)."""
        wide = self.walk.widen_codes(list(codes))
        return np.stack([self._explain(wide[:, k]) for k in range(rows)])
