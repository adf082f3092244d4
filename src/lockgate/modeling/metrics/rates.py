"""Confidence intervals of rates and of the ROC AUC, for few rows, weights and groups, too.

Rates get the interval of Clopper and Pearson (1934), with weights and groups at the
effective number of rows of Korn and Graubard (1998). The ROC AUC gets method 5 of
Newcombe (2006): the variance of Hanley and McNeil (1982) at the area in question rather
than at the estimate, so that the interval stays within 0 and 1, and is wide where few
rows of a class decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lockgate.contract.evaluation import Metric

__all__ = ["RowSample", "auc_metric", "pr_auc_metric", "rate_metric"]

Array = np.ndarray[Any, np.dtype[Any]]

BISECTIONS = 60
"""Halvings of an interval of length 1, to the last digit of a double."""


@dataclass(frozen=True)
class RowSample:
    """How rows count: their weights, and which are not independent of each other.

    Attributes
    ----------
    weight : ndarray, shape (n,)
        Weight of each row.
    groups : ndarray of int, shape (n,), or None
        Group of each row, from 0 on; None where each row stands alone.

    """

    weight: Array
    groups: Array | None = None

    @classmethod
    def of(cls, rows: int, weight: Array | None, groups: Array | None) -> RowSample:
        """Return the sample of a table's rows."""
        base = np.ones(rows) if weight is None else weight.astype(float)
        codes = None if groups is None else np.unique(groups, return_inverse=True)[1]
        return cls(base, codes)

    def subset(self, chosen: Array) -> RowSample:
        """Return the sample of some rows, shape (n,) of bool."""
        return RowSample(self.weight[chosen], None if self.groups is None else self.groups[chosen])

    @property
    def size(self) -> float:
        """Effective number of rows of these weights (Kish, 1965)."""
        squares = float(np.sum(self.weight**2))
        return float(np.sum(self.weight)) ** 2 / squares if squares else 0.0

    @property
    def units(self) -> int:
        """Number of groups, or of rows where each stands alone."""
        if self.groups is None:
            return int(np.count_nonzero(self.weight))
        return len(np.unique(self.groups[self.weight > 0]))

    def effective_rows(self, hit: Array, rate: float, confidence: float) -> float:
        """Return the number of independent rows that a rate is as certain as (Korn and Graubard).

        It is 0 where all rows are of a single group: nothing is known of how groups differ.
        """
        if self.groups is None:
            return self.size
        if self.units < 2:
            return 0.0
        rows = self.size / self.design_effect(self.weight * (hit - rate))
        return rows * _fewer_units(self, confidence)

    def design_effect(self, influence: Array) -> float:
        """Return by how much groups raise the variance of a sum of influences, at least 1."""
        alone = float(np.sum(influence**2))
        if self.groups is None or alone <= 0 or self.units < 2:
            return 1.0
        together = np.bincount(self.groups, influence)
        variance = float(np.sum(together**2)) * self.units / (self.units - 1)
        return max(1.0, variance / alone)


def rate_metric(
    hit: Array, sample: RowSample, *, confidence: float = 0.95, default: float = 0.0
) -> Metric:
    """Return the rate of hits with its interval.

    Parameters
    ----------
    hit : ndarray of bool, shape (n,)
        Which rows count as hits.
    sample : RowSample
        All rows that count for the rate.
    confidence : float
        Coverage of the interval, in (0, 1).
    default : float
        The rate where no row counts; it has no interval.

    Examples
    --------
    >>> metric = rate_metric(np.array([True] * 9 + [False]), RowSample.of(10, None, None))
    >>> round(metric.estimate, 3), round(metric.low, 3), round(metric.high, 3)
    (0.9, 0.555, 0.997)

    """
    from scipy.special import betaincinv

    total = float(np.sum(sample.weight))
    if total <= 0:
        return Metric(default)
    rate = float(np.sum(sample.weight * hit)) / total
    rows = sample.effective_rows(hit, rate, confidence)
    if not rows:
        return Metric(rate)
    hits, tail = rate * rows, (1 - confidence) / 2
    low = float(betaincinv(hits, rows - hits + 1, tail)) if hits > 0 else 0.0
    high = float(betaincinv(hits + 1, rows - hits, 1 - tail)) if rows - hits > 0 else 1.0
    return Metric(rate, min(low, rate), max(high, rate))


