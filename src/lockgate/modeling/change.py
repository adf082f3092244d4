"""Change from the training rows to the test rows: of the target, of the metrics, of calibration."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import msgspec
import numpy as np

from lockgate.contract.evaluation import Metric
from lockgate.contract.prediction import Output
from lockgate.contract.recipes import NUMERIC, TWO_CLASSES, UNSUPERVISED
from lockgate.contract.tables import Table
from lockgate.modeling.metrics.losses import (
    BY_TASK,
    OF_QUANTILES,
    class_indices,
    direction_of,
    metrics_for_task,
    truth_of,
)
from lockgate.modeling.metrics.multioutput import target_metrics
from lockgate.modeling.metrics.rates import RowSample
from lockgate.modeling.metrics.titles import metric_title

__all__ = ["RowMeasures", "change_table", "describe_change", "measure_rows"]

MAX_CLASSES = 10

LEVEL = 1e-3
"""Probability that a rate of any class, or the metric, is reported as changed by chance."""

MOST_REPORTED = 5
"""Changed rates that are reported one by one, those that changed most."""

RELATIVE = 0.1
"""Relative change of a rate from which it is reported."""


class RowMeasures(msgspec.Struct, frozen=True):
    """What was measured on a part of the rows.

    Attributes
    ----------
    rows : int
        Number of rows.
    rates : dict of str to tuple of (float, float)
        Of each class that a table shows the rate, and the number of independent rows without
        weights that it is as certain as; 0 where nothing is known of how groups differ.
    values : dict of str to float
        Means and metrics by their names in a table.

    """

    rows: int
    rates: dict[str, tuple[float, float]]
    values: dict[str, float]


def measure_rows(
    table: Table,
    task: str,
    output: Output | None,
    classes: Sequence[object],
    threshold: float | None = None,
) -> RowMeasures:
    """Return the rates or the mean of the target, and metrics and calibration of predictions.

    Parameters
    ----------
    table : Table
        The rows, with weights and groups as evaluators use them.
    task : {"binary", "multiclass", "regression", "multioutput", "clustering", "anomaly"}
        The task.
    output : Output or None
        Predictions for the same rows; None for rows that the model was fitted on, unless it
        has no target.
    classes : sequence
        Labels in the order of the scores.
    threshold : float, optional
        Score from which the second of two classes is predicted.

    """
    truth, weight = truth_of(table, task), table.weight
    rates: dict[str, tuple[float, float]] = {}
    values: dict[str, float] = {}
    if task in NUMERIC:
        values |= _means("mean of the target", table, truth)
    else:
        sample = RowSample.of(len(truth), weight, table.groups)
        labels = output.label if task in UNSUPERVISED and output is not None else truth
        indices = class_indices(labels, classes)
        for k in [1] if task in TWO_CLASSES else range(len(classes)):
            hit = indices == k
            rate = float(np.average(hit, weights=weight))
            name = f"cluster {classes[k]}" if task == "clustering" else str(classes[k])
            rates[name] = rate, sample.effective_rows(hit, rate, 1 - LEVEL)
    if output is None:
        return RowMeasures(len(truth), rates, values)
    if task in NUMERIC:
        values |= _means("mean prediction", table, output.label)
    elif output.score is not None and task == "anomaly":
        values["mean score"] = float(np.average(output.score, weights=weight))
    elif output.score is not None and task == "binary":
        mean = float(np.average(output.score, weights=weight))
        values["mean score"] = mean
        values["mean score minus rate"] = mean - rates[str(classes[1])][0]
    targets = table.schema.targets
    metrics = metrics_for_task(task, truth, output, classes, threshold, targets)(weight)
    of_targets = target_metrics("r2", targets) if task == "multioutput" else ()
    values |= {
        key: float(metrics[key])
        for key in (*BY_TASK[task], *OF_QUANTILES, *of_targets)
        if key in metrics and np.isfinite(metrics[key])
    }
    return RowMeasures(len(truth), rates, values)


def _means(name: str, table: Table, values: np.ndarray) -> dict[str, float]:
    """Return the mean of the values, or of each target's."""
    each = values.astype(float).reshape(len(table), -1).T
    targets = table.schema.targets
    return {
        name if len(targets) == 1 else f"{name} {target}": float(
            np.average(part, weights=table.weight)
        )
        for target, part in zip(targets, each, strict=True)
    }


