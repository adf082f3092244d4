"""The loss of each row, for comparing groups of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lockgate.contract.prediction import Output
from lockgate.contract.tables import Table
from lockgate.modeling.metrics.losses import class_indices

__all__ = ["row_losses", "target_deviations"]

Array = np.ndarray[Any, np.dtype[Any]]


def row_losses(
    table: Table,
    task: str,
    output: Output,
    classes: Sequence[object],
    *,
    by_labels: bool = False,
) -> tuple[str, Array]:
    """Return the name of a task's loss, and the loss of each row, at least 0.

    Of classes with scores it is the Brier score (1950), half the squared distance of the scores
    from the true class; of classes without, whether the label is wrong. Of numbers it is the
    absolute error, of a quantile the pinball loss, and of several targets the mean of the
    absolute errors, each relative to the mean absolute deviation of its target.

    Parameters
    ----------
    table : Table
        The rows, with their target.
    task : {"binary", "multiclass", "regression", "multioutput"}
        The task.
    output : Output
        Predictions for the rows.
    classes : sequence
        Labels in the order of the scores.
    by_labels : bool
        Take the loss of the labels of classes, although there are scores: for a comparison with
        a model that has none.

    """
    if task == "regression":
        above = table.target.astype(float) - output.label.astype(float)
        if output.quantile is None:
            return "absolute error", np.abs(above)
        return "quantile loss", np.maximum(output.quantile * above, (output.quantile - 1) * above)
    if task == "multioutput":
        errors = np.abs(output.label - table.target) / target_deviations(table.target)
        return "relative error", np.asarray(errors.mean(axis=1))
    truth = class_indices(table.target, classes)
    if output.score is None or by_labels:
        return "error rate", (class_indices(output.label, classes) != truth).astype(float)
    indicators = truth[:, None] == np.arange(len(classes))
    return "Brier score", ((output.class_scores() - indicators) ** 2).sum(axis=1) / 2


def target_deviations(truth: Array) -> Array:
    """Return the mean absolute deviation of each of several targets; 1 of one that is constant.

    Parameters
    ----------
    truth : ndarray, shape (n, targets)
        The targets.

    """
    deviation = np.abs(truth - truth.mean(axis=0)).mean(axis=0)
    return np.where(deviation > 0, deviation, 1.0)
