"""Converters of models without a target: isolation forests, one-class SVMs, Gaussian mixtures."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from lockgate.contract.conversion import ConvertedModel
from lockgate.modeling.training.anomaly_detector import scale_of
from lockgate.models.converters.libraries import library_of
from lockgate.models.converters.linear_models import add_kernel
from lockgate.models.converters.outputs import plain_classes
from lockgate.models.converters.symbols import Column
from lockgate.models.converters.trace import Trace
from lockgate.models.converters.tree_arrays import TreeArrays, add_forest
from lockgate.models.converters.tree_models import allows_missing, sklearn_tree
from lockgate.models.packed.format import linear, numeric, outputs

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["ANOMALIES"]

LABELS = (1, -1)
"""What scikit-learn's detectors call other rows, and anomalies: the second is the positive one."""


def _isolation_scores(trace: Trace, est: BaseEstimator, columns: list[Column]) -> int:
    """Return 2 to the power of the mean depth over the expected one, with the sign changed."""
    if not allows_missing(est):
        trace.require_no_missing(columns)
    columns = trace.expand(columns)
    op = trace.numbers(columns)
    trace.short.add(op)  # scikit-learn rounds to 32 bits, and rejects what does not fit
    lengths = trace.attribute(est, "_decision_path_lengths")
    rest = trace.attribute(est, "_average_path_length_per_tree")
    parts = []
    for k, (tree, chosen) in enumerate(zip(est.estimators_, est.estimators_features_, strict=True)):
        part = sklearn_tree(tree.tree_, (lengths[k] + rest[k] - 1.0)[:, None])
        inner = part.left >= 0
        part.feature = np.where(inner, np.asarray(chosen)[part.feature * inner], part.feature)
        parts.append(part)
    depth = add_forest(trace.builder, op, TreeArrays.concatenate(parts), 1)
    samples = int(trace.attribute(est, "_max_samples", "max_samples_"))
    trace.require(samples > 1, "an isolation forest of single rows; use max_samples of 2 or more")
    expected = len(est.estimators_) * _average_path(samples)
    power = trace.arith(depth, "multiply", [-math.log(2) / expected])
    score = trace.builder.add(numeric.Apply, power, function="exp")
    return trace.builder.add(numeric.Apply, score, function="negate")


def _average_path(rows: int) -> float:
    """Return the mean depth of an unsuccessful search in a binary tree of that many rows."""
    if rows == 2:
        return 1.0
    return 2.0 * (math.log(rows - 1.0) + np.euler_gamma) - 2.0 * (rows - 1.0) / rows


def _one_class_scores(trace: Trace, est: BaseEstimator, columns: list[Column]) -> int:
    similarities = add_kernel(trace, est, columns)
    dual = est.dual_coef_
    dual = dual.toarray() if hasattr(dual, "toarray") else dual
    array = trace.builder.array
    zero = array(np.zeros(1))
    return trace.builder.add(linear.Linear, similarities, weights=array(dual), bias=zero)


def _joint_densities(trace: Trace, est: BaseEstimator, columns: list[Column]) -> int:
    """Return the logarithm of each component's weight times its density."""
    trace.require_no_missing(columns)
    trace.require(
        est.covariance_type == "full", f"covariance_type={est.covariance_type!r}; use full"
    )
    add, array, x = trace.builder.add, trace.builder.array, trace.numbers(columns)
    each = []
    for weight, mean, factor in zip(
        est.weights_, est.means_, trace.attribute(est, "precisions_cholesky_"), strict=True
    ):
        rotated = add(
            linear.Linear, x, weights=array(factor.T.copy()), bias=array(-(mean @ factor))
        )
        squares = add(numeric.Apply, rotated, function="square")
        start = math.log(weight) + float(np.sum(np.log(np.diag(factor))))
        start -= 0.5 * len(mean) * math.log(2 * math.pi)
        halves = array(np.full((1, len(mean)), -0.5))
        each.append(add(linear.Linear, squares, weights=halves, bias=array([start])))
    return each[0] if len(each) == 1 else add(numeric.Concat, *each)


def _mixture_scores(trace: Trace, est: BaseEstimator, columns: list[Column]) -> int:
    """Return the logarithm of the density."""
    return trace.builder.add(outputs.LogSumExp, _joint_densities(trace, est, columns))


def mixture_clusters(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """The most likely component of a mixture."""
    joint = _joint_densities(trace, trace.attribute(est, "mixture_"), columns)
    label = trace.builder.add(outputs.ArgMax, joint)
    margin = trace.builder.add(numeric.Apply, joint, function="negate")
    return ConvertedModel(label, tuple(range(trace.builder.width(joint))), None, margin)


SCORES: dict[str, Callable[[Trace, BaseEstimator, list[Column]], int]] = {
    "sklearn.GaussianMixture": _mixture_scores,
    "sklearn.IsolationForest": _isolation_scores,
    "sklearn.OneClassSVM": _one_class_scores,
}
"""What gives the scores of a detector, lower for more anomalous rows, by library and class."""


def detector(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """A detector of scikit-learn: -1 for anomalies, where its decision is negative."""
    scores = SCORES[f"{library_of(est)}.{type(est).__name__}"](trace, est, columns)
    offset = float(np.ravel(trace.attribute(est, "offset_"))[0])
    decision = trace.arith(scores, "subtract", [offset])
    margin = trace.builder.add(numeric.Apply, decision, function="negate")
    # a row on the boundary is an anomaly for support vectors alone
    strict = type(est).__name__ != "OneClassSVM"
    label = trace.builder.add(outputs.Above, margin, limit=0.0, strict=strict)
    return ConvertedModel(label, LABELS, None, margin)


def anomaly_detector(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """A detector whose scores are shares of the training rows."""
    inner = trace.attribute(est, "detector_")
    key = f"{library_of(inner)}.{type(inner).__name__}"
    trace.require(key in SCORES, f"a detector {key}; use one of {', '.join(SCORES)}")
    add, array = trace.builder.add, trace.builder.array
    scores = SCORES[key](trace, inner, columns)
    if (scale := scale_of(inner)) != 1:
        scores = trace.arith(scores, "divide", [scale])
    margin = add(numeric.Apply, scores, function="negate")
    score = add(outputs.Isotonic, margin, x=array(est.quantiles_), y=array(est.levels_))
    label = add(outputs.Above, score, limit=0.5, strict=False)
    return ConvertedModel(label, plain_classes(est.classes_), score, margin)


ANOMALIES = {
    "lockgate.MixtureClusters": mixture_clusters,
    "lockgate.AnomalyDetector": anomaly_detector,
    "sklearn.IsolationForest": detector,
    "sklearn.OneClassSVM": detector,
}
"""Converters of detectors of anomalies, and of mixtures, by library and class."""
