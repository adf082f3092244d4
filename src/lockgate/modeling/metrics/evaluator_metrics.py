"""Metrics of an evaluator as a function of row weights, to resample two models alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lockgate.contract.evaluation import ValueMatrix
from lockgate.contract.prediction import Output
from lockgate.contract.tables import Table
from lockgate.modeling.metrics.decisions import DecisionValue
from lockgate.modeling.metrics.losses import (
    EVALUATORS,
    class_indices,
    metrics_for_task,
    predicted_positive,
    truth_of,
)

__all__ = ["MetricFunction", "declared_values", "evaluator_metrics"]

MetricFunction = Callable[[np.ndarray[Any, np.dtype[Any]] | None], Mapping[str, float]]


def declared_values(*matrices: ValueMatrix | None) -> ValueMatrix | None:
    """Return the first value matrix that values anything; None if none does.

    Two models are compared by the values of one of them: another matrix would look like another
    model.
    """
    return next((matrix for matrix in matrices if matrix not in (None, ValueMatrix())), None)


def evaluator_metrics(
    evaluator: str,
    table: Table,
    task: str,
    output: Output,
    classes: Sequence[object],
    threshold: float | None,
    value_matrix: ValueMatrix | None = None,
) -> MetricFunction | None:
    """Return a function from row weights to the metrics of an evaluator, by their names.

    Parameters
    ----------
    evaluator : str
        The evaluator of the task, or ``business``.
    table : Table
        The rows, with their target.
    task : str
        The task.
    output : Output
        Predictions for the rows.
    classes : sequence
        Labels in the order of the scores.
    threshold : float or None
        Score from which the positive class is predicted.
    value_matrix : ValueMatrix, optional
        Value of each outcome.

    Returns
    -------
    callable or None
        None for an evaluator whose metrics cannot be computed in this way.

    """
    truth = truth_of(table, task)
    if evaluator == EVALUATORS[task]:
        return metrics_for_task(task, truth, output, classes, threshold, table.schema.targets)
    if evaluator != "business" or task != "binary" or value_matrix is None:
        return None
    positive = class_indices(truth, classes) == 1
    return DecisionValue(positive, predicted_positive(output, classes, threshold), value_matrix)
