"""Metrics of regression."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["RegressionMetrics"]

Array = np.ndarray[Any, np.dtype[Any]]


class RegressionMetrics:
    """Metrics of a regression for any weights of the same rows.

    Parameters
    ----------
    truth, value : ndarray, shape (n,)
        Actual and predicted value.

    Examples
    --------
    >>> import numpy as np
    >>> RegressionMetrics(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))()["r2"]
    0.5

    """

    def __init__(self, truth: Array, value: Array) -> None:
        self._truth = truth.astype(float)
        self._residual = value.astype(float) - self._truth

    def __call__(self, weight: Array | None = None) -> dict[str, float]:
        """Compute all metrics; weights have shape (n,)."""
        w = np.ones(len(self._truth)) if weight is None else weight.astype(float)
        total = max(w.sum(), np.finfo(float).tiny)
        squared = (w * self._residual**2).sum()
        mean = (w * self._truth).sum() / total
        spread = (w * (self._truth - mean) ** 2).sum()
        return {
            "r2": float(1 - squared / spread) if spread else float("nan"),
            "rmse": float(np.sqrt(squared / total)),
            "mae": float((w * np.abs(self._residual)).sum() / total),
            "bias": float((w * self._residual).sum() / total),
        }
