"""Converters of models that predict a constant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lockgate.contract.conversion import ConvertedModel
from lockgate.models.converters.outputs import by_score, value_of
from lockgate.models.converters.symbols import Column
from lockgate.models.converters.trace import Trace
from lockgate.models.packed.format import linear, outputs

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


__all__ = ["dummy_classifier", "dummy_regressor"]


def dummy_classifier(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """The same shares for every row."""
    trace.require(est.strategy == "prior", f"strategy={est.strategy!r}; use 'prior'")
    trace.require(
        not isinstance(est.classes_, list), "several targets at once; fit one model per target"
    )
    return by_score(trace, est.classes_, _constant(trace, columns, est.class_prior_))


def dummy_regressor(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """The same value for every row."""
    return value_of(_constant(trace, columns, np.asarray(est.constant_).reshape(-1)))


def _constant(trace: Trace, columns: list[Column], values: np.ndarray) -> int:
    trace.require(columns, "a model without columns")
    array, add = trace.builder.array, trace.builder.add
    # read a column, so that the result has one value per row
    counted = add(outputs.Above, trace.numbers(columns[:1]), limit=0.0, strict=True)
    weights = np.zeros((len(values), 1))
    return add(linear.Linear, counted, weights=array(weights), bias=array(values))
