"""Rates of groups of rows, and how far they are from each other."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["RATES", "FairnessMetrics"]

Array = np.ndarray[Any, np.dtype[Any]]

RATES = ("selection_rate", "true_positive_rate", "false_positive_rate", "precision")
"""Rates of each group: of rows predicted positive; of positive rows, and of negative rows, that
are; and of those predicted positive that are positive."""


class FairnessMetrics:
    """Differences between groups of rows, for any weights of the same rows.

    The definitions are those of Hardt, Price and Srebro (2016), with the names of Fairlearn:
    demographic parity compares how often groups are predicted positive, equal opportunity how
    often their positive rows are, equalized odds both how often their positive and their negative
    rows are, whichever differs more. Predictive parity compares their precision.

    Parameters
    ----------
    truth, predicted : ndarray of bool, shape (n,)
        Whether a row is positive, and predicted positive.
    group : ndarray of int, shape (n,)
        Group of each row, from 0 on; -1 for rows that are in none.
    count : int
        Number of groups.

    Examples
    --------
    >>> truth = np.array([True, True, False, True, False, False])
    >>> predicted = np.array([True, False, False, True, True, False])
    >>> group = np.array([0, 0, 0, 1, 1, 1])
    >>> metrics = FairnessMetrics(truth, predicted, group, 2)()
    >>> round(metrics["demographic_parity_difference"], 3), metrics["equal_opportunity_difference"]
    (0.333, 0.5)

    """

    def __init__(self, truth: Array, predicted: Array, group: Array, count: int) -> None:
        rows = group >= 0
        self._rows, self._count = rows, count
        self._truth, self._predicted, self._group = truth[rows], predicted[rows], group[rows]

    def rates(self, weight: Array | None = None) -> dict[str, Array]:
        """Return the rates of each group, shape (groups,), NaN where no row counts."""
        w = np.ones(len(self._rows)) if weight is None else weight.astype(float)
        w = w[self._rows]

        def rate(hit: Array, among: Array) -> Array:
            total = np.bincount(self._group, w * among, self._count)
            hits = np.bincount(self._group, w * (hit & among), self._count)
            undefined = np.full(self._count, np.nan)
            return np.asarray(np.divide(hits, total, out=undefined, where=total > 0))

        everywhere = np.ones(len(self._truth), bool)
        return {
            "selection_rate": rate(self._predicted, everywhere),
            "true_positive_rate": rate(self._predicted, self._truth),
            "false_positive_rate": rate(self._predicted, ~self._truth),
            "precision": rate(self._truth, self._predicted),
        }

    def __call__(self, weight: Array | None = None) -> dict[str, float]:
        """Compute all metrics; weights have shape (n,). Those of undefined rates are NaN."""
        rates = self.rates(weight)
        spread = {name: float(np.ptp(values)) for name, values in rates.items()}
        selected = rates["selection_rate"]
        smallest, largest = float(selected.min()), float(selected.max())
        return {
            "demographic_parity_difference": spread["selection_rate"],
            "demographic_parity_ratio": smallest / largest if largest else float("nan"),
            "equal_opportunity_difference": spread["true_positive_rate"],
            "equalized_odds_difference": float(
                np.maximum(spread["true_positive_rate"], spread["false_positive_rate"])
            ),
            "predictive_parity_difference": spread["precision"],
        }
