"""Converters of models of weighted sums: linear, kernels, networks, clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lockgate.contract.conversion import ConvertedModel
from lockgate.models.converters.outputs import by_margin, margin_alone, plain_classes, value_of
from lockgate.models.converters.symbols import Column, Sparse
from lockgate.models.converters.trace import Trace
from lockgate.models.packed.format import linear, numeric, outputs
from lockgate.models.packed.format.pairwise import MAX_CLASSES, PairwiseProbabilities

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

__all__ = ["LINEAR", "add_weighted_sum"]


def add_weighted_sum(
    trace: Trace, columns: list[Column], weights: ArrayLike, bias: ArrayLike
) -> int:
    """Return weighted sums of columns; counts of terms may be among them."""
    trace.require_no_missing(columns)
    blocks: list[int] = []
    run: list[Column] = []
    for column in columns:
        if isinstance(column, Sparse):
            if run:
                blocks.append(trace.numbers(run))
                run = []
            blocks.append(column.op)
        else:
            run.append(column)
    if run:
        blocks.append(trace.numbers(run))
    dense = np.atleast_2d(weights.toarray() if hasattr(weights, "toarray") else weights)
    bias = np.broadcast_to(np.asarray(bias, dtype=float).reshape(-1), (len(dense),))
    array = trace.builder.array
    return trace.builder.add(linear.Linear, *blocks, weights=array(dense), bias=array(bias))


def _margin(trace: Trace, est: BaseEstimator, columns: list[Column]) -> int:
    weights = trace.attribute(est, "coef_")
    return add_weighted_sum(trace, columns, weights, trace.attribute(est, "intercept_"))


def logistic(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """Logistic regression: the logistic function, softmax, or one against the rest."""
    margin = _margin(trace, est, columns)
    kind, count = getattr(est, "multi_class", "auto"), len(est.classes_)
    if count == 2 and kind == "multinomial":
        doubled = trace.builder.add(
            numeric.Arith, margin, how="multiply", values=trace.builder.array([2.0])
        )
        score = trace.builder.add(numeric.Apply, doubled, function="sigmoid")
        label = trace.builder.add(outputs.Above, margin, limit=0.0, strict=True)
        return ConvertedModel(label, plain_classes(est.classes_), score, margin)
    if count > 2 and (kind == "ovr" or getattr(est, "solver", "") == "liblinear"):
        return one_against_rest(trace, est.classes_, margin)
    return by_margin(trace, est.classes_, margin)


def one_against_rest(trace: Trace, classes: ArrayLike, margin: int) -> ConvertedModel:
    """Logistic functions, then shares."""
    add = trace.builder.add
    each = add(numeric.Apply, margin, function="sigmoid")
    label = add(outputs.ArgMax, margin)
    return ConvertedModel(
        label, plain_classes(classes), add(outputs.Share, each, empty="zero"), margin
    )


def linear_classifier(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """The side of a hyperplane; no probabilities."""
    return margin_alone(trace, est.classes_, _margin(trace, est, columns))


def sgd_classifier(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """A linear model; probabilities with the losses log_loss and modified_huber."""
    margin = _margin(trace, est, columns)
    if est.loss == "modified_huber":
        return _clipped_margin(trace, est.classes_, margin)
    if est.loss != "log_loss":
        return margin_alone(trace, est.classes_, margin)
    if len(est.classes_) == 2:
        return by_margin(trace, est.classes_, margin)
    add = trace.builder.add
    shares = add(outputs.Share, add(numeric.Apply, margin, function="sigmoid"), empty="equal")
    return ConvertedModel(add(outputs.ArgMax, margin), plain_classes(est.classes_), shares, margin)


def _clipped_margin(trace: Trace, classes: ArrayLike, margin: int) -> ConvertedModel:
    """Probabilities (clip(margin, -1, 1) + 1) / 2 (Zhang, Annals of Statistics 32, 2004)."""
    add, array = trace.builder.add, trace.builder.array
    width = trace.builder.width(margin)
    bound = np.ones(width)
    clipped = add(numeric.Clip, margin, low=array(-bound), high=array(bound))
    raised = add(numeric.Arith, clipped, how="add", values=array(bound))
    score = add(numeric.Arith, raised, how="divide", values=array(2 * bound))
    if width == 1:
        label = add(outputs.Above, margin, limit=0.0, strict=True)
        return ConvertedModel(label, plain_classes(classes), score, margin)
    shares = add(outputs.Share, score, empty="equal")
    return ConvertedModel(add(outputs.ArgMax, margin), plain_classes(classes), shares, margin)


def discriminant(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """Linear discriminant analysis."""
    return by_margin(trace, est.classes_, _margin(trace, est, columns))


def linear_regressor(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """A weighted sum, or one for each of several targets."""
    return value_of(_margin(trace, est, columns))


def tweedie(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """A generalized linear model, through its link."""
    op = _margin(trace, est, columns)
    link = type(est._base_loss.link).__name__
    trace.require(link in ("LogLink", "IdentityLink"), f"the link {link}; use log or identity")
    if link == "LogLink":
        op = trace.builder.add(numeric.Apply, op, function="exp")
    return value_of(op)


def add_kernel(trace: Trace, est: BaseEstimator, columns: list[Column]) -> int:
    """Return each support vector's similarity to a row."""
    trace.require_no_missing(columns)
    known = isinstance(est.kernel, str) and est.kernel in ("rbf", "poly", "sigmoid", "linear")
    trace.require(known, f"kernel={est.kernel!r}; use rbf, poly, sigmoid or linear")
    vectors = est.support_vectors_
    vectors = vectors.toarray() if hasattr(vectors, "toarray") else vectors
    return trace.builder.add(
        linear.Kernel,
        trace.numbers(columns),
        vectors=trace.builder.array(vectors),
        kind=est.kernel,
        gamma=float(est._gamma),
        offset=float(est.coef0),
        degree=int(est.degree),
    )


