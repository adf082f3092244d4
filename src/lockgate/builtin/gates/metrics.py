"""Metrics by their dotted name, measured or reported, for the gates that read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import lockgate

FIGURE = {"binary": "roc_auc", "multiclass": "accuracy", "regression": "r2"}
"""What ``auto`` stands for: figures from 0 to 1, so that a tolerance means the same for each."""


def weighted_metric(
    figure: str, one: Any, worth: Any
) -> Callable[[Any], Mapping[str, float]] | None:
    """Return a function from row weights to figures, where the figure is one of ours."""
    from lockgate.modeling.metrics.decisions import DecisionValue
    from lockgate.modeling.metrics.losses import class_indices, metrics_for_task

    evaluator = figure.rpartition(".")[0]
    truth = one.table.target
    own = "regression" if one.task == "regression" else "classification"
    if evaluator in ("", own):
        return metrics_for_task(one.task, truth, one.output, one.classes, one.threshold)
    if evaluator == "business" and one.task == "binary" and worth is not None:
        positive = class_indices(truth, one.classes) == 1
        threshold = 0.5 if one.threshold is None else one.threshold
        return DecisionValue(positive, one.output.score, threshold, worth)
    return None


def format_metric(metric: lockgate.Metric) -> str:
    """Format an estimate with its interval, where it has one."""
    if metric.low is None or metric.high is None:
        return f"{metric.estimate:.4g}"
    return f"{metric.estimate:.4g} ({metric.low:.4g} to {metric.high:.4g})"
