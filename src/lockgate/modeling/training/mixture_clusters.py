"""Clusters as the components of a Gaussian mixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.mixture import GaussianMixture
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["MixtureClusters"]

LEAST_VARIANCE = 1e-3
"""Added to variances: constant and dependent columns, as of categories, have no density."""


class MixtureClusters(ClusterMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Groups rows by the component of a Gaussian mixture that they most likely come from.

    Dempster, Laird and Rubin (1977), Maximum likelihood from incomplete data via the EM
    algorithm. Scikit-learn's mixture is a density, not a clustering.

    Parameters
    ----------
    n_clusters : int
        Number of components, at least 1.
    n_init : int
        Number of starts, of which the best is kept.
    random_state : int, optional
        Seed of the starts.

    Examples
    --------
    >>> rows = np.array([[0.0], [0.1], [0.2], [9.0], [9.1], [9.2]])
    >>> clusters = MixtureClusters(2, random_state=0).fit(rows)
    >>> len(set(clusters.labels_[:3])), len(set(clusters.labels_))
    (1, 2)

    """

    def __init__(
        self, n_clusters: int = 2, *, n_init: int = 3, random_state: int | None = None
    ) -> None:
        self.n_clusters = n_clusters
        self.n_init = n_init
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,
        y: object = None,  # noqa: ARG002  # pipelines pass it
    ) -> MixtureClusters:
        """Fit to X of shape (n, k)."""
        self.mixture_ = GaussianMixture(
            self.n_clusters,
            reg_covar=LEAST_VARIANCE,
            n_init=self.n_init,
            random_state=self.random_state,
        ).fit(X)
        self.n_features_in_ = self.mixture_.n_features_in_
        self.labels_ = self.predict(X)
        return self

    @property
    def cluster_centers_(self) -> np.ndarray:
        """Means of the components, shape (clusters, k)."""
        check_is_fitted(self, "mixture_")
        return np.asarray(self.mixture_.means_)

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return how unlikely each component is, shape (n, clusters).

        That is the negative logarithm of its weight times its density.
        """
        check_is_fitted(self, "mixture_")
        joint = self.mixture_._estimate_weighted_log_prob(np.asarray(X, dtype=float))
        return np.asarray(-joint)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the most likely component of each row, shape (n,)."""
        return np.asarray(self.transform(X).argmin(axis=1))
