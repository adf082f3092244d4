"""An estimator of linear regression that solves on the array backend."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from lockgate.arrays.solving import least_squares
from lockgate.spec.values import Backend, numpy_backend

__all__ = ["LeastSquares"]


class LeastSquares(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Least squares with a ridge penalty, solved on an array backend.

    Parameters
    ----------
    alpha : float
        Ridge penalty on the coefficients, at least 0.
    backend : Backend, optional
        Where to solve; NumPy by default. A fitted model answers with NumPy and
        does not carry its backend into a file.

    """

    def __init__(self, alpha: float = 0.0, backend: Backend | None = None) -> None:
        self.alpha = alpha
        self.backend = backend

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LeastSquares:
        """Fit to X of shape (n, k) and y of shape (n,)."""
        self.coef_, self.intercept_ = least_squares(
            self.backend or numpy_backend(), X, y, strength=self.alpha, weight=sample_weight
        )
        self.n_features_in_ = len(self.coef_)
        return self

    def predict(self, X: Any) -> Any:
        """Answer for X of shape (n, k)."""
        check_is_fitted(self, "coef_")
        return np.asarray(X, dtype=float) @ self.coef_ + self.intercept_

    def __getstate__(self) -> dict[str, Any]:
        """Leave the backend out: a device does not travel."""
        return {**self.__dict__, "backend": None}
