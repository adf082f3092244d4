"""Converters of selectors and of projections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lockgate.models.converters.linear_models import add_weighted_sum
from lockgate.models.converters.symbols import Column, Sparse
from lockgate.models.converters.trace import Trace
from lockgate.models.converters.transformers import scale_columns
from lockgate.models.packed.format.term_columns import SelectTerms

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["SELECTORS"]


def selector(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """The selected columns."""
    trace.attribute(est, "get_support")
    if not est.__sklearn_tags__().input_tags.allow_nan:
        trace.require_no_missing(columns)
    support, selected = np.asarray(est.get_support()), list[Column]()
    offset = 0
    for column in columns:
        width = trace.width(column)
        chosen = np.flatnonzero(support[offset : offset + width])
        offset += width
        if isinstance(column, Sparse) and len(chosen):
            terms = trace.builder.array(chosen, "u4")
            selected.append(Sparse(trace.builder.add(SelectTerms, column.op, columns=terms)))
        elif len(chosen):
            selected.append(column)
    trace.require(offset == len(support), f"{offset} columns for a selector of {len(support)}")
    return selected


def projection(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """Principal components or singular vectors."""
    components = np.asarray(trace.attribute(est, "components_"), dtype=float)
    bias = np.zeros(len(components))
    mean = getattr(est, "mean_", None)
    if mean is not None and any(isinstance(column, Sparse) for column in columns):
        bias = -(components @ mean)
    elif mean is not None:
        columns = scale_columns(trace, columns, [("subtract", mean)])
    op = add_weighted_sum(trace, columns, components, bias)
    if getattr(est, "whiten", False):
        scale = np.sqrt(np.asarray(est.explained_variance_))
        op = trace.arith(op, "divide", np.maximum(scale, np.finfo(float).eps))
    return trace.columns_of(op)


SELECTORS = {
    **{
        f"sklearn.{name}": selector
        for name in (
            "GenericUnivariateSelect",
            "RFE",
            "RFECV",
            "SelectFdr",
            "SelectFpr",
            "SelectFromModel",
            "SelectFwe",
            "SelectKBest",
            "SelectPercentile",
            "SequentialFeatureSelector",
            "VarianceThreshold",
        )
    },
    "sklearn.PCA": projection,
    "lockgate.CondensedTerms": projection,
    "sklearn.TruncatedSVD": projection,
}
"""Converters of selectors and projections, by library and class."""
