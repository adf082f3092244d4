"""Converters of transformers by learned curves: splines, quantiles, powers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.models.converters.symbols import Column, Sparse
from lockgate.models.converters.trace import Trace
from lockgate.models.packed.format import numeric
from lockgate.models.packed.format.curves import NormalQuantile, Piecewise, Power, Shares

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["CURVE_TRANSFORMERS"]

BOUND = 1e-7
"""How close to its ends scikit-learn takes a quantile for the end itself."""


def power_transformer(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """Box-Cox or Yeo-Johnson, then standardized where enabled."""
    exponents = np.asarray(trace.attribute(est, "lambdas_"), dtype=float)
    missing_sources = trace.find_missing_sources(columns)
    exponents = np.where(np.abs(exponents) < np.finfo(float).eps, 0.0, exponents)
    x, array = trace.numbers(columns), trace.builder.array
    if est.method == "box-cox":
        # scikit-learn refuses what is not positive, and lets missing values through
        ones = array(np.ones(len(exponents)))
        filled = trace.builder.add(numeric.Fill, x, values=ones)
        check = trace.builder.add(numeric.Apply, filled, function="log")
        trace.finite.add(check)
        trace.builder.checked.add(check)
        x = trace.builder.add(numeric.Apply, x, function="log")
    op = trace.builder.add(Power, x, method=est.method, exponents=array(exponents))
    if est.standardize:
        scaler = trace.attribute(est, "_scaler")
        op = trace.arith(op, "subtract", scaler.mean_)
        op = trace.arith(op, "divide", scaler.scale_)
    return trace.columns_of(op, missing_sources)


def quantile_transformer(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """The share of training rows below, or the normal quantile of that share."""
    trace.require(
        not any(isinstance(column, Sparse) for column in columns),
        "counts of terms, of which scikit-learn leaves zeros as they are; use MaxAbsScaler",
    )
    quantiles = np.asarray(trace.attribute(est, "quantiles_"), dtype=float)
    normal = est.output_distribution == "normal"
    array = trace.builder.array
    op = trace.builder.add(
        Shares,
        trace.numbers(columns),
        quantiles=array(quantiles.T),
        shares=array(est.references_),
        bound=BOUND if normal else 0.0,
    )
    if normal:
        from scipy.special import ndtri

        low = float(ndtri(BOUND - np.spacing(1)))
        high = float(ndtri(1 - (BOUND - np.spacing(1))))
        op = trace.builder.add(NormalQuantile, op, low=low, high=high)
    return trace.columns_of(op, trace.find_missing_sources(columns))


def spline_transformer(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """The B-splines of each column."""
    trace.require(
        est.extrapolation != "error",
        "extrapolation='error'; use constant, linear, continue or periodic",
    )
    trace.require(
        est.extrapolation != "linear" or est.degree > 1,
        "extrapolation='linear' of a degree below 2, which scikit-learn computes otherwise for "
        "each further column; use another degree",
    )
    trace.require(
        getattr(est, "handle_missing", "error") == "error", "handle_missing; impute before"
    )
    trace.require_no_missing(columns)
    array, transformed = trace.builder.array, list[Column]()
    for spline, column in zip(
        trace.attribute(est, "bsplines_"), trace.expand(columns), strict=True
    ):
        knots, coefficients = _polynomials(spline, est.extrapolation)
        if not est.include_bias:
            coefficients = coefficients[:-1]
        op = trace.builder.add(
            Piecewise,
            trace.numbers([column]),
            knots=array(knots),
            coefficients=array(coefficients.reshape(-1, coefficients.shape[2])),
            period=est.extrapolation == "periodic",
        )
        transformed += trace.columns_of(op)
    return transformed


def _polynomials(spline: Any, extrapolation: str) -> tuple[np.ndarray, np.ndarray]:
    """Return knots, and coefficients of each B-spline and interval, lowest power first."""
    from scipy.interpolate import PPoly

    degree, positions = spline.k, spline.t
    low, high = positions[degree], positions[len(positions) - degree - 1]
    outputs = []
    for weights in np.asarray(spline.c).T:
        pieces = PPoly.from_spline((positions, weights, degree))
        inside = (pieces.x[:-1] >= low) & (pieces.x[1:] <= high) & (np.diff(pieces.x) > 0)
        knots = np.append(pieces.x[:-1][inside], high)
        rows = pieces.c[::-1, inside].T
        if degree == 0:
            rows = np.append(rows, np.zeros_like(rows), axis=1)
        if extrapolation in ("constant", "linear"):
            padded = np.zeros((2, rows.shape[1]))
            padded[0, :2] = rows[0, :2]
            length = high - knots[-2]
            padded[1, 0] = np.polyval(rows[-1, ::-1], length)
            padded[1, 1] = np.polyval(np.polyder(rows[-1, ::-1]), length)
            if extrapolation == "constant":
                padded[:, 1] = 0.0
            # a line counts from its lower knot, an interval's length before the first one
            before = low - (knots[1] - low)
            padded[0, 0] -= padded[0, 1] * (low - before)
            rows = np.concatenate([padded[:1], rows, padded[1:]])
            knots = np.concatenate([[before], knots, [high + length]])
        outputs.append(rows)
    return knots, np.stack(outputs)


CURVE_TRANSFORMERS = {
    "sklearn.PowerTransformer": power_transformer,
    "sklearn.QuantileTransformer": quantile_transformer,
    "sklearn.SplineTransformer": spline_transformer,
}
"""Converters of transformers by learned curves, by library and class."""
