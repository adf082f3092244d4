"""Metrics of classification with three or more classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["MulticlassMetrics", "class_table"]

Array = np.ndarray[Any, np.dtype[Any]]


class MulticlassMetrics:
    """Metrics of a model with several classes for any weights of the same rows.

    Parameters
    ----------
    truth, label : ndarray of int, shape (n,)
        Actual and predicted class, as indices.
    classes : int
        Number of classes.
    score : ndarray, shape (n, classes), optional
        Probability of each class, if the model has them.

    """

    def __init__(
        self, truth: Array, label: Array, classes: int, score: Array | None = None
    ) -> None:
        self._truth, self._label, self._classes = truth, label, classes
        self.losses: dict[str, Array] = {}
        if score is not None:
            chance = np.clip(score[np.arange(len(truth)), truth], np.finfo(float).eps, 1)
            self.losses["log_loss"] = -np.log(chance)

    def __call__(self, weight: Array | None = None) -> dict[str, float]:
        """Compute all metrics; weights have shape (n,)."""
        w = np.ones(len(self._truth)) if weight is None else weight.astype(float)
        correct = w * (self._truth == self._label)
        true_positives = np.bincount(self._truth, correct, minlength=self._classes)
        actual = np.bincount(self._truth, w, minlength=self._classes)
        predicted = np.bincount(self._label, w, minlength=self._classes)
        both = actual + predicted
        f1 = np.divide(2 * true_positives, both, out=np.zeros_like(true_positives), where=both > 0)
        total = max(w.sum(), np.finfo(float).tiny)
        metrics = {
            "accuracy": float(correct.sum() / total),
            "f1": float(f1[both > 0].mean()) if (both > 0).any() else 0.0,
        }
        for name, loss in self.losses.items():
            metrics[name] = float((w * loss).sum() / total)
        return metrics


def class_table(
    truth: Array, label: Array, classes: Sequence[object], weight: Array | None = None
) -> list[dict[str, Any]]:
    """Return precision, recall and F1 of each class, each against all others.

    Parameters
    ----------
    truth, label : ndarray of int, shape (n,)
        Actual and predicted class, as indices.
    classes : sequence
        Labels of the classes.
    weight : ndarray, shape (n,), optional
        Weights of the rows.

    Examples
    --------
    >>> class_table(np.array([0, 0, 1]), np.array([0, 1, 1]), ["a", "b"])[0]
    {'class': 'a', 'rows': 2, 'precision': 1.0, 'recall': 0.5, 'F1': 0.6666666666666666}

    """
    w = np.ones(len(truth)) if weight is None else weight.astype(float)
    size = len(classes)
    correct = np.bincount(truth, w * (truth == label), minlength=size)
    actual, predicted = (np.bincount(k, w, minlength=size) for k in (truth, label))
    counts = np.bincount(truth, minlength=size)
    return [
        {
            "class": str(name),
            "rows": int(counts[k]),
            "precision": float(correct[k] / predicted[k]) if predicted[k] else None,
            "recall": float(correct[k] / actual[k]) if actual[k] else None,
            "F1": float(2 * correct[k] / (actual[k] + predicted[k]))
            if actual[k] + predicted[k]
            else None,
        }
        for k, name in enumerate(classes)
    ]
