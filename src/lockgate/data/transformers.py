"""Transformers of single cells, fitted on training rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

__all__ = ["Bins", "Clip", "DateParts", "EmptyToZero"]


class Clip(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Clip each column to two quantiles of the training rows.

    Parameters
    ----------
    share : float
        Quantiles are `share` and ``1 - share``.

    """

    def __init__(self, share: float = 0.01) -> None:
        self.share = share

    def fit(self, X: Any, y: Any = None) -> Clip:
        """Learn the quantiles, shape of X (rows, columns); gaps are ignored."""
        numbers = np.asarray(X, dtype=float)
        largest = np.finfo(float).max
        self.low_ = np.full(numbers.shape[1], -largest)
        self.high_ = np.full(numbers.shape[1], largest)
        known = ~np.isnan(numbers).all(axis=0)  # a column may be empty in a fold
        if known.any():
            quantiles = np.nanquantile(numbers[:, known], [self.share, 1 - self.share], axis=0)
            self.low_[known], self.high_[known] = quantiles
        return self

    def transform(self, X: Any) -> Any:
        """Clip; gaps stay gaps."""
        return np.clip(np.asarray(X, dtype=float), self.low_, self.high_)


class EmptyToZero(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Write zeros into columns that had no value at all when fitted; other gaps stay.

    Histogram boosting cannot bin a column without a value, which a fold may have.
    """

    def fit(self, X: Any, y: Any = None) -> EmptyToZero:
        """Learn which columns are empty, shape of X (rows, columns)."""
        self.empty_ = np.isnan(np.asarray(X, dtype=float)).all(axis=0)
        return self

    def transform(self, X: Any) -> Any:
        """Fill the empty columns."""
        return np.where(self.empty_, 0.0, np.asarray(X, dtype=float))


class Bins(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Cut one number into bins with given edges, e.g. ages into age bands.

    Parameters
    ----------
    edges : list of float
        Rising; a bin holds its lower edge: ``[edge, next edge)``.

    """

    def __init__(self, edges: list[float]) -> None:
        self.edges = edges

    def fit(self, X: Any, y: Any = None) -> Bins:
        """Learn nothing."""
        self.n_features_in_ = 1
        return self

    def transform(self, X: Any) -> Any:
        """Return one 0/1 column per bin, shape (rows, edges + 1); a gap is in no bin."""
        numbers = np.asarray(X, dtype=float).reshape(-1)
        bin_index = np.searchsorted(np.asarray(self.edges, dtype=float), numbers, side="right")
        in_bin = bin_index[:, None] == np.arange(len(self.edges) + 1)
        return (in_bin & ~np.isnan(numbers)[:, None]).astype(float)


class DateParts(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Turn dates into days since 1970, month, weekday and hour."""

    def fit(self, X: Any, y: Any = None) -> DateParts:
        """Learn nothing."""
        self.n_features_in_ = np.shape(X)[1]
        return self

    def transform(self, X: Any) -> Any:
        """Return four numbers per date, shape (rows, 4 * columns)."""
        parts = []
        for _, dates in pd.DataFrame(X).items():
            timestamps = pd.to_datetime(dates)
            days = (timestamps - pd.Timestamp(0)) / pd.Timedelta(days=1)
            parts += [days, timestamps.dt.month, timestamps.dt.day_of_week, timestamps.dt.hour]
        return np.column_stack([np.asarray(part, dtype=float) for part in parts])
