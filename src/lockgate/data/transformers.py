"""Transformers of single cells, fitted on training rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin

from lockgate.data.columns.dates import date_parts

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

    def fit(self, X: ArrayLike, y: object = None) -> Clip:
        """Compute the quantiles of X, shape (rows, columns), without missing values."""
        numbers = np.asarray(X, dtype=float)
        largest = np.finfo(float).max
        self.low_ = np.full(numbers.shape[1], -largest)
        self.high_ = np.full(numbers.shape[1], largest)
        known = ~np.isnan(numbers).all(axis=0)  # a column may have no values in a fold
        if known.any():
            quantiles = np.nanquantile(numbers[:, known], [self.share, 1 - self.share], axis=0)
            self.low_[known], self.high_[known] = quantiles
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Clip X; missing values stay missing."""
        clipped: np.ndarray = np.clip(np.asarray(X, dtype=float), self.low_, self.high_)
        return clipped


class EmptyToZero(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Fill columns that had no values when fitted with zeros; other missing values stay.

    Histogram boosting cannot bin a column without values, and a fold may have one.
    """

    def fit(self, X: ArrayLike, y: object = None) -> EmptyToZero:
        """Find the columns of X, shape (rows, columns), that have no values."""
        self.empty_ = np.isnan(np.asarray(X, dtype=float)).all(axis=0)
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Fill the columns that had no values."""
        return np.where(self.empty_, 0.0, np.asarray(X, dtype=float))


class Bins(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Cut a column of numbers into bins, e.g. ages into age bands.

    Parameters
    ----------
    edges : list of float
        Rising edges; a bin includes its lower edge: ``[edge, next edge)``.

    """

    def __init__(self, edges: list[float]) -> None:
        self.edges = edges

    def fit(self, X: ArrayLike, y: object = None) -> Bins:
        """Do nothing; the edges are parameters."""
        self.n_features_in_ = 1
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return a 0/1 column per bin, shape (rows, edges + 1); missing values are in none."""
        numbers = np.asarray(X, dtype=float).reshape(-1)
        bin_index = np.searchsorted(np.asarray(self.edges, dtype=float), numbers, side="right")
        in_bin = bin_index[:, None] == np.arange(len(self.edges) + 1)
        indicators: np.ndarray = (in_bin & ~np.isnan(numbers)[:, None]).astype(float)
        return indicators


class DateParts(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Turn dates into days since 1970, month, weekday and hour."""

    def fit(self, X: ArrayLike, y: object = None) -> DateParts:
        """Do nothing but note the number of columns."""
        self.n_features_in_ = np.shape(X)[1]
        return self

    def transform(self, X: pd.DataFrame | np.ndarray) -> np.ndarray:
        """Return four numbers per date, shape (rows, 4 * columns)."""
        parts: list[np.ndarray] = []
        for _, dates in pd.DataFrame(X).items():
            micros = pd.to_datetime(dates).to_numpy("datetime64[us]").astype(np.int64)
            parts += list(date_parts(micros))
        return np.column_stack(parts)
