"""Operations that apply a learned function to each column: polynomials by interval, powers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from lockgate.models.packed.format.array_types import Array, Namespace
from lockgate.models.packed.format.container import require
from lockgate.models.packed.format.operation import (
    ArrayReader,
    Operation,
    Shape,
    check_cell_count,
    check_numbers,
)

__all__ = ["CURVES", "NormalQuantile", "Piecewise", "Power", "Shares"]

MAX_DEGREE = 16


class Piecewise(Operation, tag="piecewise", frozen=True):
    """Polynomials of one column, by the interval that its number lies in.

    Attributes
    ----------
    knots : str
        Rising bounds of the intervals, shape (m,): m - 1 intervals, the first and the last of
        which also take numbers beyond them.
    coefficients : str
        Of each output and interval, shape (outputs * (m - 1), degree + 1), lowest power first,
        of the number minus the lower bound; all intervals of the first output come first.
    period : bool
        Whether numbers are first moved by multiples of the knots' range into it.

    """

    knots: str
    coefficients: str
    period: bool = False

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        require(check_numbers(operands) == 1, "expected one column")
        knots = reader.floats(self.knots, None)
        require(len(knots) > 1 and bool((np.diff(knots) > 0).all()), "knots do not rise")
        rows, powers = reader.floats(self.coefficients, None, None).shape
        outputs, rest = divmod(rows, len(knots) - 1)
        require(outputs > 0 and not rest, f"{rows} polynomials for {len(knots) - 1} intervals")
        require(0 < powers <= MAX_DEGREE + 1, "too high a degree")
        return Shape("numbers", check_cell_count(outputs))

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        knots, flat = arrays[self.knots], arrays[self.coefficients]
        coefficients = xp.reshape(flat, (-1, knots.shape[0] - 1, flat.shape[1]))
        x = operands[0][0, :]
        if self.period:
            span = knots[-1] - knots[0]
            x = knots[0] + xp.remainder(x - knots[0], span)
        # where no number is, an interval is taken all the same: the result is NaN
        known = xp.where(xp.isnan(x), 0.0 * xp.ones_like(x), x)
        interval = xp.searchsorted(knots[1:-1], known, side="right")
        offset = x - xp.take(knots, interval)
        total = xp.take(coefficients[:, :, -1], interval, axis=1)
        with np.errstate(over="ignore", invalid="ignore"):
            for power in range(coefficients.shape[2] - 2, -1, -1):
                total = total * offset + xp.take(coefficients[:, :, power], interval, axis=1)
        return xp.where(xp.isnan(x), x, total)


class Power(Operation, tag="power", frozen=True):
    """Power transforms of Yeo and Johnson (2000), or of Box and Cox (1964), by column.

    The latter are of logarithms of numbers.
    """

    method: Literal["box-cox", "yeo-johnson"]
    exponents: str

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        width = check_numbers(operands)
        reader.floats(self.exponents, width)
        return Shape("numbers", width)

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        x, exponents = operands[0], arrays[self.exponents]
        columns = []
        for k in range(x.shape[0]):
            column, exponent = x[k, :], float(exponents[k])
            if self.method == "box-cox":  # of logarithms
                columns.append(_power(column, exponent, xp))
                continue
            positive = column >= 0
            size = xp.abs(column)
            up = _power(xp.log1p(size), exponent, xp)
            down = -_power(xp.log1p(size), 2.0 - exponent, xp)
            columns.append(xp.where(xp.isnan(column), column, xp.where(positive, up, down)))
        return xp.stack(columns)


class Shares(Operation, tag="shares", frozen=True):
    """The share of training rows below each number, from quantiles, by column.

    It is the mean of two linear interpolations: from below, and from above, which differ
    where several shares have the same quantile. At both ends, or within `bound` of them,
    it is 0 and 1.
    """

    quantiles: str
    shares: str
    bound: float = 0.0

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        width = check_numbers(operands)
        quantiles = reader.floats(self.quantiles, width, None)
        shares = reader.floats(self.shares, quantiles.shape[1])
        require(len(shares) > 0 and bool((np.diff(shares) >= 0).all()), "shares do not rise")
        require(bool((np.diff(quantiles, axis=1) >= 0).all()), "quantiles do not rise")
        require(0 <= self.bound < 1, f"bound is {self.bound}, expected 0 to 1")
        return Shape("numbers", width)

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        quantiles, shares = arrays[self.quantiles], arrays[self.shares]
        columns = []
        for k in range(operands[0].shape[0]):
            x, edges = operands[0][k, :], quantiles[k, :]
            known = xp.where(xp.isnan(x), edges[0] + 0.0 * xp.ones_like(x), x)
            above = _interpolate(-known, -xp.flip(edges), -xp.flip(shares), xp)
            share = 0.5 * (_interpolate(known, edges, shares, xp) - above)
            low, high = known <= edges[0], known >= edges[-1]
            if self.bound:
                low, high = known - self.bound < edges[0], known + self.bound > edges[-1]
            share = xp.where(high, 1.0 + 0.0 * share, share)
            share = xp.where(low, 0.0 * share, share)
            columns.append(xp.where(xp.isnan(x), x, share))
        return xp.stack(columns)


def _interpolate(x: Array, knots: Array, values: Array, xp: Namespace) -> Array:
    """Interpolate in lines; of equal knots the last counts; constant beyond them."""
    if knots.shape[0] == 1:
        return values[0] + 0.0 * x
    index = xp.searchsorted(knots, x, side="right") - 1
    inner = xp.clip(index, 0, knots.shape[0] - 2)
    left, right = xp.take(knots, inner), xp.take(knots, inner + 1)
    start, end = xp.take(values, inner), xp.take(values, inner + 1)
    width = xp.where(right > left, right - left, xp.ones_like(left))
    result = (end - start) / width * (x - left) + start
    result = xp.where(index >= knots.shape[0] - 1, values[-1] + 0.0 * x, result)
    return xp.where(index < 0, values[0] + 0.0 * x, result)


def _power(logarithm: Array, exponent: float, xp: Namespace) -> Array:
    """Return (e^(exponent × logarithm) - 1) / exponent, and the logarithm itself for 0."""
    if exponent == 0:
        return logarithm
    with np.errstate(over="ignore", invalid="ignore"):  # of the half that is not chosen, too
        return xp.expm1(exponent * logarithm) / exponent


class NormalQuantile(Operation, tag="probit", frozen=True):
    """The quantile of the normal distribution (Wichura, 1988, AS 241), clipped."""

    low: float
    high: float

    def infer(self, operands: Sequence[Shape], reader: ArrayReader) -> Shape:
        require(-40 < self.low < 0 < self.high < 40, f"bounds are {self.low} and {self.high}")
        return Shape("numbers", check_numbers(operands))

    def run(self, operands: Sequence[Array], arrays: Mapping[str, Array], xp: Namespace) -> Array:
        p = operands[0]
        centred = p - 0.5
        tail = xp.where(centred < 0, p, 1 - p)
        inside = xp.abs(centred) <= 0.425
        middle = 0.180625 - centred * centred
        near = centred * _ratio(xp.where(inside, middle, 0.0 * middle), CENTRE)
        safe = xp.where(tail > 0, tail, 0.25 + 0.0 * tail)
        distance = xp.sqrt(-xp.log(safe))
        close = distance <= 5.0
        far = xp.where(
            close,
            _ratio(xp.where(close, distance - 1.6, 0.0 * distance), SIDE),
            _ratio(xp.where(close, 0.0 * distance, distance - 5.0), TAIL),
        )
        far = xp.where(tail > 0, far, 40.0 + 0.0 * far)
        result = xp.where(inside, near, xp.where(centred < 0, -far, far))
        result = xp.where(result < self.low, self.low + 0.0 * result, result)
        result = xp.where(result > self.high, self.high + 0.0 * result, result)
        return xp.where(xp.isnan(p), p, result)


def _ratio(x: Array, polynomials: tuple[tuple[float, ...], tuple[float, ...]]) -> Array:
    """Return the quotient of two polynomials, lowest power first."""
    above, below = 0.0 * x, 0.0 * x
    for upper, lower in zip(*map(reversed, polynomials), strict=True):
        above, below = above * x + upper, below * x + lower
    return above / below


CENTRE = (
    (
        3.3871328727963666080e0,
        1.3314166789178437745e2,
        1.9715909503065514427e3,
        1.3731693765509461125e4,
        4.5921953931549871457e4,
        6.7265770927008700853e4,
        3.3430575583588128105e4,
        2.5090809287301226727e3,
    ),
    (
        1.0,
        4.2313330701600911252e1,
        6.8718700749205790830e2,
        5.3941960214247511077e3,
        2.1213794301586595867e4,
        3.9307895800092710610e4,
        2.8729085735721942674e4,
        5.2264952788528545610e3,
    ),
)
SIDE = (
    (
        1.42343711074968357734e0,
        4.63033784615654529590e0,
        5.76949722146069140550e0,
        3.64784832476320460504e0,
        1.27045825245236838258e0,
        2.41780725177450611770e-1,
        2.27238449892691845833e-2,
        7.74545014278341407640e-4,
    ),
    (
        1.0,
        2.05319162663775882187e0,
        1.67638483018380384940e0,
        6.89767334985100004550e-1,
        1.48103976427480074590e-1,
        1.51986665636164571966e-2,
        5.47593808499534494600e-4,
        1.05075007164441684324e-9,
    ),
)
TAIL = (
    (
        6.65790464350110377720e0,
        5.46378491116411436990e0,
        1.78482653991729133580e0,
        2.96560571828504891230e-1,
        2.65321895265761230930e-2,
        1.24266094738807843860e-3,
        2.71155556874348757815e-5,
        2.01033439929228813265e-7,
    ),
    (
        1.0,
        5.99832206555887937690e-1,
        1.36929880922735805310e-1,
        1.48753612908506148525e-2,
        7.86869131145613259100e-4,
        1.84631831751005468180e-5,
        1.42151175831644588870e-7,
        2.04426310338993978564e-15,
    ),
)

CURVES = (Piecewise, Shares, Power, NormalQuantile)
"""Operations on columns by learned functions."""