def describe_change(
    train: RowMeasures,
    tune: RowMeasures,
    test: RowMeasures,
    metric: str,
    measured: Metric | None,
    targets: Sequence[str] = (),
) -> list[str]:
    """Return a sentence for each change that a reader should know before the metrics.

    Parameters
    ----------
    train, tune, test : RowMeasures
        The parts of the rows.
    metric : str
        The metric that the model was tuned for.
    measured : Metric or None
        That metric on the test rows, with its interval.
    targets : sequence of str
        Names of the targets, where there are several.

    """
    messages = _changed_rates(train, test)
    tuned = tune.values.get(metric)
    if tuned is None or measured is None or measured.low is None or measured.high is None:
        return messages
    of_targets = target_metrics("r2", targets)
    if metric == "mean_r2" and any((k in tune.values) != (k in test.values) for k in of_targets):
        return messages  # the means are of different targets
    sign = direction_of(metric, targets)
    assert sign is not None  # lockgate's own metrics have a direction
    loss = sign * (tuned - measured.estimate)
    reach = abs((measured.high if sign > 0 else measured.low) - measured.estimate)
    # the error on the tune rows is that on the test rows, for their number
    deviation = reach / NormalDist().inv_cdf(0.975) * (1 + test.rows / tune.rows) ** 0.5
    if loss > NormalDist().inv_cdf(1 - LEVEL) * deviation:
        messages.append(
            f"the {metric_title(metric)} is {measured.estimate:.4g} on the test rows "
            f"({measured.low:.4g} to {measured.high:.4g}), and {tuned:.4g} on the tune rows: "
            "the model is worse on the later or other rows"
        )
    return messages


def _changed_rates(train: RowMeasures, test: RowMeasures) -> list[str]:
    """Return a sentence for each rate that changed by more than chance and a tenth of itself.

    The rates are compared with their pooled rate, at a level that is divided among them.
    """
    if not test.rates:
        return []
    errors = NormalDist().inv_cdf(1 - LEVEL / 2 / len(test.rates))
    changed = []
    for name, (rate, test_rows) in test.rates.items():
        before, train_rows = train.rates[name]
        if not train_rows or not test_rows:
            continue  # nothing is known of how groups differ
        pooled = (before * train_rows + rate * test_rows) / (train_rows + test_rows)
        spread = (pooled * (1 - pooled) * (1 / train_rows + 1 / test_rows)) ** 0.5
        if abs(rate - before) > max(errors * spread, RELATIVE * before):
            sentence = (
                f"the rate of {name} is {100 * rate:.3g}% in the test rows, and "
                f"{100 * before:.3g}% in the training rows"
            )
            changed.append((abs(rate - before), sentence))
    changed.sort(key=lambda pair: -pair[0])
    messages = [sentence for _, sentence in changed[:MOST_REPORTED]]
    if len(changed) > MOST_REPORTED:
        messages.append(f"the rates of {len(changed) - MOST_REPORTED} other classes changed, too")
    return messages


def change_table(train: RowMeasures, tune: RowMeasures, test: RowMeasures) -> list[dict[str, Any]]:
    """Return the rows of a table: what was measured, and its value in each part of the rows."""
    parts = {"train": train, "tune": tune, "test": test}
    classes = [*test.rates][:MAX_CLASSES]
    shown = {
        part: {
            "rows": float(measures.rows),
            **{f"rate of {name}": measures.rates[name][0] for name in classes},
            **measures.values,
        }
        for part, measures in parts.items()
    }
    return [
        {"measure": name, **{part: values.get(name) for part, values in shown.items()}}
        for name in shown["test"]
    ]
