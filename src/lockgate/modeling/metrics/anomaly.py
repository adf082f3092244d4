"""Metrics of anomalies without known ones: whether scores keep what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lockgate.contract.prediction import Output

__all__ = ["AnomalyMetrics"]

Array = np.ndarray[Any, np.dtype[Any]]


class AnomalyMetrics:
    """Metrics of anomaly scores for any weights of the same rows.

    A score is the share of training rows that are less anomalous, so that scores of rows like
    those of training are spread evenly. `score_shift` is the largest distance of their
    distribution from that (Kolmogorov-Smirnov), `flagged` the share that is called an anomaly.

    Parameters
    ----------
    output : Output
        Predictions.
    classes : sequence
        Labels; the second is that of anomalies.

    Examples
    --------
    >>> score = np.linspace(0, 1, 11)
    >>> labels = np.where(score >= 0.9, "anomaly", "normal")
    >>> metrics = AnomalyMetrics(Output(labels, score), ("normal", "anomaly"))()
    >>> round(metrics["score_shift"], 3), round(metrics["flagged"], 3)
    (0.091, 0.182)

    """

    def __init__(self, output: Output, classes: Sequence[object]) -> None:
        score = output.score if output.score is not None else np.full(len(output.label), np.nan)
        self._order = np.argsort(score, kind="stable")
        self._score = np.asarray(score, dtype=float)[self._order]
        self._flagged = np.asarray(output.label == classes[1])[self._order]

    def __call__(self, weight: Array | None = None) -> dict[str, float]:
        """Compute all metrics; weights have shape (n,)."""
        w = np.ones(len(self._score)) if weight is None else weight.astype(float)[self._order]
        total = w.sum() or 1.0
        above = np.cumsum(w) / total
        below = above - w / total
        distances = np.maximum(np.abs(above - self._score), np.abs(below - self._score))
        return {
            "score_shift": float(distances.max(initial=0.0)),  # NaN without scores
            "flagged": float((w * self._flagged).sum() / total),
        }
