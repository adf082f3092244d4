"""Metrics by task, and metrics as losses for searching and compressing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from lockgate.contract.prediction import Output
from lockgate.contract.tables import Table
from lockgate.data.columns.categories import category_text
from lockgate.errors import DataError, SchemaViolation, SettingError
from lockgate.modeling.metrics.anomaly import AnomalyMetrics
from lockgate.modeling.metrics.binary import BinaryLabelMetrics, BinaryMetrics
from lockgate.modeling.metrics.clusters import ClusteringMetrics, comparison_points
from lockgate.modeling.metrics.multiclass import MulticlassMetrics
from lockgate.modeling.metrics.multioutput import (
    OF_EACH_TARGET,
    MultioutputMetrics,
    target_metrics,
)
from lockgate.modeling.metrics.regression import RegressionMetrics

__all__ = [
    "EVALUATORS",
    "LOWER_IS_BETTER",
    "check_evaluator",
    "chosen_metric",
    "class_indices",
    "compute_loss",
    "direction_of",
    "metrics_for_task",
    "predicted_positive",
    "truth_of",
]

Array = np.ndarray[Any, np.dtype[Any]]

Metrics: TypeAlias = (
    AnomalyMetrics
    | BinaryMetrics
    | BinaryLabelMetrics
    | ClusteringMetrics
    | MulticlassMetrics
    | MultioutputMetrics
    | RegressionMetrics
)
"""Metrics of a task, as a function of row weights."""

HIGHER_IS_BETTER = {
    "roc_auc",
    "pr_auc",
    "accuracy",
    "precision",
    "recall",
    "f1",
    "r2",
    "mean_r2",
    "quantile_skill",
    "silhouette",
}
LOWER_IS_BETTER = {
    "log_loss",
    "brier",
    "calibration_error",
    "davies_bouldin",
    "rmse",
    "score_shift",
    "mae",
    "quantile_loss",
    "model_kb",
    "one_row_us",
}
"""Metrics that improve as they fall."""

BY_TASK = {
    "binary": ("log_loss", "roc_auc", "pr_auc", "brier", "accuracy", "f1"),
    "multiclass": ("log_loss", "accuracy", "f1"),
    "regression": ("rmse", "mae", "r2"),
    "multioutput": ("mean_r2",),
    "clustering": ("silhouette", "davies_bouldin"),
    "anomaly": ("score_shift",),
}

OF_QUANTILES = ("quantile_loss", "quantile_skill")
"""Metrics of a regression that predicts a quantile."""

EVALUATORS = {
    "binary": "classification",
    "multiclass": "classification",
    "regression": "regression",
    "multioutput": "regression",
    "clustering": "clustering",
    "anomaly": "anomaly",
}
"""The evaluator of a task, unless another is chosen."""


def check_evaluator(name: str, task: str) -> None:
    """Reject a task that the evaluator of that name does not measure."""
    if EVALUATORS[task] != name:
        tasks = " or ".join(key for key, evaluator in EVALUATORS.items() if evaluator == name)
        raise DataError(
            f"evaluator {name} measures models of the task {tasks}, got {task}; "
            f"choose evaluator=[{EVALUATORS[task]}]"
        )


def truth_of(table: Table, task: str) -> Array:
    """Return what predictions for a table's rows are measured against.

    It is the target, shape (n,), or several, shape (n, targets); of clusters it is where the rows
    lie, shape (n, axes), and of anomalies nothing, shape (n, 0).
    """
    if task == "clustering":
        return comparison_points(table.features, table.schema)
    return np.zeros((len(table), 0)) if task == "anomaly" else table.target


def chosen_metric(requested: str, task: str, quantile: float | None = None) -> str:
    """Resolve ``auto``, and reject a metric that is not one of the task's, or of a quantile's."""
    known = BY_TASK[task] if quantile is None else OF_QUANTILES
    if requested == "auto":
        return known[0]
    if requested not in known:
        subject = task if quantile is None else f"the {quantile:g} quantile"
        raise SettingError("search.metric", requested, f"for {subject}: " + ", ".join(known))
    return requested


def metrics_for_task(
    task: str,
    truth: Array,
    output: Output,
    classes: Sequence[object],
    threshold: float | None,
    targets: Sequence[str] = (),
) -> Metrics:
    """Return the metrics of a task, as a function of row weights.

    Without scores they are those of labels, and of margins where the model has some; `truth` is
    that of `truth_of`, and `targets` are the names of several.
    """
    if task == "multioutput":
        return MultioutputMetrics(truth.astype(float), output.label, targets)
    if task == "regression":
        return RegressionMetrics(truth, output.label, output.quantile)
    if task == "clustering":
        return ClusteringMetrics(truth, output.label)
    if task == "anomaly":
        return AnomalyMetrics(output, classes)
    actual = class_indices(truth, classes)
    if task == "binary" and output.score is not None:
        return BinaryMetrics(
            actual == 1, output.score, predicted_positive(output, classes, threshold)
        )
    predicted = class_indices(output.label, classes)
    if task == "binary":
        margin = None if output.margin is None else np.asarray(output.margin).reshape(-1)
        return BinaryLabelMetrics(actual == 1, predicted == 1, margin)
    return MulticlassMetrics(actual, predicted, len(classes), output.score)


def predicted_positive(output: Output, classes: Sequence[object], threshold: float | None) -> Array:
    """Return which rows are predicted to be of the second of two classes, shape (n,) of bool.

    Without a threshold it is what the model's labels say: many classifiers give the first class
    where scores are even, and some decide by other numbers than their scores.

    Examples
    --------
    >>> output = Output(np.array(["no", "yes"]), score=np.array([0.5, 0.7]))
    >>> predicted_positive(output, ("no", "yes"), None).tolist()
    [False, True]
    >>> predicted_positive(output, ("no", "yes"), 0.5).tolist()
    [True, True]

    """
    if threshold is not None and output.score is not None:
        return np.asarray(output.score) >= threshold
    return np.asarray(class_indices(output.label, classes) == 1)


def compute_loss(
    metric: str,
    task: str,
    truth: Array,
    output: Output,
    classes: Sequence[object],
    *,
    threshold: float | None = None,
    weight: Array | None = None,
) -> float:
    """Return a metric as a loss: 1 - metric if higher is better."""
    value = metrics_for_task(task, truth, output, classes, threshold)(weight)[metric]
    return 1 - value if metric in HIGHER_IS_BETTER else value


def direction_of(metric: str, targets: Sequence[str] = ()) -> float | None:
    """Return 1 where higher values of a metric are better, -1 where lower; None if unknown.

    Parameters
    ----------
    metric : str
        Name of the metric, without the evaluator's.
    targets : sequence of str
        Names of the targets, where there are several.

    Examples
    --------
    >>> direction_of("roc_auc"), direction_of("rmse_heating", ["heating", "cooling"])
    (1.0, -1.0)
    >>> direction_of("bias") is None
    True

    """
    name = metric
    if len(targets) > 1:
        of_targets = {key: base for base in OF_EACH_TARGET for key in target_metrics(base, targets)}
        name = of_targets.get(metric, metric)
    return 1.0 if name in HIGHER_IS_BETTER else -1.0 if name in LOWER_IS_BETTER else None


def class_indices(labels: Array, classes: Sequence[object]) -> Array:
    """Return the index of each label among the classes, shape (n,).

    Labels are compared by value, whatever their type: 1, 1.0 and True are the same. Where a
    label is not one of the classes by value, texts decide: a file's 1 is the class "1".

    Raises
    ------
    SchemaViolation
        If a label is not one of the classes.

    Examples
    --------
    >>> class_indices(np.array([1.0, 0.0]), (0, 1)).tolist()
    [1, 0]
    >>> class_indices(np.array([1, 0]), ("0", "1")).tolist()
    [1, 0]

    """
    index_by_label = {label: k for k, label in enumerate(classes)}
    values = labels.tolist()
    if any(label not in index_by_label for label in set(values)):
        texts = [category_text(label) for label in classes]
        index_by_text = {text: k for k, text in enumerate(texts) if texts.count(text) == 1}
        for label in set(values) - index_by_label.keys():
            if (index := index_by_text.get(category_text(label))) is not None:
                index_by_label[label] = index
    unknown = [label for label in values if label not in index_by_label]
    if unknown:
        known = ", ".join(map(repr, classes))
        raise SchemaViolation(
            [f"the target holds {unknown[0]!r}, an unknown class; available: {known}"]
        )
    return np.array([index_by_label[label] for label in values], dtype=int)
