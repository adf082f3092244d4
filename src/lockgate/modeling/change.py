"""Change from the training rows to the test rows: of the target, of the metrics, of calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from lockgate.contract.evaluation import Metric
from lockgate.contract.prediction import Output
from lockgate.modeling.metrics.losses import (
    BY_TASK,
    HIGHER_IS_BETTER,
    class_indices,
    metrics_for_task,
)
from lockgate.modeling.metrics.titles import metric_title

__all__ = ["change_table", "describe_change", "measure_rows"]

MAX_CLASSES = 10

LEVEL = 1e-3
"""Probability that a rate of any class is reported as changed by chance."""

MOST_REPORTED = 5
"""Changed rates that are reported one by one, those that changed most."""

RELATIVE = 0.1
"""Relative change of a rate from which it is reported."""


def measure_rows(
    task: str,
    truth: np.ndarray,
    output: Output | None,
    classes: Sequence[object],
    threshold: float | None = None,
    weight: np.ndarray | None = None,
) -> dict[str, float]:
    """Return the rates or the mean of the target, and metrics and calibration of predictions.

    Parameters
    ----------
    task : {"binary", "multiclass", "regression"}
        The task.
    truth : ndarray, shape (n,)
        The target.
    output : Output or None
        Predictions for the same rows; None for rows that the model was fitted on.
    classes : sequence
        Labels in the order of the scores.
    threshold : float, optional
        Score from which the second of two classes is predicted.
    weight : ndarray, shape (n,), optional
        Weights of the rows, which evaluators use as well.

    Returns
    -------
    dict of str to float
        By the name of the row in a table, ``rows`` first.

    """
    measured = {"rows": float(len(truth)), "effective rows": _effective_rows(weight, len(truth))}
    if task == "regression":
        measured["mean of the target"] = float(np.average(truth.astype(float), weights=weight))
    else:
        indices = class_indices(truth, classes)
        counts = np.bincount(indices, weight, minlength=len(classes))
        shown = [1] if task == "binary" else range(len(classes))
        measured |= {f"rate of {classes[k]}": float(counts[k] / counts.sum()) for k in shown}
    if output is None:
        return measured
    if task == "regression":
        measured["mean prediction"] = float(np.average(output.label.astype(float), weights=weight))
    elif output.score is not None and task == "binary":
        mean = float(np.average(output.score, weights=weight))
        measured["mean score"] = mean
        measured["mean score minus rate"] = mean - measured[f"rate of {classes[1]}"]
    metrics = metrics_for_task(task, truth, output, classes, threshold)(weight)
    return measured | {
        key: float(metrics[key])
        for key in BY_TASK[task]
        if key in metrics and np.isfinite(metrics[key])
    }


def describe_change(
    train: Mapping[str, float],
    tune: Mapping[str, float],
    test: Mapping[str, float],
    metric: str,
    measured: Metric | None,
) -> list[str]:
    """Return a sentence for each change that a reader should know before the metrics.

    Parameters
    ----------
    train, tune, test : mapping of str to float
        As `measure_rows` returns them.
    metric : str
        The metric that the model was tuned for.
    measured : Metric or None
        That metric on the test rows, with its interval.

    """
    messages = _changed_rates(train, test)
    if measured is None or measured.low is None or measured.high is None or metric not in tune:
        return messages
    tuned = tune[metric]
    worse = tuned > measured.high if metric in HIGHER_IS_BETTER else tuned < measured.low
    if worse:
        messages.append(
            f"the {metric_title(metric)} is {measured.estimate:.4g} on the test rows "
            f"({measured.low:.4g} to {measured.high:.4g}), and {tuned:.4g} on the tune rows: "
            "the model is worse on the later or other rows"
        )
    return messages


def _changed_rates(train: Mapping[str, float], test: Mapping[str, float]) -> list[str]:
    """Return a sentence for each rate that changed by more than chance and a tenth of itself.

    The rates are compared with their pooled rate, at a level that is divided among them.
    """
    names = [name for name in test if name.startswith("rate of ")]
    if not names:
        return []
    errors = NormalDist().inv_cdf(1 - LEVEL / 2 / len(names))
    train_rows, test_rows = train["effective rows"], test["effective rows"]
    changed = []
    for name in names:
        before, rate = train[name], test[name]
        pooled = (before * train_rows + rate * test_rows) / (train_rows + test_rows)
        spread = (pooled * (1 - pooled) * (1 / train_rows + 1 / test_rows)) ** 0.5
        if abs(rate - before) > max(errors * spread, RELATIVE * before):
            sentence = (
                f"the {name} is {100 * rate:.3g}% in the test rows, and {100 * before:.3g}% in the "
                "training rows"
            )
            changed.append((abs(rate - before), sentence))
    changed.sort(key=lambda pair: -pair[0])
    messages = [sentence for _, sentence in changed[:MOST_REPORTED]]
    if len(changed) > MOST_REPORTED:
        messages.append(f"the rates of {len(changed) - MOST_REPORTED} other classes changed, too")
    return messages


def change_table(
    train: Mapping[str, float], tune: Mapping[str, float], test: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Return the rows of a table: what was measured, and its value in each part of the rows."""
    parts = {"train": train, "tune": tune, "test": test}
    rates = [name for name in test if name.startswith("rate of ")]
    hidden = {"effective rows", *rates[MAX_CLASSES:]}
    return [
        {"measure": name, **{part: values.get(name) for part, values in parts.items()}}
        for name in test
        if name not in hidden
    ]


def _effective_rows(weight: np.ndarray | None, rows: int) -> float:
    """Return the number of unweighted rows that a mean is as certain as (Kish 1965)."""
    if weight is None:
        return float(rows)
    weight = np.asarray(weight, float)
    return float(weight.sum() ** 2 / (weight**2).sum())
