"""Linear regression as a scikit-learn estimator that solves on an array backend."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from lockgate.contract.requests import Backend, numpy_backend
from lockgate.modeling.solvers.least_squares import least_squares

__all__ = ["LeastSquares"]


class LeastSquares(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Least squares with a ridge penalty, solved on an array backend.

    Parameters
    ----------
    alpha : float
        Ridge penalty on the coefficients, at least 0.
    backend : Backend, optional
        Backend to solve on; NumPy by default. A fitted model predicts with NumPy, and
        its backend is not saved.

    """

    def __init__(self, alpha: float = 0.0, backend: Backend | None = None) -> None:
        self.alpha = alpha
        self.backend = backend

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> LeastSquares:
        """Fit to X of shape (n, k) and y of shape (n,)."""
        self.coef_, self.intercept_ = least_squares(
            self.backend or numpy_backend(), X, y, strength=self.alpha, weight=sample_weight
        )
        self.n_features_in_ = len(self.coef_)
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict for X of shape (n, k)."""
        check_is_fitted(self, "coef_")
        predictions: np.ndarray = np.asarray(X, dtype=float) @ self.coef_ + self.intercept_
        return predictions

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the backend: a device cannot be saved."""
        return {**self.__dict__, "backend": None}
