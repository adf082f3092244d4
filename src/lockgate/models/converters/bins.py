"""Converters of bins of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lockgate.models.converters.symbols import Column, Number
from lockgate.models.converters.trace import Trace
from lockgate.models.packed.format import categorical

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["BINS"]


def kbins_discretizer(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """The bin of a number, as one column or as one column per bin."""
    trace.require_no_missing(columns)
    binned: list[Column] = []
    for column, edges in zip(columns, trace.attribute(est, "bin_edges_"), strict=True):
        inner = np.asarray(edges, dtype=float)[1:-1]
        op = trace.builder.add(
            categorical.Bins, trace.numbers([column]), edges=trace.builder.array(inner)
        )
        if est.encode == "ordinal":
            table = [[float(k)] for k in range(len(inner) + 1)] + [[0.0], [0.0]]
            binned.append(
                Number(
                    trace.builder.add(categorical.Lookup, op, table=trace.builder.array(table)), 0
                )
            )
        else:
            binned += _one_hot_bins(trace, op, len(inner) + 1)
    return binned


def _one_hot_bins(trace: Trace, op: int, count: int) -> list[Column]:
    indices = trace.builder.array([*range(count), -1, -1], "i4")
    return trace.columns_of(
        trace.builder.add(categorical.OneHot, op, code_columns=indices, width=count)
    )


def bins(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """One column per bin; a missing value is in none."""
    op = trace.builder.add(
        categorical.Bins, trace.numbers(columns), edges=trace.builder.array(est.edges)
    )
    return _one_hot_bins(trace, op, len(est.edges) + 1)


BINS = {
    "lockgate.Bins": bins,
    "sklearn.KBinsDiscretizer": kbins_discretizer,
}
"""Converters of bins by library and class."""
