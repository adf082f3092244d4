"""Least squares and ridge regression in terms of the array API standard."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lockgate.contract.requests import Backend

__all__ = ["least_squares"]


def least_squares(
    backend: Backend,
    X: ArrayLike,
    y: ArrayLike,
    *,
    strength: float = 0.0,
    weight: ArrayLike | None = None,
) -> tuple[np.ndarray, float]:
    """Minimize ``sum(w * (y - X b - a)^2) + strength * |b|^2``.

    Parameters
    ----------
    backend : Backend
        Backend to compute on.
    X : array, shape (n, k)
        Features.
    y : array, shape (n,)
        Target.
    strength : float
        Ridge penalty, at least 0; with 0 the solution of smallest norm is returned.
    weight : array, shape (n,), optional
        Row weights, at least 0.

    Returns
    -------
    coefficients : ndarray, shape (k,)
    intercept : float

    Notes
    -----
    Singular value decomposition of the centred and weighted features (Golub and
    Van Loan, Matrix Computations, 4th ed., 5.5.3 and 6.1.4); numerically stable where the
    normal equations are not.

    Examples
    --------
    >>> from lockgate.contract.requests import numpy_backend
    >>> b, a = least_squares(numpy_backend(), [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    >>> b.round(12).tolist(), round(a, 12)
    ([2.0], 1.0)

    """
    xp = backend.xp
    host_x, host_y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    rows = host_x.shape[0]
    host_w = np.ones(rows) if weight is None else np.asarray(weight, dtype=float)
    features, target, w = (backend.asarray(part) for part in (host_x, host_y, host_w))
    total = xp.sum(w)
    mean_x = xp.sum(features * w[:, None], axis=0) / total
    mean_y = xp.sum(target * w) / total
    root_weight = xp.sqrt(w)
    left, values, right = xp.linalg.svd(
        (features - mean_x) * root_weight[:, None], full_matrices=False
    )
    projected = xp.matmul(xp.matrix_transpose(left), (target - mean_y) * root_weight)
    tolerance = xp.max(values) * max(host_x.shape) * xp.finfo(values.dtype).eps
    nonzero = values > tolerance
    safe = xp.where(nonzero, values, xp.ones_like(values))
    factor = xp.where(nonzero, safe / (safe**2 + strength), xp.zeros_like(values))
    coefficients = xp.matmul(xp.matrix_transpose(right), factor * projected)
    intercept = mean_y - xp.sum(mean_x * coefficients)
    return backend.to_numpy(coefficients), float(intercept)
