"""Shapley values of one leaf, for every pattern of the players that a row may show.

A leaf gives its value where the conditions of all of its players are met. With a_i for
whether the row meets those of player i, and w_i for the same of the reference, or for the
share of training rows that do, the value of player i is the leaf's value times the integral
over t from 0 to 1 of (a_i - w_i) times the product, over the other players j, of
t a_j + (1 - t) w_j (Owen, 1972, multilinear extensions). The product is a polynomial, and
Gauss and Legendre's quadrature is exact.
"""

from __future__ import annotations

import functools

import numpy as np

from lockgate.models.packed.explanation.coalitions import coalition_bits

__all__ = ["pattern_values", "quadrature"]


@functools.cache
def quadrature(players: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points and weights on 0 to 1, exact for products of `players` - 1 factors."""
    points, weights = np.polynomial.legendre.leggauss(max(1, -(-players // 2)))
    return (points + 1) / 2, weights / 2


def pattern_values(shares: np.ndarray) -> np.ndarray:
    """Return the values of leaves whose own value is 1.

    Parameters
    ----------
    shares : ndarray of float, shape (leaves, players)
        w of each player: 0 or 1 against one reference, the share of training rows otherwise.

    Returns
    -------
    ndarray of float, shape (leaves, 2 ** players, players)
        For every pattern of a, the first player's bit the lowest.

    """
    players = shares.shape[1]
    bits = coalition_bits(players).astype(float)
    total = np.zeros((len(shares), *bits.shape))
    for point, weight in zip(*quadrature(players), strict=True):
        factors = point * bits + (1 - point) * shares[:, None, :]
        total += weight * _products_of_others(factors)
    return np.asarray((bits - shares[:, None, :]) * total)


def _products_of_others(factors: np.ndarray) -> np.ndarray:
    """Return for each entry of the last axis the product of the other entries."""
    before, after = np.ones_like(factors), np.ones_like(factors)
    np.cumprod(factors[..., :-1], axis=-1, out=before[..., 1:])
    after[..., :-1] = np.cumprod(factors[..., :0:-1], axis=-1)[..., ::-1]
    return np.asarray(before * after)
