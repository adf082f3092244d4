"""How far the predictions of two models agree, and which of them is right where they differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lockgate.contract.prediction import Output
from lockgate.contract.recipes import UNSUPERVISED
from lockgate.contract.tables import Table
from lockgate.data.columns.categories import category_text
from lockgate.modeling.metrics.losses import class_indices
from lockgate.modeling.metrics.row_losses import row_losses
from lockgate.models.comparison.matched_clusters import match_clusters

__all__ = ["Agreement", "Pair", "measure_agreement", "sign_test"]

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Pair:
    """Two models on the same rows.

    Attributes
    ----------
    task : str
        Task of both.
    tables : tuple of Table
        The rows, as each of them takes them.
    outputs : tuple of Output
        Their predictions.
    classes : tuple of tuple
        Labels of each, in the order of its scores; empty where numbers are predicted.

    """

    task: str
    tables: tuple[Table, Table]
    outputs: tuple[Output, Output]
    classes: tuple[tuple[Any, ...], tuple[Any, ...]]

    @property
    def labels(self) -> tuple[Any, ...]:
        """Labels of both, equal ones once, those of the second first."""
        labels = {category_text(label): label for label in (*self.classes[0], *self.classes[1])}
        order = map(category_text, (*self.classes[1], *self.classes[0]))
        return tuple(labels[text] for text in dict.fromkeys(order))

    @property
    def predictions(self) -> tuple[Array, Array]:
        """Numbers of both, indices of classes or clusters; targets in the order of the second."""
        first, second = (np.asarray(output.label) for output in self.outputs)
        if self.task == "clustering":
            return match_clusters(first, second).renumbered, second.astype(int)
        if self.labels:
            return class_indices(first, self.labels), class_indices(second, self.labels)
        if self.task == "multioutput":
            targets = self.tables[0].schema.targets
            first = first[:, [targets.index(name) for name in self.tables[1].schema.targets]]
        return first.astype(float), second.astype(float)

    @property
    def differ(self) -> Array:
        """On which rows they predict differently, shape (rows,) of bool."""
        first, second = self.predictions
        return np.asarray((first != second).reshape(len(first), -1).any(axis=1))

    @property
    def losses(self) -> tuple[Array, Array]:
        """Losses of both, shape (rows,): of classes 0 or 1, of numbers those of `row_losses`."""
        first, second = (
            row_losses(table, self.task, output, classes, by_labels=True)[1]
            for table, output, classes in zip(self.tables, self.outputs, self.classes, strict=True)
        )
        return first, second

    @property
    def distance(self) -> Array:
        """How far predictions are apart, shape (rows,): of classes 0 or 1, of numbers absolute."""
        if self.labels or self.task == "clustering":
            return self.differ.astype(float)
        first, second = self.predictions
        return np.asarray(np.abs(first - second).reshape(len(first), -1).mean(axis=1))


@dataclass(frozen=True)
class Agreement:
    """How far the predictions of two models agree on the same rows.

    Attributes
    ----------
    rows : int
        Number of rows.
    different : int
        Rows that they predict differently: another class, cluster or number.
    first_better, second_better : int or None
        Rows on which only the first, or the second, is right; of numbers those on which its
        loss is smaller. None without a target.
    p : float or None
        Probability that chance alone divides these rows as unevenly: the exact test of signs,
        which for classes is McNemar's (1947). Rows of a group are taken as independent.
    mean_change : float or None
        Mean absolute difference of the numbers that they predict; None for classes.

    """

    rows: int
    different: int
    first_better: int | None = None
    second_better: int | None = None
    p: float | None = None
    mean_change: float | None = None


def measure_agreement(pair: Pair) -> Agreement:
    """Measure how far two models agree."""
    rows, different = len(pair.tables[1]), int(pair.differ.sum())
    if pair.task in UNSUPERVISED:
        return Agreement(rows, different)
    old, new = pair.losses
    first, second = int((old < new).sum()), int((new < old).sum())
    change = None if pair.labels else float(pair.distance.mean())
    return Agreement(rows, different, first, second, sign_test(first, second), change)


def sign_test(first: int, second: int) -> float:
    """Return the probability that chance divides rows as unevenly, two-sided and exact.

    Examples
    --------
    >>> round(sign_test(1, 9), 4), sign_test(5, 5)
    (0.0215, 1.0)

    """
    rows, fewer = first + second, min(first, second)
    # sums of logarithms: the numbers of ways are too large for floats
    ways = math.lgamma(rows + 1) - rows * math.log(2)
    terms = [ways - math.lgamma(k + 1) - math.lgamma(rows - k + 1) for k in range(fewer + 1)]
    return min(1.0, 2 * math.fsum(map(math.exp, terms)))
