"""Metrics of classification with three or more classes."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["MulticlassMetrics"]

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
