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
    quantile : float, optional
        The quantile that is predicted; the metrics are then ``quantile_loss`` (Koenker and
        Bassett, 1978), ``quantile_skill``, the share by which it is below that of the best constant
        (R1 of Koenker and Machado, 1999), and ``at_or_below``, the share of rows not above the
        value.

    Examples
    --------
    >>> import numpy as np
    >>> RegressionMetrics(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))()["r2"]
    0.5

    """

    def __init__(self, truth: Array, value: Array, quantile: float | None = None) -> None:
        self._quantile = quantile
        self._truth = truth.astype(float)
        self._residual = value.astype(float) - self._truth

    def __call__(self, weight: Array | None = None) -> dict[str, float]:
        """Compute all metrics; weights have shape (n,)."""
        w = np.ones(len(self._truth)) if weight is None else weight.astype(float)
        total = max(w.sum(), np.finfo(float).tiny)
        squared = (w * self._residual**2).sum()
        mean = (w * self._truth).sum() / total
        spread = (w * (self._truth - mean) ** 2).sum()
        if self._quantile is not None:
            return self._of_quantile(self._quantile, w, total)
        return {
            "r2": float(1 - squared / spread) if spread else float("nan"),
            "rmse": float(np.sqrt(squared / total)),
            "mae": float((w * np.abs(self._residual)).sum() / total),
            "bias": float((w * self._residual).sum() / total),
        }

    def _of_quantile(self, quantile: float, w: Array, total: float) -> dict[str, float]:
        """Compute the metrics of a predicted quantile."""
        loss = _quantile_loss(-self._residual, quantile, w)
        constant = np.quantile(self._truth, quantile, weights=w, method="inverted_cdf")
        of_constant = _quantile_loss(self._truth - constant, quantile, w)
        return {
            "quantile_loss": float(loss / total),
            "quantile_skill": float(1 - loss / of_constant) if of_constant else float("nan"),
            "at_or_below": float((w * (self._residual >= 0)).sum() / total),
        }


def _quantile_loss(above: Array, quantile: float, w: Array) -> float:
    """Return the weighted sum of the losses; `above` is by how much the truth is above."""
    return float((w * np.maximum(quantile * above, (quantile - 1) * above)).sum())
