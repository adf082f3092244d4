"""Converters of nearest neighbors: classifier, regressor, and imputer of missing cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lockgate.contract.conversion import ConvertedModel
from lockgate.models.converters.encoders import missing_indicator
from lockgate.models.converters.outputs import by_score, value_of
from lockgate.models.converters.symbols import Column
from lockgate.models.converters.trace import Trace
from lockgate.models.packed.format import neighbors, numeric

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["NEIGHBOR_MODELS"]

METRICS = ("euclidean", "manhattan", "chebyshev")

BRUTE_TOLERANCE = 1e-5
"""scikit-learn's brute force takes distances from norms, whose difference cancels digits."""


def _nearest(trace: Trace, est: BaseEstimator, columns: list[Column], values: np.ndarray) -> int:
    """Return the mean of the values of the nearest training rows."""
    trace.require_no_missing(columns)
    points = trace.attribute(est, "_fit_X")
    points = points.toarray() if hasattr(points, "toarray") else np.asarray(points)
    trace.require(
        points.dtype != np.float32,
        "neighbors of 32-bit floats; fit it on X.astype('float64')",
    )
    metric = _metric(est)
    trace.require(
        metric in METRICS,
        f"the metric {est.effective_metric_!r}; use minkowski with p=1 or p=2, or chebyshev",
    )
    trace.require(
        est.weights in (None, "uniform", "distance"),
        "weights by a function; use 'uniform' or 'distance'",
    )
    if est.weights == "distance" and est._fit_method == "brute":
        trace.allow_tolerance(BRUTE_TOLERANCE)
    array = trace.builder.array
    return trace.builder.add(
        neighbors.NearestRows,
        trace.numbers(columns),
        points=array(points.astype(float)),
        values=array(values.astype(float)),
        count=int(est.n_neighbors),
        metric=metric,
        weights=est.weights or "uniform",
    )


def _metric(est: BaseEstimator) -> str:
    """Return the metric by its name; a power of 1, 2 or infinity has one."""
    parameters = {k: v for k, v in (est.effective_metric_params_ or {}).items() if v is not None}
    power = parameters.pop("p", None)
    if parameters:
        return "weighted"
    if est.effective_metric_ != "minkowski":
        name = str(est.effective_metric_)
        return {"l2": "euclidean", "l1": "manhattan", "cityblock": "manhattan"}.get(name, name)
    return {1: "manhattan", 2: "euclidean", np.inf: "chebyshev"}.get(power, "minkowski")


def neighbor_classifier(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """The class that is most frequent among the nearest training rows."""
    trace.require(not est.outputs_2d_, "several targets at once; fit one model per target")
    codes = np.asarray(trace.attribute(est, "_y")).reshape(-1)
    shares = _nearest(trace, est, columns, np.eye(len(est.classes_))[codes])
    return by_score(trace, est.classes_, shares)


def neighbor_regressor(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """The mean of the nearest training rows."""
    target = np.asarray(trace.attribute(est, "_y"), float)
    return value_of(_nearest(trace, est, columns, target.reshape(len(target), -1)))


def neighbor_imputer(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[Column]:
    """Missing cells from the nearest training rows that have the cell."""
    points = np.asarray(trace.attribute(est, "_fit_X"))
    trace.require(
        isinstance(est.missing_values, float) and np.isnan(est.missing_values),
        f"missing_values={est.missing_values!r}; use NaN",
    )
    trace.require(est.metric == "nan_euclidean", "a metric of its own; use nan_euclidean")
    trace.require(est.weights in ("uniform", "distance"), "weights by a function")
    trace.require(points.dtype != np.float32, "32-bit floats; fit it on X.astype('float64')")
    columns = trace.expand(columns)
    points = points.astype(float)
    empty = np.isnan(points).all(axis=0)
    means = np.array(
        [0.0 if hollow else np.nanmean(p) for p, hollow in zip(points.T, empty, strict=True)]
    )
    array, add = trace.builder.array, trace.builder.add
    cells = trace.numbers(columns)
    if est.weights == "distance":
        trace.allow_tolerance(BRUTE_TOLERANCE)  # nan_euclidean_distances takes them from norms
    filled = add(
        neighbors.NeighborCells,
        cells,
        points=array(points),
        means=array(means),
        count=int(est.n_neighbors),
        weights=est.weights,
    )
    kept = np.ones(len(empty), bool) if est.keep_empty_features else ~empty
    trace.require(kept.any(), "an imputer of columns without any value")
    if est.keep_empty_features and empty.any():
        filled = trace.arith(filled, "multiply", np.where(empty, 0.0, 1.0))
    elif not kept.all():
        filled = add(numeric.Select, filled, columns=tuple(np.flatnonzero(kept).tolist()))
    result: list[Column] = trace.columns_of(filled)
    if est.add_indicator:
        result += missing_indicator(trace, est.indicator_, columns)
    return result


NEIGHBOR_MODELS = {
    "sklearn.KNNImputer": neighbor_imputer,
    "sklearn.KNeighborsClassifier": neighbor_classifier,
    "sklearn.KNeighborsRegressor": neighbor_regressor,
}
"""Converters of nearest neighbors, by library and class."""
