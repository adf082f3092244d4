"""The prediction for a single row."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["RowPrediction"]


class RowPrediction(NamedTuple):
    """The prediction for one row.

    Attributes
    ----------
    label : object
        Predicted class, or value.
    score : float, list of float, or None
        Probability of the second of two classes, or of each class.
    margin : float, list of float, or None
        The value before it becomes a probability.

    """

    label: Any
    score: float | list[float] | None = None
    margin: float | list[float] | None = None
