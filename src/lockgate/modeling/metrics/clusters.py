"""Metrics of clusters: how close rows are to those of their own cluster, and to the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.data.columns.frames import cell_texts, numbers_of

if TYPE_CHECKING:
    import pandas as pd

    from lockgate.contract.tables import Schema

__all__ = ["ClusteringMetrics", "comparison_points"]

Array = np.ndarray[Any, np.dtype[Any]]

MOST_ROWS = 2000
"""Rows whose distances are measured, evenly spaced: their number grows with the square."""

TEXT_AXES = 256
"""Axes for the words of a column of texts."""


def comparison_points(features: pd.DataFrame, schema: Schema) -> Array:
    """Return where rows lie, whatever a model makes of their columns, so that models compare.

    Numbers and dates have mean 0 and standard deviation 1, a missing one is 0; two different
    categories are at distance 1, as are two texts without a word in common.

    Parameters
    ----------
    features : DataFrame, shape (n, features)
        The rows.
    schema : Schema
        Kinds of their columns.

    Returns
    -------
    ndarray, shape (n, axes)
        Coordinates.

    """
    parts = [
        _points_of_texts(features[column.name], free_text=column.kind == "text")
        if column.kind in ("category", "text")
        else _points_of_numbers(numbers_of(features[column.name]))
        for column in schema.features
    ]
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(features), 0))


def _points_of_numbers(numbers: Array) -> Array:
    known = np.isfinite(numbers)
    mean, spread = (numbers[known].mean(), numbers[known].std()) if known.any() else (0.0, 0.0)
    return np.asarray(np.where(known, (numbers - mean) / (spread or 1.0), 0.0)[:, None])


def _points_of_texts(cells: pd.Series, *, free_text: bool) -> Array:
    from sklearn.feature_extraction.text import HashingVectorizer

    texts = [text or "" for text in cell_texts(cells)]
    if free_text:
        points = HashingVectorizer(n_features=TEXT_AXES, alternate_sign=False).transform(texts)
        return np.asarray(points.toarray() / np.sqrt(2))
    names, codes = np.unique(np.array(texts, dtype=object), return_inverse=True)
    return np.asarray(np.eye(len(names))[codes] / np.sqrt(2))


class ClusteringMetrics:
    """Metrics of clusters for any weights of the same rows.

    Silhouette (Rousseeuw, 1987): for each row, how much closer it is to the rows of its own
    cluster than to those of the next one, from -1 to 1. Davies-Bouldin (1979): how wide clusters
    are beside the distance between them; 0 is best.

    Parameters
    ----------
    points : ndarray, shape (n, axes)
        Where the rows lie.
    labels : ndarray, shape (n,)
        Cluster of each row.

    Examples
    --------
    >>> points = np.array([[0.0], [1.0], [10.0], [11.0]])
    >>> metrics = ClusteringMetrics(points, np.array([0, 0, 1, 1]))()
    >>> round(metrics["silhouette"], 3), round(metrics["davies_bouldin"], 3)
    (0.9, 0.1)

    """

    def __init__(self, points: Array, labels: Array) -> None:
        step = max(1, -(-len(labels) // MOST_ROWS))
        self._step, self._labels = step, labels
        points, labels = points[::step], labels[::step]
        distinct = np.unique(labels)
        self._silhouettes, self._davies_bouldin = np.full(len(labels), np.nan), np.nan
        if points.shape[1] and 1 < len(distinct) < len(labels):
            from sklearn.metrics import davies_bouldin_score, silhouette_samples

            self._silhouettes = silhouette_samples(points, labels)
            self._davies_bouldin = float(davies_bouldin_score(points, labels))

    def __call__(self, weight: Array | None = None) -> dict[str, float]:
        """Compute all metrics; weights have shape (n,), and count for shares and silhouette."""
        w = np.ones(len(self._labels)) if weight is None else weight.astype(float)
        shares = np.bincount(np.unique(self._labels, return_inverse=True)[1], w)
        shares = shares / (shares.sum() or 1.0)
        sampled = w[:: self._step]
        total = sampled.sum()
        return {
            "silhouette": float((sampled * self._silhouettes).sum() / total) if total else np.nan,
            "davies_bouldin": self._davies_bouldin,
            "smallest_share": float(shares.min()),
            "largest_share": float(shares.max()),
        }
