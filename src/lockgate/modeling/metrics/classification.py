"""Metrics of a classification, each with an interval that holds, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lockgate.contract.evaluation import Metric
from lockgate.contract.prediction import Output
from lockgate.modeling.metrics.binary import BinaryLabelMetrics, BinaryMetrics
from lockgate.modeling.metrics.intervals import bootstrap_intervals
from lockgate.modeling.metrics.losses import class_indices, metrics_for_task, predicted_positive
from lockgate.modeling.metrics.means import calibration_metric, mean_metric
from lockgate.modeling.metrics.multiclass import MulticlassMetrics
from lockgate.modeling.metrics.rates import RowSample, auc_metric, pr_auc_metric, rate_metric

__all__ = ["FEWEST", "ClassificationMetrics", "classification_metrics"]

Array = np.ndarray[Any, np.dtype[Any]]

FEWEST = 20
"""Rows of a class, or groups with one, from which resampling them gives intervals that hold."""

RESAMPLED = ("pr_auc", "log_loss", "calibration_error", "f1")
"""Metrics without an interval where a class has fewer rows."""

NAMES = {
    "pr_auc": "PR AUC",
    "log_loss": "log loss",
    "brier": "Brier score",
    "calibration_error": "calibration error",
    "f1": "F1",
}


@dataclass(frozen=True)
class ClassificationMetrics:
    """Metrics by name.

    Attributes
    ----------
    metrics : dict of str to Metric
        The metrics; those that are undefined on these rows are left out.
    notes : tuple of str
        Why some have no interval.

    """

    metrics: dict[str, Metric]
    notes: tuple[str, ...] = field(default=())


def classification_metrics(
    task: str,
    truth: Array,
    output: Output,
    classes: Sequence[object],
    threshold: float | None,
    *,
    weight: Array | None = None,
    groups: Array | None = None,
    resamples: int = 300,
    seed: int = 0,
) -> ClassificationMetrics:
    """Measure predictions of a classifier.

    Parameters
    ----------
    task : {"binary", "multiclass"}
        The task.
    truth : ndarray, shape (n,)
        Actual labels.
    output : Output
        Predictions, with or without scores.
    classes : sequence
        The labels.
    threshold : float or None
        Score from which the second of two classes is predicted; None for 0.5.
    weight : ndarray, shape (n,), optional
        Weights of the rows.
    groups : ndarray, shape (n,), optional
        Rows of a group are not independent.
    resamples : int
        Resamples for the intervals of losses; rates need none. 0 for no intervals.
    seed : int
        Seed of the resampling.

    """
    measure = metrics_for_task(task, truth, output, classes, threshold)
    assert isinstance(measure, (BinaryLabelMetrics, BinaryMetrics, MulticlassMetrics))
    estimates = bootstrap_intervals(measure, len(truth), weight=weight, resamples=0)
    if not resamples:
        return ClassificationMetrics(estimates)
    sample = RowSample.of(len(truth), weight, groups)
    actual = class_indices(truth, classes)
    rates = _rates(task, actual, output, classes, threshold, estimates, sample)
    for name, losses in measure.losses.items():
        rates[name] = mean_metric(losses, sample, resamples=resamples, seed=seed)
    fewest = min(sample.subset(actual == k).units for k in range(len(classes)))
    if fewest >= FEWEST and isinstance(measure, MulticlassMetrics):
        intervals = bootstrap_intervals(
            measure, len(truth), weight=weight, groups=groups, resamples=resamples, seed=seed
        )
        return ClassificationMetrics({**intervals, **rates})
    if isinstance(measure, BinaryMetrics):
        error = estimates["calibration_error"].estimate
        rates["calibration_error"] = calibration_metric(
            error, np.asarray(output.score), measure.residual, measure.bins, sample, seed=seed
        )
    if fewest >= FEWEST:
        return ClassificationMetrics({**estimates, **rates})
    left = [name for name in estimates if name not in rates or name in RESAMPLED]
    unit = "rows" if groups is None else "groups"
    note = (
        f"only {fewest} {unit} of a class: too few for intervals of "
        f"{_join([NAMES.get(name, name) for name in left])} ({FEWEST} needed)"
    )
    rates |= {name: estimates[name] for name in left}
    return ClassificationMetrics({**estimates, **rates}, (note,) if left else ())


def _rates(
    task: str,
    actual: Array,
    output: Output,
    classes: Sequence[object],
    threshold: float | None,
    estimates: Mapping[str, Metric],
    sample: RowSample,
) -> dict[str, Metric]:
    """Return the metrics that are rates, and the areas under curves, with their intervals."""
    predicted = class_indices(output.label, classes)
    if task != "binary":
        return {"accuracy": rate_metric(actual == predicted, sample)}
    positive = actual == 1
    ranking = output.margin if output.score is None else output.score
    chosen = predicted_positive(output, classes, threshold)
    either = positive | chosen
    rates = {
        "accuracy": rate_metric(positive == chosen, sample),
        "precision": rate_metric(positive[chosen], sample.subset(chosen)),
        "recall": rate_metric(chosen[positive], sample.subset(positive)),
        "f1": _f1(rate_metric((positive & chosen)[either], sample.subset(either))),
        "prevalence": rate_metric(positive, sample),
    }
    if ranking is not None and "roc_auc" in estimates:
        scores = np.asarray(ranking).reshape(-1)
        auc, pr_auc = estimates["roc_auc"].estimate, estimates["pr_auc"].estimate
        rates["roc_auc"] = auc_metric(auc, positive, scores, sample)
        rates["pr_auc"] = pr_auc_metric(pr_auc, auc, positive, scores, sample)
    return {name: rate for name, rate in rates.items() if name in estimates}


def _f1(jaccard: Metric) -> Metric:
    """Return F1, which rises with the rate of hits among rows that are or seem positive."""
    low, high = (
        None if bound is None else 2 * bound / (1 + bound) for bound in (jaccard.low, jaccard.high)
    )
    return Metric(2 * jaccard.estimate / (1 + jaccard.estimate), low, high)


def _join(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
