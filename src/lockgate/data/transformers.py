"""Transformers of single cells, fitted on training rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin

from lockgate.data.columns.dates import date_parts
from lockgate.data.columns.frames import cell_texts, numbers_of

__all__ = [
    "CYCLES",
    "Bins",
    "Clip",
    "Combined",
    "DateParts",
    "EmptyToZero",
    "Frequencies",
    "circle",
]


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


MICROS_A_DAY = 86_400e6

CYCLES = (12, 7, 24)
"""Months of a year, days of a week, hours of a day."""


def circle(count: int) -> np.ndarray:
    """Return sine and cosine of evenly spaced angles, shape (count, 2)."""
    angles = 2 * np.pi * np.arange(count) / count
    return np.stack([np.sin(angles), np.cos(angles)], axis=1)


class DateParts(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Turn dates into days since 1970, month, weekday and hour.

    Parameters
    ----------
    cyclic : bool
        Whether month, weekday and hour are points on a circle, sine and cosine of an angle, so
        that December is next to January.

    """

    def __init__(self, cyclic: bool = False) -> None:
        self.cyclic = cyclic

    def fit(self, X: ArrayLike, y: object = None) -> DateParts:
        """Do nothing but note the number of columns."""
        self.n_features_in_ = np.shape(X)[1]
        return self

    def transform(self, X: pd.DataFrame | np.ndarray) -> np.ndarray:
        """Return four numbers per date, shape (rows, 4 * columns); seven where cyclic."""
        parts: list[np.ndarray] = []
        for _, dates in pd.DataFrame(X).items():
            micros = pd.to_datetime(dates).to_numpy("datetime64[us]").astype(np.int64)
            days, month, weekday, hour = date_parts(micros)
            if not self.cyclic:
                parts += [days, month, weekday, hour]
                continue
            parts.append(days)
            for part, count in zip((month - 1, weekday, hour), CYCLES, strict=True):
                known = np.isfinite(part)
                points = circle(count)[np.where(known, part, 0).astype(int)]
                parts += list(np.where(known, points.T, np.nan))
        return np.column_stack(parts)


class Frequencies(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Turn categories into the shares of the training rows that have them; unknown ones are 0."""

    def fit(self, X: pd.DataFrame | np.ndarray, y: object = None) -> Frequencies:
        """Count the categories of X, shape (rows, columns); missing cells count as one."""
        frame = pd.DataFrame(X)
        self.n_features_in_ = frame.shape[1]
        self.categories_, self.shares_ = [], []
        for _, cells in frame.items():
            texts = cell_texts(cells)
            counts = pd.Series(texts).value_counts(dropna=True).sort_index()
            missing = sum(text is None for text in texts)
            shares = [*counts.to_numpy(dtype=float), float(missing)]
            self.categories_.append(counts.index.to_list())
            self.shares_.append(np.array(shares) / len(texts))
        return self

    def transform(self, X: pd.DataFrame | np.ndarray) -> np.ndarray:
        """Return a share per cell, shape (rows, columns)."""
        columns = []
        frame = pd.DataFrame(X)
        for (_, cells), names, shares in zip(
            frame.items(), self.categories_, self.shares_, strict=True
        ):
            known = dict(zip([*names, None], shares.tolist(), strict=True))
            columns.append([known.get(text, 0.0) for text in cell_texts(cells)])
        return np.array(columns, dtype=float).T


class Combined(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Subtract or divide two columns of numbers or dates; dates are days since 1970.

    The result is missing where a cell is, and where it is not a finite number, as when dividing
    by 0.

    Parameters
    ----------
    how : {"subtract", "divide"}
        What is computed.

    """

    def __init__(self, how: str) -> None:
        self.how = how

    def fit(self, X: ArrayLike, y: object = None) -> Combined:
        """Do nothing but note the number of columns."""
        self.n_features_in_ = np.shape(X)[1]
        return self

    def transform(self, X: pd.DataFrame | np.ndarray) -> np.ndarray:
        """Return a column, shape (rows, 1)."""
        frame = pd.DataFrame(X)
        left, right = (_as_days(frame.iloc[:, k]) for k in (0, 1))
        with np.errstate(all="ignore"):
            result = left / right if self.how == "divide" else left - right
        return np.where(np.isfinite(result), result, np.nan)[:, None]


def _as_days(cells: pd.Series) -> np.ndarray:
    numbers = numbers_of(cells)
    is_date = pd.api.types.is_datetime64_any_dtype(cells)
    return numbers / MICROS_A_DAY if is_date else numbers
