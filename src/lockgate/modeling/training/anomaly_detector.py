"""The estimator of the task ``anomaly``: the scores of a detector as shares of training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.svm import OneClassSVM
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["ANOMALY_CLASSES", "AnomalyDetector", "scale_of"]

ANOMALY_CLASSES = ("normal", "anomaly")
"""Labels of the task ``anomaly``, in the order of the scores."""

LEVELS = 1000
"""Quantiles of the training rows between which scores are interpolated."""

LEAST_STEP = 1e-4
"""Least distance of two quantiles, as a share of their range: rounding counts less then."""

FOLDS = 5
"""Parts of the training rows that are scored by detectors that were not fitted on them."""


class AnomalyDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Score rows by the share of training rows that are less anomalous.

    The shares are those of scores that detectors give to rows that they were not fitted on: a
    detector takes the rows that it was fitted on for far more usual than others like them.
    Detectors measure in units of their own: depths of trees, logarithms of densities, distances
    from a boundary. Shares mean the same for each, so that a threshold of 0.99 calls 1 % of rows
    like those of training anomalies, whichever detector is behind it.

    Parameters
    ----------
    detector : estimator
        Unfitted, with ``score_samples``, which is lower for more anomalous rows.

    Attributes
    ----------
    detector_ : estimator
        The fitted detector.
    quantiles_ : ndarray, shape (levels,)
        Anomaly of training rows, ascending; the detector's scores with the sign changed.
    levels_ : ndarray, shape (levels,)
        Share of the training rows up to each quantile.
    classes_ : ndarray, shape (2,)
        ``normal`` and ``anomaly``.

    Examples
    --------
    >>> from sklearn.mixture import GaussianMixture
    >>> rows = np.linspace(-1, 1, 1001)[:, None]
    >>> detector = AnomalyDetector(GaussianMixture()).fit(rows)
    >>> detector.predict_proba(np.array([[0.25], [0.5], [9.0]]))[:, 1].round(2).tolist()
    [0.25, 0.5, 1.0]

    """

    def __init__(self, detector: BaseEstimator) -> None:
        self.detector = detector

    def fit(
        self,
        X: ArrayLike,
        y: object = None,  # noqa: ARG002  # pipelines pass it
        sample_weight: ArrayLike | None = None,
    ) -> AnomalyDetector:
        """Fit the detector, and count its scores of the training rows."""
        extra = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.detector_ = clone(self.detector).fit(X, **extra)
        anomaly = self._score_others(np.asarray(X), sample_weight)
        levels = np.linspace(0, 1, min(LEVELS, len(anomaly)))
        if sample_weight is None:
            quantiles = np.quantile(anomaly, levels)
        else:
            weight = np.asarray(sample_weight, dtype=float)
            quantiles = np.quantile(anomaly, levels, weights=weight, method="inverted_cdf")
        self.quantiles_, self.levels_ = _distinct(quantiles, levels)
        self.classes_ = np.array(ANOMALY_CLASSES, dtype=object)
        self.n_features_in_ = self.detector_.n_features_in_
        return self

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Return how anomalous rows are, in the detector's unit; shape (n,)."""
        check_is_fitted(self)
        return _measure(self.detector_, X)

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the share of training rows that are as or more anomalous, and of those less."""
        share = np.interp(self.decision_function(X), self.quantiles_, self.levels_)
        return np.stack([1 - share, share], axis=1)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the labels at a score of 0.5; a pipeline has the threshold for fewer."""
        labels: np.ndarray = self.classes_[(self.predict_proba(X)[:, 1] >= 0.5).astype(int)]
        return labels

    def _score_others(self, X: np.ndarray, sample_weight: ArrayLike | None) -> np.ndarray:
        """Return how anomalous each row is for a detector that was fitted on other rows."""
        anomaly = np.empty(len(X))
        order = np.random.default_rng(0).permutation(len(X))
        for part in np.array_split(order, min(FOLDS, len(X))):
            rest = np.setdiff1d(order, part)
            extra = (
                {} if sample_weight is None else {"sample_weight": np.asarray(sample_weight)[rest]}
            )
            detector = clone(self.detector).fit(X[rest], **extra)
            anomaly[part] = _measure(detector, X[part])
        return anomaly


def scale_of(detector: BaseEstimator) -> float:
    """Return what a detector's scores are divided by: those of one class grow with its rows."""
    return abs(float(np.ravel(detector.offset_)[0])) if isinstance(detector, OneClassSVM) else 1.0


def _measure(detector: BaseEstimator, X: ArrayLike) -> np.ndarray:
    return -np.asarray(detector.score_samples(X), dtype=float) / scale_of(detector)


def _distinct(quantiles: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return quantiles that are apart, each with the share of rows below it.

    Beyond the last the share is 1, also where many rows have the largest score alike.
    """
    step = LEAST_STEP * (quantiles[-1] - quantiles[0]) or LEAST_STEP * max(1.0, abs(quantiles[0]))
    kept = [(quantiles[0], levels[0])]
    for quantile, level in zip(quantiles.tolist(), levels.tolist(), strict=True):
        if quantile - kept[-1][0] > step:
            kept.append((quantile, level))
    kept.append((kept[-1][0] + step, 1.0))
    points = np.array(kept, dtype=float)
    return points[:, 0], points[:, 1]
