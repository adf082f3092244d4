"""Metrics of a ranking: what the rows with the highest scores hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["RankingMetrics", "gain_curve", "percent_name", "threshold_table"]

Array = np.ndarray[Any, np.dtype[Any]]


def percent_name(share: float) -> str:
    """Return a share for the name of a metric, in percent.

    Examples
    --------
    >>> percent_name(0.05), percent_name(0.005)
    ('5pct', '0.5pct')

    """
    return f"{100 * share:.6g}pct"


class RankingMetrics:
    """Metrics of the rows with the highest scores, for any weights of the same rows.

    Of rows with equal scores at the end of the top each is in it with the same probability
    (McSherry and Najork, 2008), so that the order of the rows does not matter.

    Parameters
    ----------
    truth : ndarray of bool, shape (n,)
        Whether a row is positive.
    score : ndarray, shape (n,)
        Its score; only the order counts.
    top : sequence of float
        Shares of all rows, by weight, in (0, 1]: the metrics are the share of positives among
        them (precision), the share of all positives that they hold (recall), and how many times
        as frequent positives are there as among all rows (lift).
    false_positive_rates : sequence of float
        Limits in [0, 1): the metric is the largest recall of a threshold whose false positive
        rate is not above the limit.

    Examples
    --------
    >>> truth, score = np.array([True, False, True, False]), np.array([0.9, 0.8, 0.7, 0.1])
    >>> metrics = RankingMetrics(truth, score, [0.25, 0.5], [0.0])()
    >>> metrics["precision_top_25pct"], metrics["recall_top_50pct"], metrics["lift_top_25pct"]
    (1.0, 0.5, 2.0)
    >>> metrics["recall_at_fpr_0pct"]
    0.5

    """

    def __init__(
        self,
        truth: Array,
        score: Array,
        top: Sequence[float],
        false_positive_rates: Sequence[float] = (),
    ) -> None:
        order = np.argsort(-score, kind="stable")
        self._order, self._truth = order, truth[order].astype(float)
        self._ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
        self._top, self._limits = tuple(top), tuple(false_positive_rates)

    def __call__(self, weight: Array | None = None) -> dict[str, float]:
        """Compute all metrics; weights have shape (n,). Those without positives are NaN."""
        w = np.ones(len(self._truth)) if weight is None else weight[self._order].astype(float)
        rows = np.append(0.0, np.cumsum(w)[self._ends])
        hits = np.append(0.0, np.cumsum(w * self._truth)[self._ends])
        total, positives = rows[-1], hits[-1]
        metrics: dict[str, float] = {}
        for share in self._top:
            # between the ends of groups of equal scores hits rise evenly
            held = float(np.interp(share * total, rows, hits))
            name = f"top_{percent_name(share)}"
            precision = float(held / (share * total)) if total else float("nan")
            metrics[f"precision_{name}"] = precision
            metrics[f"recall_{name}"] = float(held / positives) if positives else float("nan")
            lift = float(precision * total / positives) if positives else float("nan")
            metrics[f"lift_{name}"] = lift
        false, negatives = rows - hits, total - positives
        for limit in self._limits:
            within = false <= limit * negatives * (1 + 1e-12)
            known = positives > 0 and negatives > 0
            recall = float(hits[within].max() / positives) if known else float("nan")
            metrics[f"recall_at_fpr_{percent_name(limit)}"] = recall
        return metrics


def gain_curve(truth: Array, score: Array, weight: Array | None = None) -> tuple[Array, Array]:
    """Return the cumulative gain: shares of rows, and the share of positives that they hold.

    Parameters
    ----------
    truth : ndarray of bool, shape (n,)
        Whether a row is positive; at least one is.
    score : ndarray, shape (n,)
        The scores.
    weight : ndarray, shape (n,), optional
        Weights of the rows.

    """
    order = np.argsort(-score, kind="stable")
    w = np.ones(len(score)) if weight is None else weight.astype(float)
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    rows = np.append(0.0, np.cumsum(w[order])[ends])
    hits = np.append(0.0, np.cumsum((w * truth)[order])[ends])
    return rows / rows[-1], hits / hits[-1]


def threshold_table(
    truth: Array, score: Array, thresholds: Sequence[float], weight: Array | None = None
) -> list[dict[str, float | None]]:
    """Return what each threshold would give, a row of a table for each.

    Parameters
    ----------
    truth : ndarray of bool, shape (n,)
        Whether a row is positive.
    score : ndarray, shape (n,)
        The scores.
    thresholds : sequence of float
        Scores from which a row is predicted positive.
    weight : ndarray, shape (n,), optional
        Weights of the rows.

    Returns
    -------
    list of dict
        Rates in [0, 1]; None where no row counts for them.

    """
    w = np.ones(len(score)) if weight is None else weight.astype(float)

    def rate(hit: Array, among: Array) -> float | None:
        total = float(w[among].sum())
        return float(w[hit & among].sum()) / total if total else None

    everywhere = np.ones(len(score), bool)
    rows: list[dict[str, float | None]] = []
    for threshold in thresholds:
        above = score >= threshold
        rows.append(
            {
                "threshold": float(threshold),
                "share predicted positive": rate(above, everywhere),
                "precision": rate(truth, above),
                "recall": rate(above, truth),
                "false positive rate": rate(above, ~truth),
            }
        )
    return rows
