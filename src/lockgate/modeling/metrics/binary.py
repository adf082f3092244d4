"""Metrics of binary classification, all from a single sort of the scores."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = [
    "BinaryLabelMetrics",
    "BinaryMetrics",
    "calibration_curve",
    "precision_recall_curve",
    "roc_curve",
    "score_distribution",
]

Array = np.ndarray[Any, np.dtype[Any]]
TINY = np.finfo(float).eps


class BinaryMetrics:
    """Metrics of a binary model for any weights of the same rows.

    Parameters
    ----------
    truth : ndarray of bool, shape (n,)
        Whether a row is positive.
    score : ndarray, shape (n,)
        Probability of the positive class.
    predicted : ndarray of bool, shape (n,)
        Whether a row is predicted positive.

    Attributes
    ----------
    losses : dict of str to ndarray, shape (n,)
        Loss of each row, of the metrics that are means.
    residual : ndarray, shape (n,)
        Score minus truth.
    bins : ndarray of int, shape (n,)
        Bin of the calibration error that each row is in.

    Notes
    -----
    Scores are sorted once, so that each bootstrap resample costs O(n).
    ROC AUC counts ties half (Mann and Whitney, 1947); average precision is the
    step-wise sum, without interpolation (Davis and Goadrich, 2006). Calibration
    error uses ten bins of equal width (Naeini et al., 2015).

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.array([False, True, False, True])
    >>> score = np.array([0.1, 0.4, 0.35, 0.8])
    >>> metrics = BinaryMetrics(truth, score, score >= 0.5)
    >>> metrics()["roc_auc"], metrics()["recall"]
    (1.0, 0.5)

    """

    def __init__(self, truth: Array, score: Array, predicted: Array) -> None:
        order = np.argsort(score, kind="stable")
        self._order = order
        self._truth = truth[order].astype(float)
        ordered = score[order]
        self._starts = np.flatnonzero(np.r_[True, np.diff(ordered) > 0])
        self._predicted = predicted[order]
        chance = np.clip(score, TINY, 1 - TINY)
        self.losses = {
            "log_loss": -np.where(truth, np.log(chance), np.log1p(-chance)),
            "brier": (score - truth) ** 2,
        }
        self._log_loss, self._squared = (loss[order] for loss in self.losses.values())
        self._score = ordered
        self.residual, self.bins = score - truth, np.minimum((score * 10).astype(int), 9)
        self._bin = self.bins[order]

    def __call__(self, weight: Array | None = None) -> dict[str, float]:
        """Compute all metrics; weights have shape (n,) in the rows' order.

        Metrics that are undefined for a sample with one class are NaN.
        """
        w = np.ones(len(self._truth)) if weight is None else weight[self._order].astype(float)
        positive, negative = w * self._truth, w * (1 - self._truth)
        total = w.sum()
        return {
            "roc_auc": _roc_auc(positive, negative, self._starts),
            "pr_auc": _pr_auc(positive, negative, self._starts),
            "log_loss": _divide((w * self._log_loss).sum(), total),
            "brier": _divide((w * self._squared).sum(), total),
            "calibration_error": self._calibration_error(w, positive),
            **_label_metrics(positive, negative, self._predicted),
        }

    def _calibration_error(self, weight: Array, positive: Array) -> float:
        predicted = np.bincount(self._bin, weight * self._score, minlength=10)
        observed = np.bincount(self._bin, positive, minlength=10)
        return _divide(np.abs(predicted - observed).sum(), weight.sum())


class BinaryLabelMetrics:
    """Metrics of a binary model without probabilities, for any weights of the same rows.

    Parameters
    ----------
    truth, predicted : ndarray of bool, shape (n,)
        Whether a row is positive, and whether it is predicted positive.
    margin : ndarray, shape (n,), optional
        Numbers that order the rows, if the model has some.

    """

    def __init__(self, truth: Array, predicted: Array, margin: Array | None = None) -> None:
        self.losses: dict[str, Array] = {}
        self._order = None if margin is None else np.argsort(margin, kind="stable")
        order = slice(None) if self._order is None else self._order
        self._truth, self._predicted = truth[order].astype(float), predicted[order]
        ordered = None if margin is None else margin[order]
        if ordered is not None:
            self._starts = np.flatnonzero(np.r_[True, np.diff(ordered) > 0])

    def __call__(self, weight: Array | None = None) -> dict[str, float]:
        """Compute all metrics; weights have shape (n,) in the rows' order."""
        w = np.ones(len(self._truth)) if weight is None else weight.astype(float)
        if weight is not None and self._order is not None:
            w = w[self._order]
        positive, negative = w * self._truth, w * (1 - self._truth)
        ranking = {}
        if self._order is not None:
            ranking["roc_auc"] = _roc_auc(positive, negative, self._starts)
            ranking["pr_auc"] = _pr_auc(positive, negative, self._starts)
        return ranking | _label_metrics(positive, negative, self._predicted)


