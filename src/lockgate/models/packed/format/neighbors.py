"""Operations that look up the nearest of the training rows: predictions, and missing cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

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

__all__ = [
    "NEIGHBORS",
    "NearestRows",
    "NeighborCells",
    "common_distances",
    "nearest_distances",
    "weigh",
]

BLOCK_CELLS = 1 << 20
"""Distances that are held at once."""

Metric = Literal["euclidean", "manhattan", "chebyshev"]

Weights = Literal["uniform", "distance"]

LARGEST_OF_INFINITE_INVERSE = 2.0**-1024
"""Largest double whose inverse is infinite."""


class NearestRows(Operation, tag="neighbors", frozen=True):
    """The weighted mean of the values of the nearest points; of equal distances the first.

    With weights by distance each point counts by the inverse of its distance; where some
    distances are 0, or so small that their inverse is infinite, only these points count.
    """

    points: str
    values: str
    count: int
    metric: Metric
    weights: Weights

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        points = reader.floats(self.points, None, check_numbers(operands))
        values = reader.floats(self.values, len(points), None)
        check_cell_count(*points.shape)
        require(
            1 <= self.count <= len(points), f"count is {self.count}, expected 1 to {len(points)}"
        )
        require(values.shape[1], "expected at least one value for each point")
        return Shape("numbers", values.shape[1])

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        points, values = arrays[self.points], arrays[self.values]
        parts = []
        for block in _blocks(operands[0], len(points)):
            distances = nearest_distances(block, points, self.metric, xp)
            indices = _choose_nearest(distances, self.count, xp)
            kept = xp.take_along_axis(distances, indices, axis=0)
            average = _average(values, indices, weigh(kept, self.weights, xp), xp)
            # numbers too large to have distances have no neighbors, and no prediction
            known = xp.all(~xp.isinf(kept), axis=0)
            parts.append(xp.where(known, average, xp.full_like(average, xp.nan)))
        return xp.concat(parts, axis=1) if parts else xp.zeros((values.shape[1], 0))


class NeighborCells(Operation, tag="neighborcells", frozen=True):
    """Columns whose missing cells are the weighted mean of those of the nearest points.

    Distances are Euclidean over the columns that both have, scaled to all columns (Dixon, 1979).
    Only points with a value in the column count; a row that has no column in common with them
    gets the column's `mean`.
    """

    points: str
    means: str
    count: int
    weights: Weights

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        width = check_numbers(operands)
        points = reader.array(self.points, "f8", None, width)
        require(not np.isinf(points).any(), f"array {self.points!r} contains infinity")
        reader.floats(self.means, width)
        check_cell_count(*points.shape)
        require(self.count >= 1, f"count is {self.count}, expected at least 1")
        return Shape("numbers", width)

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        points = arrays[self.points]
        parts = [self._fill(block, arrays, xp) for block in _blocks(operands[0], len(points))]
        return xp.concat(parts, axis=1) if parts else operands[0]

    def _fill(self, cells: Array, arrays: Mapping[str, Array], xp: Namespace) -> Array:
        missing = xp.isnan(cells)
        if not bool(xp.any(missing)):
            return cells
        points, means = arrays[self.points], arrays[self.means]
        distances = common_distances(cells, points, xp)
        columns = []
        for k in range(cells.shape[0]):
            column = cells[k, :]
            if bool(xp.any(missing[k, :])):
                donors = xp.nonzero(~xp.isnan(points[:, k]))[0]
                filled = self._column(distances, donors, points[:, k : k + 1], means[k], xp)
                column = xp.where(missing[k, :], filled, column)
            columns.append(column)
        return xp.stack(columns)

    def _column(
        self, distances: Array, donors: Array, values: Array, mean: Array, xp: Namespace
    ) -> Array:
        if not donors.shape[0]:
            return mean + xp.zeros(distances.shape[1])
        usable = xp.take(distances, donors, axis=0)
        indices = _choose_nearest(usable, min(self.count, donors.shape[0]), xp)
        kept = xp.take_along_axis(usable, indices, axis=0)
        weights = weigh(kept, self.weights, xp)
        weights = xp.where(xp.isinf(kept), xp.zeros_like(kept), weights)
        known = xp.any(~xp.isinf(usable), axis=0)
        weights = xp.where(known, weights, xp.ones_like(weights))
        average = _average(xp.take(values, donors, axis=0), indices, weights, xp)[0, :]
        return xp.where(known, average, mean + xp.zeros_like(average))


def nearest_distances(rows: Array, points: Array, metric: Metric, xp: Namespace) -> Array:
    """Return the distances of points to rows, shape (points, n); infinite where unknown."""
    total = xp.zeros((points.shape[0], rows.shape[1]))
    for k in range(rows.shape[0]):
        difference = xp.reshape(rows[k, :], (1, -1)) - points[:, k : k + 1]
        if metric == "euclidean":
            total += difference * difference
        elif metric == "manhattan":
            total += xp.abs(difference)
        else:
            total = xp.maximum(total, xp.abs(difference))
    if metric == "euclidean":
        total = xp.sqrt(total)
    return xp.where(xp.isnan(total), xp.full_like(total, xp.inf), total)


def common_distances(rows: Array, points: Array, xp: Namespace) -> Array:
    """Return distances over the columns that both have; infinite where there are none."""
    total = xp.zeros((points.shape[0], rows.shape[1]))
    common = xp.zeros((points.shape[0], rows.shape[1]))
    for k in range(rows.shape[0]):
        difference = xp.reshape(rows[k, :], (1, -1)) - points[:, k : k + 1]
        known = ~xp.isnan(difference)
        total += xp.where(known, difference * difference, xp.zeros_like(total))
        common += xp.astype(known, xp.float64)
    scaled = total / xp.where(common == 0, xp.ones_like(common), common) * rows.shape[0]
    return xp.where(common == 0, xp.full_like(total, xp.inf), xp.sqrt(scaled))


def _blocks(rows: Array, points: int) -> Iterator[Array]:
    size = max(1, BLOCK_CELLS // max(points, 1))
    for start in range(0, rows.shape[1], size):
        yield rows[:, start : start + size]


def _choose_nearest(distances: Array, count: int, xp: Namespace) -> Array:
    """Return the indices of the nearest points, ascending, shape (count, n)."""
    if xp is np:
        last = np.partition(distances, count - 1, axis=0)[count - 1 : count, :]
    else:
        last = xp.sort(distances, axis=0)[count - 1 : count, :]
    chosen = distances <= last
    if bool(xp.any(xp.sum(xp.astype(chosen, xp.int64), axis=0) > count)):
        nearer = distances < last
        room = count - xp.sum(xp.astype(nearer, xp.int64), axis=0)
        tied = xp.astype(distances == last, xp.int64)
        first = (tied == 1) & (xp.cumulative_sum(tied, axis=0) <= room)
        chosen = nearer | first
    # of the transposed array: row by row
    indices = xp.nonzero(xp.permute_dims(chosen, (1, 0)))[1]
    return xp.permute_dims(xp.reshape(indices, (distances.shape[1], count)), (1, 0))


def weigh(distances: Array, weights: Weights, xp: Namespace) -> Array:
    """Return the weights of the nearest points, shape (count, n)."""
    if weights == "uniform":
        return xp.ones_like(distances)
    zero = distances <= LARGEST_OF_INFINITE_INVERSE
    exact = xp.any(zero, axis=0)
    safe = xp.where(zero, xp.ones_like(distances), distances)
    return xp.where(exact, xp.astype(zero, xp.float64), 1.0 / safe)


def _average(values: Array, indices: Array, weights: Array, xp: Namespace) -> Array:
    """Return weighted means of points' values, shape (outputs, n); summed in order."""
    outputs = []
    for output in range(values.shape[1]):
        total, weight = xp.zeros(indices.shape[1]), xp.zeros(indices.shape[1])
        for j in range(indices.shape[0]):
            total = total + weights[j, :] * xp.take(values[:, output], indices[j, :], axis=0)
            weight = weight + weights[j, :]
        outputs.append(total / xp.where(weight == 0, xp.ones_like(weight), weight))
    return xp.stack(outputs)


NEIGHBORS = (NearestRows, NeighborCells)
"""Operations on training rows."""
