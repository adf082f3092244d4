"""Metrics of two bundles beside each other, with intervals of their differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lockgate.contract.evaluation import Metric, ValueMatrix
from lockgate.modeling.metrics.decisions import DecisionValue
from lockgate.modeling.metrics.intervals import bootstrap_intervals
from lockgate.modeling.metrics.losses import (
    EVALUATORS,
    chosen_metric,
    class_indices,
    direction_of,
    metrics_for_task,
    predicted_positive,
    truth_of,
)
from lockgate.modeling.metrics.titles import metric_title
from lockgate.models.bundle.open import Bundle
from lockgate.models.comparison.agreement import Pair

__all__ = ["MetricChange", "measured_changes", "reported_changes"]

Array = np.ndarray[Any, np.dtype[Any]]
MetricFunction = Callable[[Array | None], Mapping[str, float]]

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
        The metric that decides first: the value of decisions where there is one, or else that
        which models of the task are tuned by.

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
    table, output, manifest = pair.tables[side], pair.outputs[side], opened[side].manifest
    truth = truth_of(table, pair.task)
    classes, threshold = manifest.classes, manifest.threshold
    measure = metrics_for_task(pair.task, truth, output, classes, threshold, table.schema.targets)
    prefix = EVALUATORS[pair.task]
    # values of one of the two for both, or a change of them would look like one of the model
    declared = (bundle.manifest.value_matrix for bundle in opened)
    values = next((matrix for matrix in declared if matrix not in (None, ValueMatrix())), None)
    decisions = None
    if values is not None and pair.task == "binary" and output.score is not None:
        positive = class_indices(truth, classes) == 1
        decisions = DecisionValue(positive, predicted_positive(output, classes, threshold), values)

    def metrics(weight: Array | None) -> dict[str, float]:
        known = {f"{prefix}.{name}": value for name, value in measure(weight).items()}
        if decisions is not None:
            known[f"business.{VALUE}"] = decisions(weight)[VALUE]
        return known

    return metrics


def _decisive_first(
    changes: list[MetricChange], task: str, quantile: float | None
) -> tuple[MetricChange, ...]:
    """Mark the metric that decides, and put it first."""
    tuned_by = f"{EVALUATORS[task]}.{chosen_metric('auto', task, quantile)}"
    by_name = {change.name: change for change in changes}
    judged = [change.name for change in changes if change.higher_is_better is not None]
    order = [f"business.{VALUE}", tuned_by, f"{EVALUATORS[task]}.accuracy", *judged]
    name = next((name for name in order if name in by_name), None)
    if name is None:
        return tuple(changes)
    decisive = by_name[name]
    rest = (change for change in changes if change is not decisive)
    marked = MetricChange(
        name,
        decisive.title,
        decisive.first,
        decisive.second,
        decisive.change,
        decisive.higher_is_better,
        decides=True,
    )
    return (marked, *rest)