def _roc_auc(positive: Array, negative: Array, starts: Array) -> float:
    p, n = np.add.reduceat(positive, starts), np.add.reduceat(negative, starts)
    below = np.cumsum(n) - n
    return _divide((p * (below + n / 2)).sum(), p.sum() * n.sum(), np.nan)


def _pr_auc(positive: Array, negative: Array, starts: Array) -> float:
    p, n = np.add.reduceat(positive, starts)[::-1], np.add.reduceat(negative, starts)[::-1]
    predicted = np.cumsum(p + n)
    precision = np.divide(np.cumsum(p), predicted, out=np.zeros_like(p), where=predicted > 0)
    return _divide((p * precision).sum(), p.sum(), np.nan)


def _label_metrics(positive: Array, negative: Array, predicted: Array) -> dict[str, float]:
    """Return the metrics of labels, from the weights of positive and negative rows."""
    all_positive, all_negative = positive.sum(), negative.sum()
    true_positive, false_positive = positive[predicted].sum(), negative[predicted].sum()
    total = all_positive + all_negative
    return {
        "accuracy": _divide(true_positive + all_negative - false_positive, total),
        "precision": _divide(true_positive, true_positive + false_positive),
        "recall": _divide(true_positive, all_positive, np.nan),
        "f1": _divide(2 * true_positive, true_positive + false_positive + all_positive),
        "prevalence": _divide(all_positive, total),
    }


def roc_curve(truth: Array, score: Array, points: int = 200) -> tuple[Array, Array]:
    """Return false and true positive rates at up to `points` thresholds, from (0, 0) to (1, 1)."""
    order = np.argsort(-score, kind="stable")
    hits, ordered = truth[order].astype(float), score[order]
    ends = np.flatnonzero(np.r_[np.diff(ordered) != 0, True])
    true_positive_rate = np.r_[0.0, np.cumsum(hits)[ends]] / max(hits.sum(), 1)
    false_positive_rate = np.r_[0.0, np.cumsum(1 - hits)[ends]] / max((1 - hits).sum(), 1)
    indices = np.unique(
        np.linspace(0, len(true_positive_rate) - 1, min(points, len(true_positive_rate))).astype(
            int
        )
    )
    return false_positive_rate[indices], true_positive_rate[indices]


def precision_recall_curve(truth: Array, score: Array, points: int = 200) -> tuple[Array, Array]:
    """Return recall and precision at up to `points` thresholds, recall rising."""
    order = np.argsort(-score, kind="stable")
    hits, ordered = truth[order].astype(float), score[order]
    ends = np.flatnonzero(np.r_[np.diff(ordered) != 0, True])
    true_positive = np.cumsum(hits)[ends]
    recall, precision = true_positive / max(hits.sum(), 1), true_positive / (ends + 1)
    chosen = np.unique(np.linspace(0, len(ends) - 1, min(points, len(ends))).astype(int))
    return recall[chosen], precision[chosen]


def score_distribution(score: Array, bins: int = 20) -> tuple[Array, Array]:
    """Return the middle of intervals of scores from 0 to 1, and the share of rows in each."""
    counts, edges = np.histogram(score, bins, (0.0, 1.0))
    return (edges[:-1] + edges[1:]) / 2, counts / max(len(score), 1)


def calibration_curve(truth: Array, score: Array, bins: int = 10) -> tuple[Array, Array]:
    """Return mean score and observed rate of `bins` groups of equal size."""
    groups = np.array_split(np.argsort(score, kind="stable"), min(bins, len(score)))
    return (
        np.array([score[group].mean() for group in groups]),
        np.array([truth[group].mean() for group in groups]),
    )


def _divide(part: float, total: float, default: float = 0.0) -> float:
    return float(part / total) if total else default