def auc_metric(
    auc: float, truth: Array, score: Array, sample: RowSample, *, confidence: float = 0.95
) -> Metric:
    """Return the ROC AUC with its interval.

    Parameters
    ----------
    auc : float
        The area, from 0 to 1.
    truth : ndarray of bool, shape (n,)
        Whether a row is positive.
    score : ndarray, shape (n,)
        The scores.
    sample : RowSample
        The rows.
    confidence : float
        Coverage of the interval, in (0, 1).

    """
    from scipy.special import ndtri

    sizes = _class_sizes(auc, truth, score, sample, confidence)
    if sizes is None:
        return Metric(auc)
    quantile = float(ndtri((1 + confidence) / 2))

    def plausible(area: float) -> bool:
        return abs(area - auc) <= quantile * _auc_deviation(area, *sizes)

    return Metric(auc, _edge(plausible, auc, 0.0), _edge(plausible, auc, 1.0))


def pr_auc_metric(
    pr_auc: float,
    auc: float,
    truth: Array,
    score: Array,
    sample: RowSample,
    *,
    confidence: float = 0.95,
) -> Metric:
    """Return the PR AUC with its logit interval (Boyd, Eng and Page, 2013).

    Parameters
    ----------
    pr_auc, auc : float
        The areas under both curves.
    truth, score, sample, confidence
        As for `auc_metric`.

    """
    from scipy.special import expit, logit, ndtri

    if not 0 < pr_auc < 1:
        return Metric(pr_auc)
    sizes = _class_sizes(auc, truth, score, sample, confidence)
    if sizes is None:
        return Metric(pr_auc)
    positive, _ = sizes
    deviation = 1 / np.sqrt(positive * pr_auc * (1 - pr_auc))
    reach = float(ndtri((1 + confidence) / 2)) * deviation
    low, high = expit(logit(pr_auc) - reach), expit(logit(pr_auc) + reach)
    return Metric(pr_auc, float(low), float(high))


def _class_sizes(
    auc: float, truth: Array, score: Array, sample: RowSample, confidence: float
) -> tuple[float, float] | None:
    """Return the effective numbers of positive and negative rows for how scores order them.

    None where a class is in a single group: nothing is known of how groups differ.
    """
    positive, negative = sample.subset(truth), sample.subset(~truth)
    sizes = positive.size, negative.size
    if sample.groups is None:
        return sizes
    if min(positive.units, negative.units) < 2:
        return None
    effect = sample.design_effect(_auc_influence(auc, truth, score, sample.weight))
    sizes = sizes[0] / effect, sizes[1] / effect
    fewest = positive if positive.units < negative.units else negative
    shrink = _fewer_units(fewest, confidence)
    return sizes[0] * shrink, sizes[1] * shrink


def _auc_deviation(area: float, positive: float, negative: float) -> float:
    """Return the standard deviation of an estimated area, given the true one."""
    average = (positive + negative) / 2 - 1
    inner = 1 + average * ((1 - area) / (2 - area) + area / (1 + area))
    product = positive * negative
    return float(np.sqrt(max(0.0, area * (1 - area) * inner / product))) if product > 0 else np.inf


def _edge(plausible: Any, inside: float, outside: float) -> float:
    """Return the last plausible value on the way from one inside to a bound."""
    if plausible(outside) and outside != inside:
        return outside
    for _ in range(BISECTIONS):
        middle = (inside + outside) / 2
        if plausible(middle):
            inside = middle
        else:
            outside = middle
    return inside


def _auc_influence(auc: float, truth: Array, score: Array, weight: Array) -> Array:
    """Return how much each row moves the area (DeLong et al., 1988)."""
    _, index, counts = np.unique(score, return_inverse=True, return_counts=True)
    influence = np.zeros(len(score))
    for positive in (True, False):
        other = np.bincount(index, weight * (truth != positive), minlength=len(counts))
        below = np.cumsum(other) - other / 2
        total = other.sum()
        share = below[index] / total if positive else 1 - below[index] / total
        chosen = truth == positive
        mine = weight[chosen]
        influence[chosen] = mine * (share[chosen] - auc) / mine.sum()
    return influence


def _fewer_units(sample: RowSample, confidence: float) -> float:
    """Return the factor for a variance that was estimated from a number of groups."""
    from scipy.special import ndtri, stdtrit

    level = (1 + confidence) / 2
    freedom = max(1, sample.units - 1)
    return float((ndtri(level) / stdtrit(freedom, level)) ** 2)
