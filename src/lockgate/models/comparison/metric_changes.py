"""Metrics of two bundles beside each other, with intervals of their differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from lockgate.contract.evaluation import Metric
from lockgate.contract.recipes import UNSUPERVISED
from lockgate.modeling.metrics.evaluator_metrics import (
    MetricFunction,
    declared_values,
    evaluator_metrics,
)
from lockgate.modeling.metrics.intervals import bootstrap_intervals
from lockgate.modeling.metrics.losses import EVALUATORS, chosen_metric, direction_of
from lockgate.modeling.metrics.titles import metric_title
from lockgate.models.bundle.open import Bundle
from lockgate.models.comparison.pair import Pair

__all__ = ["MetricChange", "measured_changes", "reported_changes"]

Array = np.ndarray[Any, np.dtype[Any]]

FEWEST_UNITS = 20
"""Rows or groups from which resampling shows how far metrics may be off."""

VALUE = "per_1000"
"""Value of decisions per 1,000 rows; the one of its metrics that models can be compared by."""


@dataclass(frozen=True)
class MetricChange:
    """A metric of both bundles.

    Attributes
    ----------
    name : str
        Evaluator and metric, e.g. ``classification.roc_auc``.
    title : str
        What it is called in texts.
    first, second : float
        The metric of each bundle.
    change : Metric
        Second minus first, with its 95 % interval where both were measured on the same rows.
    higher_is_better : bool or None
        None where neither direction is better, or none is known.
    decides : bool
        Whether this metric decides which of the two is better.

    """

    name: str
    title: str
    first: float
    second: float
    change: Metric
    higher_is_better: bool | None
    decides: bool = False

    @property
    def better(self) -> Literal["first", "second"] | None:
        """Which bundle is better beyond chance; None if neither is."""
        low, high = self.change.low, self.change.high
        if self.higher_is_better is None or low is None or high is None or low <= 0 <= high:
            return None
        return "second" if (low > 0) == self.higher_is_better else "first"


def measured_changes(
    pair: Pair, opened: Sequence[Bundle], *, resamples: int, seed: int
) -> tuple[MetricChange, ...]:
    """Compare the metrics of two bundles on the same rows, resampled for both alike.

    Parameters
    ----------
    pair : Pair
        Predictions of both for the rows.
    opened : sequence of Bundle
        The bundles.
    resamples : int
        Number of resamples with replacement.
    seed : int
        Seed of the resampling.

    Returns
    -------
    tuple of MetricChange
        First the metric that decides: the value of decisions where values are declared, or else
        the metric that models of the task are tuned by. None decides without a target.

    """
    first, second = (_metrics_of(pair, k, opened) for k in range(2))
    table = pair.tables[1]

    def differences(weight: Array | None) -> dict[str, float]:
        old, new = first(weight), second(weight)
        return {name: new[name] - old[name] for name in new if name in old}

    units = len(table) if table.groups is None else len(np.unique(table.groups))
    intervals = bootstrap_intervals(
        differences,
        len(table),
        weight=table.weight,
        groups=table.groups,
        resamples=resamples if units >= FEWEST_UNITS else 0,
        seed=seed,
    )
    # a metric that is not resampled, as it does not follow the weights, has no interval
    intervals = {
        name: Metric(change.estimate) if change.low == change.high and change.estimate else change
        for name, change in intervals.items()
    }
    weight = None if table.weight is None else table.weight.astype(float)
    old, new = first(weight), second(weight)
    targets = table.schema.targets
    changes = [
        _metric_change(name, old[name], new[name], change, targets)
        for name, change in intervals.items()
    ]
    # what is of the rows alone, such as the prevalence, changes in no resample
    changes = [
        change
        for change in changes
        if change.higher_is_better is not None or change.change.estimate
    ]
    return _decisive_first(changes, pair.task, opened[1].manifest.quantile)


def reported_changes(
    first: Mapping[str, Mapping[str, Any]], second: Mapping[str, Mapping[str, Any]]
) -> tuple[MetricChange, ...]:
    """Return the metrics that both bundles report, each on rows of its own; none decides."""
    changes = []
    for evaluator, metrics in second.items():
        for name, metric in metrics.items():
            if name in first.get(evaluator, {}):
                old, new = float(first[evaluator][name]["estimate"]), float(metric["estimate"])
                changes.append(
                    _metric_change(f"{evaluator}.{name}", old, new, Metric(new - old), ())
                )
    return tuple(changes)


def _metric_change(
    name: str, old: float, new: float, change: Metric, targets: Sequence[str]
) -> MetricChange:
    short = name.rpartition(".")[2]
    sign = 1.0 if short == VALUE else direction_of(short, targets)
    better = None if sign is None else sign > 0
    return MetricChange(name, metric_title(short), old, new, change, better)


def _metrics_of(pair: Pair, side: int, opened: Sequence[Bundle]) -> MetricFunction:
    """Return a function from row weights to the metrics of a bundle, by evaluator and name."""
    manifest = opened[side].manifest
    values = declared_values(*(bundle.manifest.value_matrix for bundle in opened))
    arguments = (
        pair.tables[side],
        pair.task,
        pair.outputs[side],
        manifest.classes,
        manifest.threshold,
    )
    evaluator = EVALUATORS[pair.task]
    measure = evaluator_metrics(evaluator, *arguments)
    assert measure is not None  # that of the task always can
    value_of = evaluator_metrics("business", *arguments, values)

    def metrics(weight: Array | None) -> dict[str, float]:
        measured = {f"{evaluator}.{name}": value for name, value in measure(weight).items()}
        if value_of is not None:
            measured[f"business.{VALUE}"] = value_of(weight)[VALUE]
        return measured

    return metrics


def _decisive_first(
    changes: list[MetricChange], task: str, quantile: float | None
) -> tuple[MetricChange, ...]:
    """Mark the metric that decides, and put it first."""
    evaluator = EVALUATORS[task]
    tuned_by = f"{evaluator}.{chosen_metric('auto', task, quantile)}"
    by_name = {change.name: change for change in changes}
    order = (f"business.{VALUE}", tuned_by, f"{evaluator}.accuracy")
    name = next((name for name in order if name in by_name), None)
    if name is None or task in UNSUPERVISED:
        return tuple(changes)
    decisive = by_name[name]
    rest = (change for change in changes if change is not decisive)
    return (replace(decisive, decides=True), *rest)
