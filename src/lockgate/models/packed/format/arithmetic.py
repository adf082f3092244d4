"""Functions that give the same bits on every backend, for one number and for many.

Only operations that IEEE 754 rounds exactly once are used (add, subtract,
multiply, divide, round to integer), always in the same order; a library's own
``exp`` differs in the last digit between builds, processors and array lengths.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lockgate.models.packed.format.array_types import Array, Namespace

__all__ = ["exp", "exp_one", "ordered_sum", "sigmoid", "sigmoid_one", "tanh", "tanh_one"]

LOG2E = 1.4426950408889634
LN2_HIGH = 0.6931471803691238  # the upper 33 bits of ln 2: products with |k| < 2**20 are exact
LN2_LOW = 1.9082149292705877e-10

TERMS = tuple(1 / math.factorial(k) for k in range(13, 1, -1))
"""Taylor's coefficients from r**13 down to r**2; the rest is below 2**-57 for |r| <= ln(2)/2."""

FEW = 24
"""Numbers up to which computing them one by one takes less time than so many small arrays."""

SMALLEST, LARGEST = -745.2, 709.4
"""Below the first, ``exp`` is 0; above the second, infinity."""

POWERS = tuple(math.ldexp(1.0, k) for k in range(-1076, 1024))
POWERS_ARRAY = np.array(POWERS)


def exp_one(x: float) -> float:
    """Return e**x for one finite or infinite number, within one unit in the last place.

    Cody and Waite's reduction to |r| <= ln(2)/2, then Taylor's series. Above
    709.4 the result is infinity, slightly below the limit of a double.

    Examples
    --------
    >>> exp_one(0.0), exp_one(-800.0)
    (1.0, 0.0)

    """
    if x > LARGEST or x != x:
        return x * math.inf
    if x < SMALLEST:
        return 0.0
    k = round(x * LOG2E)
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    total = TERMS[0]
    for term in TERMS[1:]:
        total = total * r + term
    return (1.0 + (r + r * r * total)) * POWERS[k + 1076]


def exp(x: Array, xp: Namespace, powers: Array) -> Array:
    """Return e**x elementwise, the same bits as `exp_one`.

    Parameters
    ----------
    x : array of float64
        NaN stays NaN.
    xp : module
        Array namespace.
    powers : array
        `POWERS_ARRAY` on the device of `x`.

    """
    if xp is np and x.size <= FEW:
        return np.array([exp_one(value) for value in x.ravel().tolist()]).reshape(x.shape)
    # NaN and infinity cannot index the table of powers; they are restored below
    is_nan = xp.isnan(x)
    inside = xp.clip(xp.where(is_nan, xp.zeros_like(x), x), SMALLEST, LARGEST)
    k = xp.round(inside * LOG2E)
    r = (inside - k * LN2_HIGH) - k * LN2_LOW
    total = r * TERMS[0] + TERMS[1]
    for term in TERMS[2:]:
        total *= r
        total += term
    result = 1.0 + (r + r * r * total)
    power_indices = xp.reshape(xp.astype(k, xp.int64) + 1076, (-1,))
    result = result * xp.reshape(xp.take(powers, power_indices), x.shape)
    result = xp.where(x < SMALLEST, 0.0 * result, result)
    result = xp.where(x > LARGEST, xp.full_like(x, math.inf), result)
    return xp.where(is_nan, x, result)


def sigmoid_one(x: float) -> float:
    """Return 1 / (1 + e**-x)."""
    if x >= 0:
        return 1.0 / (1.0 + exp_one(-x))
    e = exp_one(x)
    return e / (1.0 + e)


def sigmoid(x: Array, xp: Namespace, powers: Array) -> Array:
    """Return 1 / (1 + e**-x) elementwise, the same bits as `sigmoid_one`."""
    e = exp(-xp.abs(x), xp, powers)
    return xp.where(x >= 0, 1.0 / (1.0 + e), e / (1.0 + e))


def tanh_one(x: float) -> float:
    """Return the hyperbolic tangent, to an absolute error of 2e-16."""
    e = exp_one(-2.0 * abs(x))
    magnitude = (1.0 - e) / (1.0 + e)
    return magnitude if x >= 0 else -magnitude


def tanh(x: Array, xp: Namespace, powers: Array) -> Array:
    """Return the hyperbolic tangent elementwise, the same bits as `tanh_one`."""
    e = exp(-2.0 * xp.abs(x), xp, powers)
    magnitude = (1.0 - e) / (1.0 + e)
    return xp.where(x >= 0, magnitude, -magnitude)


def ordered_sum(rows: Array, xp: Namespace) -> Array:
    """Add rows of shape (k, n), first to last: the only order of addition in the format.

    NumPy adds wide rows in that order by itself; for a few columns it would
    add pairwise, and other libraries guarantee no order.
    """
    if xp is np and rows.shape[1] > 8:
        return np.add.reduce(rows, axis=0)
    if xp is np:
        return np.add.accumulate(rows, axis=0)[-1]
    total = rows[0, :]
    for k in range(1, rows.shape[0]):
        total = total + rows[k, :]
    return total


def ordered_sum_one(values: Sequence[float]) -> float:
    """Add numbers, first to last, as `ordered_sum` does."""
    total = values[0]
    for value in values[1:]:
        total += value
    return total
