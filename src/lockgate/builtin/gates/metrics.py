"""Metrics by their dotted name, measured or reported, for the gates that read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import lockgate

if TYPE_CHECKING:
    import numpy as np

    MetricFunction = Callable[[np.ndarray | None], Mapping[str, float]]

DEFAULT_METRICS = {
    "binary": "roc_auc",
    "multiclass": "accuracy",
    "regression": "r2",
    "multioutput": "mean_r2",
    "clustering": "silhouette",
    "anomaly": "score_shift",
}
"""What ``auto`` stands for: metrics of at most 1, so that one margin suits all tasks."""


def default_metric(bundle: lockgate.EvaluatedBundle) -> str:
    """Return the metric that ``auto`` stands for."""
    quantile = None if bundle.output is None else bundle.output.quantile
    return DEFAULT_METRICS[bundle.task] if quantile is None else "quantile_skill"


def weighted_metric(
    metric_name: str, bundle: lockgate.EvaluatedBundle, value_matrix: lockgate.ValueMatrix | None
) -> MetricFunction | None:
    """Return a function from row weights to metrics; None where lockgate cannot compute it."""
    from lockgate.modeling.metrics.decisions import DecisionValue
    from lockgate.modeling.metrics.losses import (
        EVALUATORS,
        class_indices,
        metrics_for_task,
        predicted_positive,
        truth_of,
    )

    if bundle.table is None or bundle.output is None:
        return None
    evaluator = metric_name.rpartition(".")[0]
    truth = truth_of(bundle.table, bundle.task)
    if evaluator in ("", EVALUATORS[bundle.task]):
        return metrics_for_task(
            bundle.task,
            truth,
            bundle.output,
            bundle.classes,
            bundle.threshold,
            bundle.table.schema.targets,
        )
    score = bundle.output.score
    if evaluator == "business" and bundle.task == "binary" and value_matrix and score is not None:
        positive = class_indices(truth, bundle.classes) == 1
        predicted = predicted_positive(bundle.output, bundle.classes, bundle.threshold)
        return DecisionValue(positive, predicted, value_matrix)
    return None


def format_metric(metric: lockgate.Metric) -> str:
    """Format an estimate with its interval, where it has one."""
    if metric.low is None or metric.high is None:
        return f"{metric.estimate:.4g}"
    return f"{metric.estimate:.4g} ({metric.low:.4g} to {metric.high:.4g})"
