"""Value of decisions by threshold, and the best threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lockgate.contract.evaluation import ValueMatrix

__all__ = ["ColumnTotals", "DecisionValue", "best_f1_threshold", "best_threshold", "value_curve"]

Array = np.ndarray[Any, np.dtype[Any]]


class DecisionValue:
    """Value of decisions per 1,000 rows for any weights of the same rows.

    Parameters
    ----------
    truth : ndarray of bool, shape (n,)
        Whether a row is positive.
    predicted : ndarray of bool, shape (n,)
        Whether a row is predicted positive, and acted on.
    value_matrix : ValueMatrix
        Value of each outcome.

    """

    def __init__(self, truth: Array, predicted: Array, value_matrix: ValueMatrix) -> None:
        acted = np.where(truth, value_matrix.true_positive, value_matrix.false_positive)
        waited = np.where(truth, value_matrix.false_negative, value_matrix.true_negative)
        self._acts = predicted
        self._model = np.where(self._acts, acted, waited)
        self._all, self._none = acted, waited

    def __call__(self, weight: Array | None = None) -> dict[str, float]:
        """Compute all metrics; weights have shape (n,)."""
        w = np.ones(len(self._model)) if weight is None else weight.astype(float)
        total = max(w.sum(), np.finfo(float).tiny)
        return {
            "per_1000": float(1000 * (w * self._model).sum() / total),
            "per_1000_all": float(1000 * (w * self._all).sum() / total),
            "per_1000_none": float(1000 * (w * self._none).sum() / total),
            "acts_on": float((w * self._acts).sum() / total),
        }


class ColumnTotals:
    """How much of columns of values is in the rows that are acted on, for any weights.

    Parameters
    ----------
    predicted : ndarray of bool, shape (n,)
        Whether a row is predicted positive, and acted on.
    values : mapping of str to ndarray, shape (n,)
        Value of each row, by the name of the column.

    Examples
    --------
    >>> acted = np.array([True, False, True, False])
    >>> ColumnTotals(acted, {"calls": np.array([2.0, 1.0, 1.0, 0.0])})()
    {'calls_per_1000': 750.0, 'calls_share': 0.75}

    """

    def __init__(self, predicted: Array, values: Mapping[str, Array]) -> None:
        self._acts, self._values = predicted, values

    def __call__(self, weight: Array | None = None) -> dict[str, float]:
        """Compute all metrics; the share is undefined (NaN) where the column adds up to nothing."""
        w = np.ones(len(self._acts)) if weight is None else weight.astype(float)
        total = max(w.sum(), np.finfo(float).tiny)
        metrics = {}
        for name, values in self._values.items():
            held, whole = float((w * values)[self._acts].sum()), float((w * values).sum())
            metrics[f"{name}_per_1000"] = float(1000 * held / total)
            metrics[f"{name}_share"] = held / whole if whole else np.nan
        return metrics


def value_curve(
    truth: Array, score: Array, value_matrix: ValueMatrix, weight: Array | None = None
) -> tuple[Array, Array]:
    """Return rising thresholds, shape (k,), and the value per 1,000 rows at each.

    The thresholds are spread over [0, 1] and over the scores themselves, which
    may all be small where positives are rare.
    """
    spread = np.quantile(score, np.linspace(0, 1, 201), method="lower")
    thresholds = np.unique(np.r_[np.linspace(0, 1, 101), spread])
    return thresholds, _compute_value(thresholds, truth, score, value_matrix, weight)


def best_threshold(
    truth: Array, score: Array, value_matrix: ValueMatrix, weight: Array | None = None
) -> float:
    """Return the threshold with the largest value.

    It lies half-way between two neighbouring scores; it is above all of them where
    acting on no row is best, and 0 where acting on every row is.
    """
    distinct = np.unique(score)
    midpoints = (distinct[1:] + distinct[:-1]) / 2
    thresholds = np.r_[0.0, midpoints, np.nextafter(distinct[-1], np.inf)]
    values = _compute_value(thresholds, truth, score, value_matrix, weight)
    best = np.flatnonzero(np.isclose(values, values.max(), rtol=1e-12))
    return float(thresholds[best[len(best) // 2]])


def best_f1_threshold(truth: Array, score: Array, weight: Array | None = None) -> float:
    """Return the threshold with the best F1.

    It lies half-way between two neighbouring scores, and is 0 where predicting
    every row positive is best. Of equally good ones it is the highest.
    """
    w = np.ones(len(truth)) if weight is None else weight.astype(float)
    distinct, group = np.unique(score, return_inverse=True)
    true_positives = np.cumsum(np.bincount(group, w * truth)[::-1])
    predicted_positives = np.cumsum(np.bincount(group, w)[::-1])
    f1 = 2 * true_positives / (predicted_positives + true_positives[-1])
    best = len(distinct) - 1 - int(f1.argmax())
    if best == 0:
        return 0.0
    # not the score itself: the packed model may compute it one unit in the last place lower
    midpoint = float((distinct[best - 1] + distinct[best]) / 2)
    return midpoint if midpoint > distinct[best - 1] else float(distinct[best])


def _compute_value(
    thresholds: Array, truth: Array, score: Array, value_matrix: ValueMatrix, weight: Array | None
) -> Array:
    """Return the value per 1,000 rows of acting on the rows from each threshold on."""
    w = np.ones(len(truth)) if weight is None else weight.astype(float)
    acted = w * np.where(truth, value_matrix.true_positive, value_matrix.false_positive)
    waited = w * np.where(truth, value_matrix.false_negative, value_matrix.true_negative)
    order = np.argsort(score, kind="stable")
    index = np.searchsorted(score[order], thresholds, side="left")
    below = np.r_[0.0, np.cumsum(waited[order])]
    above = np.r_[0.0, np.cumsum(acted[order])]
    return np.asarray(1000 * (below[index] + above[-1] - above[index]) / w.sum())
