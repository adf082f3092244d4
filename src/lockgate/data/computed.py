"""Columns that are computed of two others: differences and ratios, and their fixed form."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin

from lockgate.data.columns.frames import numbers_of
from lockgate.errors import SchemaViolation

__all__ = ["Combination", "Combined", "parse_combination"]

FORM = re.compile(r"(?P<left>.+?) +(?P<sign>[-/]) +(?P<right>.+)")
MICROS_A_DAY = 86_400e6


class Combination(NamedTuple):
    """Two columns, and how a third is computed of them.

    Attributes
    ----------
    left, right : str
        Names of the columns.
    how : {"subtract", "divide"}
        What is computed.

    """

    left: str
    right: str
    how: str


def parse_combination(text: str, where: str) -> Combination:
    """Read a difference or a ratio.

    Raises
    ------
    SchemaViolation
        If it is neither; `where` names the setting.

    Examples
    --------
    >>> parse_combination("dollars / orders", "cells.computed.per_order")
    Combination(left='dollars', right='orders', how='divide')

    """
    match = FORM.fullmatch(text.strip())
    if match is None:
        raise SchemaViolation(
            [
                f"{where} is {text!r}, expected two columns with a sign between blanks, e.g. "
                "'dollars / orders' or 'today - born'"
            ]
        )
    left, sign, right = match["left"].strip(), match["sign"], match["right"].strip()
    return Combination(left, right, "divide" if sign == "/" else "subtract")


class Combined(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Subtract or divide two columns of numbers or dates; dates are days since 1970.

    The result is missing where a cell is, and where it is not a finite number, as when dividing
    by 0.

    Parameters
    ----------
    how : {"subtract", "divide"}
        What is computed.

    """

    def __init__(self, how: str) -> None:
        self.how = how

    def fit(self, X: ArrayLike, y: object = None) -> Combined:
        """Do nothing but note the number of columns."""
        self.n_features_in_ = np.shape(X)[1]
        return self

    def transform(self, X: pd.DataFrame | np.ndarray) -> np.ndarray:
        """Return a column, shape (rows, 1)."""
        frame = pd.DataFrame(X)
        left, right = (_as_days(frame.iloc[:, k]) for k in (0, 1))
        with np.errstate(all="ignore"):
            result = left / right if self.how == "divide" else left - right
        return np.where(np.isfinite(result), result, np.nan)[:, None]


def _as_days(cells: pd.Series) -> np.ndarray:
    numbers = numbers_of(cells)
    is_date = pd.api.types.is_datetime64_any_dtype(cells)
    return numbers / MICROS_A_DAY if is_date else numbers
