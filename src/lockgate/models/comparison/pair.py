"""Two models on the same rows."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from lockgate.contract.prediction import Output
from lockgate.contract.tables import Table
from lockgate.data.columns.categories import category_text
from lockgate.modeling.metrics.losses import class_indices
from lockgate.modeling.metrics.row_losses import row_losses, target_deviations
from lockgate.models.comparison.matched_clusters import match_clusters

__all__ = ["Pair"]

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

    @functools.cached_property
    def labels(self) -> tuple[Any, ...]:
        """Labels of both, equal ones once, those of the second first."""
        labels = {category_text(label): label for label in (*self.classes[0], *self.classes[1])}
        order = map(category_text, (*self.classes[1], *self.classes[0]))
        return tuple(labels[text] for text in dict.fromkeys(order))

    @functools.cached_property
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

    @functools.cached_property
    def differ(self) -> Array:
        """On which rows they predict differently, shape (rows,) of bool."""
        first, second = self.predictions
        return np.asarray((first != second).reshape(len(first), -1).any(axis=1))

    @functools.cached_property
    def losses(self) -> tuple[Array, Array]:
        """Losses of both, shape (rows,): of classes 0 or 1, of numbers those of `row_losses`."""
        first, second = (
            row_losses(table, self.task, output, classes, by_labels=True)[1]
            for table, output, classes in zip(self.tables, self.outputs, self.classes, strict=True)
        )
        return first, second

    @functools.cached_property
    def distance(self) -> Array:
        """How far predictions are apart, shape (rows,).

        Of classes and clusters it is 0 or 1, of numbers absolute, of several targets the mean of
        those relative to the mean absolute deviation of each target.
        """
        if self.labels or self.task == "clustering":
            return self.differ.astype(float)
        first, second = self.predictions
        apart = np.abs(first - second)
        if self.task == "multioutput":
            return np.asarray((apart / target_deviations(self.tables[1].target)).mean(axis=1))
        return np.asarray(apart)