def support_vectors(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """A support vector classifier: the sign of the margin, or votes between pairs of classes."""
    similarities = add_kernel(trace, est, columns)
    array, add = trace.builder.array, trace.builder.add
    dual, bias = est.dual_coef_, est.intercept_
    dual = dual.toarray() if hasattr(dual, "toarray") else dual
    count = len(est.classes_)
    if count == 2:
        margin = add(linear.Linear, similarities, weights=array(dual), bias=array(bias))
        converted = margin_alone(trace, est.classes_, margin)
        score = _svm_score(trace, est, add(numeric.Apply, margin, function="negate"))
        if score is None:
            return converted
        second = add(numeric.Select, score, columns=(1,))
        return ConvertedModel(converted.label, converted.classes, second, margin, score)
    ends = np.cumsum([0, *est.n_support_])
    weights = []
    for i in range(count):
        for j in range(i + 1, count):
            row = np.zeros(dual.shape[1])
            row[ends[i] : ends[i + 1]] = dual[j - 1, ends[i] : ends[i + 1]]
            row[ends[j] : ends[j + 1]] = dual[i, ends[j] : ends[j + 1]]
            weights.append(row)
    pairs = add(linear.Linear, similarities, weights=array(weights), bias=array(bias))
    ranked = add(linear.PairwiseVotes, pairs, classes=count, rank=True)
    decides = (
        ranked if est.break_ties else add(linear.PairwiseVotes, pairs, classes=count, rank=False)
    )
    margin = ranked if est.decision_function_shape == "ovr" else pairs
    score = _svm_score(trace, est, pairs)
    return ConvertedModel(add(outputs.ArgMax, decides), plain_classes(est.classes_), score, margin)


def _svm_score(trace: Trace, est: BaseEstimator, pairs: int) -> int | None:
    """Return the probabilities of all classes, where the model was fitted with some."""
    if est.probability is not True:
        return None
    trace.require(len(est.classes_) <= MAX_CLASSES, f"probabilities of over {MAX_CLASSES} classes")
    array = trace.builder.array
    return trace.builder.add(
        PairwiseProbabilities,
        pairs,
        classes=len(est.classes_),
        slopes=array(est._probA),
        offsets=array(est._probB),
    )


def support_regressor(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """A support vector regressor."""
    similarities = add_kernel(trace, est, columns)
    array = trace.builder.array
    dual = est.dual_coef_
    dual = dual.toarray() if hasattr(dual, "toarray") else dual
    return value_of(
        trace.builder.add(
            linear.Linear, similarities, weights=array(dual), bias=array(est.intercept_)
        )
    )


ACTIVATIONS = {"identity": None, "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}


def _network(trace: Trace, est: BaseEstimator, columns: list[Column]) -> int:
    """Return the last layer of a network before its output function."""
    trace.require(
        est.activation in ACTIVATIONS,
        f"activation={est.activation!r}; use one of {', '.join(ACTIVATIONS)}",
    )
    layers = list(zip(trace.attribute(est, "coefs_"), est.intercepts_, strict=True))
    op = add_weighted_sum(trace, columns, layers[0][0].T, layers[0][1])
    array, add, name = trace.builder.array, trace.builder.add, ACTIVATIONS[est.activation]
    for weights, bias in layers[1:]:
        if name is not None:
            op = add(numeric.Apply, op, function=name)
        op = add(linear.Linear, op, weights=array(weights.T), bias=array(bias))
    return op


def network_classifier(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """A network of layers; the label is the more probable class."""
    margin = _network(trace, est, columns)
    converted = by_margin(trace, est.classes_, margin)
    if len(converted.classes) != 2:
        return converted
    label = trace.builder.add(
        outputs.Above,
        trace.present(converted.score, "a network without probabilities"),
        limit=0.5,
        strict=True,
    )
    return ConvertedModel(label, converted.classes, converted.score, margin)


def network_regressor(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """A network of layers."""
    value = _network(trace, est, columns)
    if getattr(est, "loss", "squared_error") == "poisson":
        value = trace.builder.add(numeric.Apply, value, function="exp")
    return value_of(value)


def clusters(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """The nearest of the centres."""
    trace.require_no_missing(columns)
    add, centres = trace.builder.add, np.asarray(trace.attribute(est, "cluster_centers_"), float)
    distances = add(linear.Distances, trace.numbers(columns), centres=trace.builder.array(centres))
    label = add(outputs.ArgMax, add(numeric.Apply, distances, function="negate"))
    return ConvertedModel(
        label, tuple(range(len(centres))), None, add(numeric.Apply, distances, function="sqrt")
    )


REGRESSORS = (
    "ARDRegression",
    "BayesianRidge",
    "ElasticNet",
    "ElasticNetCV",
    "HuberRegressor",
    "Lars",
    "LarsCV",
    "Lasso",
    "LassoCV",
    "LassoLars",
    "LassoLarsCV",
    "LassoLarsIC",
    "LinearRegression",
    "LinearSVR",
    "MultiTaskElasticNet",
    "MultiTaskElasticNetCV",
    "MultiTaskLasso",
    "MultiTaskLassoCV",
    "OrthogonalMatchingPursuit",
    "OrthogonalMatchingPursuitCV",
    "PassiveAggressiveRegressor",
    "QuantileRegressor",
    "Ridge",
    "RidgeCV",
    "SGDRegressor",
    "TheilSenRegressor",
)

LINEAR = {
    **{f"sklearn.{name}": linear_regressor for name in REGRESSORS},
    "lockgate.LeastSquares": linear_regressor,
    "sklearn.GammaRegressor": tweedie,
    "sklearn.KMeans": clusters,
    "sklearn.LinearDiscriminantAnalysis": discriminant,
    "sklearn.LinearSVC": linear_classifier,
    "sklearn.LogisticRegression": logistic,
    "sklearn.LogisticRegressionCV": logistic,
    "sklearn.MLPClassifier": network_classifier,
    "sklearn.MLPRegressor": network_regressor,
    "sklearn.MiniBatchKMeans": clusters,
    "sklearn.NuSVC": support_vectors,
    "sklearn.NuSVR": support_regressor,
    "sklearn.PassiveAggressiveClassifier": linear_classifier,
    "sklearn.Perceptron": linear_classifier,
    "sklearn.PoissonRegressor": tweedie,
    "sklearn.RidgeClassifier": linear_classifier,
    "sklearn.RidgeClassifierCV": linear_classifier,
    "sklearn.SGDClassifier": sgd_classifier,
    "sklearn.SVC": support_vectors,
    "sklearn.SVR": support_regressor,
    "sklearn.TweedieRegressor": tweedie,
}
"""Converters of models of weighted sums, by library and class."""
