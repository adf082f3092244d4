"""Converters of models made of other models: calibration, voting, stacking, search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.contract.conversion import ConvertedModel
from lockgate.models.converters.dummy_models import dummy_classifier, dummy_regressor
from lockgate.models.converters.outputs import by_score, plain_classes, probabilities, value_of
from lockgate.models.converters.symbols import Column
from lockgate.models.converters.trace import Trace
from lockgate.models.converters.transformers import convert_step
from lockgate.models.packed.format import linear, numeric, outputs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

__all__ = ["ENSEMBLES", "convert_model"]


def convert_model(
    trace: Trace, name: str, est: BaseEstimator, columns: list[Column]
) -> ConvertedModel:
    """Convert one named model."""
    trace.path.append(name)
    converted: ConvertedModel = trace.convert(est)(trace, est, columns)
    trace.require(
        isinstance(converted, ConvertedModel), f"{type(est).__name__} does not end in a model"
    )
    if not hasattr(est, "steps"):
        trace.steps.append(f"{'.'.join(trace.path)}: {type(est).__name__}")
    trace.path.pop()
    return converted


def pipeline(trace: Trace, est: BaseEstimator, columns: list[Column]) -> Any:
    """Transformers, then a model or another transformer."""
    *steps, (last, model) = est.steps
    for name, part in steps:
        columns = convert_step(trace, name, part, columns)
    # RFE can predict, with the model inside, but as a step it selects columns
    if hasattr(model, "predict") and not hasattr(model, "get_support"):
        return convert_model(trace, last, model, columns)
    return convert_step(trace, last, model, columns)


def best_of_search(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """The best model of a search."""
    return convert_model(trace, "best", trace.attribute(est, "best_estimator_"), columns)


def frozen(trace: Trace, est: BaseEstimator, columns: list[Column]) -> Any:
    """The model inside."""
    return trace.convert(est.estimator)(trace, est.estimator, columns)


def thresholded(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """A model with a threshold for its label."""
    inner = trace.attribute(est, "estimator_")
    converted = convert_model(trace, "model", inner, columns)
    limit = getattr(est, "best_threshold_", getattr(est, "threshold", 0.5))
    method = getattr(est, "response_method", "auto")
    by_probability = converted.score is not None and method in ("auto", "predict_proba")
    if limit == "auto":
        limit = 0.5 if by_probability else 0.0
    positive = getattr(est, "pos_label", None)
    trace.require(
        len(converted.classes) == 2 and positive in (None, converted.classes[1]),
        "a threshold for another class than the second",
    )
    decides = trace.present(
        converted.score if by_probability else converted.margin, f"response_method={method!r}"
    )
    # nothing exceeds an infinite limit, and nothing the largest double either
    limit = float(np.clip(limit, -np.finfo(float).max, np.finfo(float).max))
    label = trace.builder.add(outputs.Above, decides, limit=limit, strict=False)
    return ConvertedModel(
        label, converted.classes, converted.score, converted.margin, converted.pair
    )


def calibrated(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """The mean of the calibrated probabilities of several models."""
    parts = []
    classes = trace.attribute(est, "classes_")
    for k, calibrated_classifier in enumerate(trace.attribute(est, "calibrated_classifiers_")):
        inner = convert_model(trace, f"calibrated-{k}", calibrated_classifier.estimator, columns)
        parts.append(_calibrate(trace, calibrated_classifier, inner, classes))
    count = len(parts)
    op = trace.builder.add(outputs.Average, *parts, weights=(1.0,) * count)
    return by_score(trace, classes, op)


def _calibrate(
    trace: Trace, calibrated_classifier: BaseEstimator, inner: ConvertedModel, classes: ArrayLike
) -> int:
    """Return one model's calibrated probabilities of all classes."""
    add = trace.builder.add
    same = inner.classes == plain_classes(classes)
    kinds = {type(c).__name__ for c in calibrated_classifier.calibrators}
    if kinds == {"_TemperatureScaling"}:
        raise trace.refuse("method='temperature' is not covered; use sigmoid or isotonic")
    trace.require(same, "a calibrated model that was fitted on other classes")
    # scikit-learn calibrates margins wherever there are any
    decides = hasattr(calibrated_classifier.estimator, "decision_function")
    raw = trace.present(
        inner.margin if decides else inner.score,
        f"a calibrated model without {'margins' if decides else 'probabilities'}",
    )
    columns = [
        add(numeric.Select, raw, columns=(k,)) if trace.builder.width(raw) > 1 else raw
        for k in range(len(calibrated_classifier.calibrators))
    ]
    corrected = [
        _convert_calibrator(trace, c, op)
        for c, op in zip(calibrated_classifier.calibrators, columns, strict=True)
    ]
    if len(inner.classes) == 2:
        return add(outputs.Pair, corrected[0])
    return add(outputs.Share, add(numeric.Concat, *corrected), empty="equal")


def _convert_calibrator(trace: Trace, calibrator: BaseEstimator, op: int) -> int:
    add, array, name = trace.builder.add, trace.builder.array, type(calibrator).__name__
    if name == "_SigmoidCalibration":
        sums = add(
            linear.Linear, op, weights=array([[-calibrator.a_]]), bias=array([-calibrator.b_])
        )
        return add(numeric.Apply, sums, function="sigmoid")
    trace.require(name == "IsotonicRegression", f"the calibrator {name}; use sigmoid or isotonic")
    return add(
        outputs.Isotonic, op, x=array(calibrator.X_thresholds_), y=array(calibrator.y_thresholds_)
    )


def isotonic(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """Isotonic regression on one column."""
    trace.require_no_missing(columns)
    trace.require(est.out_of_bounds == "clip", f"out_of_bounds={est.out_of_bounds!r}; use 'clip'")
    return value_of(_convert_calibrator(trace, est, trace.numbers(columns)))


def voting_classifier(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """The mean of probabilities, or the class with most votes."""
    members, weights = _convert_members(trace, est, columns)
    classes = est.classes_
    if est.voting == "soft":
        each = [probabilities(trace, member) for member in members]
        return by_score(trace, classes, trace.builder.add(outputs.Average, *each, weights=weights))
    add = trace.builder.add
    votes = add(
        outputs.Votes, *[member.label for member in members], weights=weights, classes=len(classes)
    )
    if hasattr(est, "predict_proba"):  # ours, with shares of the votes
        share = trace.arith(votes, "divide", [float(len(members))] * len(classes))
        return by_score(trace, classes, share)
    return ConvertedModel(add(outputs.ArgMax, votes), plain_classes(classes))


def voting_regressor(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """The mean of values."""
    members, weights = _convert_members(trace, est, columns)
    each = [member.label for member in members]
    return value_of(trace.builder.add(outputs.Average, *each, weights=weights))


def _convert_members(
    trace: Trace, est: BaseEstimator, columns: list[Column]
) -> tuple[list[ConvertedModel], tuple[float, ...]]:
    names = [name for name, estimator in est.estimators if not isinstance(estimator, str)]
    members = [
        convert_model(trace, name, estimator, columns)
        for name, estimator in zip(names, trace.attribute(est, "estimators_"), strict=True)
    ]
    weights = getattr(est, "_weights_not_none", None)
    return members, tuple(float(w) for w in weights) if weights is not None else (1.0,) * len(
        members
    )


def stacking(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """A model on the predictions of others, and on the columns where `passthrough` is set."""
    final_columns: list[Column] = []
    names = [name for name, estimator in est.estimators if not isinstance(estimator, str)]
    for name, estimator, method in zip(names, est.estimators_, est.stack_method_, strict=True):
        converted = convert_model(trace, name, estimator, columns)
        final_columns += _prediction_columns(trace, converted, method)
    if est.passthrough:
        final_columns += columns
    final = convert_model(trace, "final", est.final_estimator_, final_columns)
    if not final.classes:
        return final
    return ConvertedModel(
        final.label, plain_classes(est.classes_), final.score, final.margin, final.pair
    )


def _prediction_columns(trace: Trace, converted: ConvertedModel, method: str) -> list[Column]:
    if method == "predict_proba":
        return trace.columns_of(
            trace.present(converted.score, "a classifier without probabilities")
        )
    if method == "decision_function":
        return trace.columns_of(trace.present(converted.margin, "a classifier without margins"))
    trace.require(
        not converted.classes, "labels of classifiers as columns; use stack_method='predict_proba'"
    )
    return trace.columns_of(converted.label)


def bagging_classifier(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """The mean of the members' probabilities."""
    members = _convert_bag(trace, est, columns)
    same = all(member.classes == tuple(range(len(est.classes_))) for member in members)
    trace.require(same, "a member of the bag that was fitted on other classes")
    each = [probabilities(trace, member) for member in members]
    op = trace.builder.add(outputs.Average, *each, weights=(1.0,) * len(each))
    return by_score(trace, est.classes_, op)


def bagging_regressor(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """The mean of the members' values."""
    each = [member.label for member in _convert_bag(trace, est, columns)]
    return value_of(trace.builder.add(outputs.Average, *each, weights=(1.0,) * len(each)))


def _convert_bag(trace: Trace, est: BaseEstimator, columns: list[Column]) -> list[ConvertedModel]:
    pairs = zip(est.estimators_, est.estimators_features_, strict=True)
    columns = trace.expand(columns)
    return [
        convert_model(trace, f"bag-{k}", estimator, [columns[index] for index in indices])
        for k, (estimator, indices) in enumerate(pairs)
    ]


def one_against_rest(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """One model per class against all others."""
    trace.require(not est.multilabel_, "several labels per row; fit one model per label")
    add, classes = trace.builder.add, plain_classes(est.classes_)
    members = [
        convert_model(trace, f"class-{k}", estimator, columns)
        for k, estimator in enumerate(est.estimators_)
    ]
    by_margin = all(member.margin is not None for member in members)
    decides = [
        trace.present(member.margin if by_margin else member.score, "members without margins")
        for member in members
    ]
    if len(members) == 1:
        limit = 0.0 if by_margin else 0.5
        label = add(outputs.Above, decides[0], limit=limit, strict=True)
        return ConvertedModel(label, classes, members[0].score, members[0].margin)
    decisions = add(numeric.Concat, *decides)
    scores = [member.score for member in members if member.score is not None]
    share = None
    if len(scores) == len(members):
        share = add(outputs.Share, add(numeric.Concat, *scores), empty="zero")
    label = add(outputs.ArgMax, decisions)
    return ConvertedModel(label, classes, share, decisions if by_margin else None)


INVERSES = {"expm1": "expm1", "exp": "exp", "square": "square"}


def transformed_target(trace: Trace, est: BaseEstimator, columns: list[Column]) -> ConvertedModel:
    """A regressor of a transformed target, with the inverse transformation."""
    converted = convert_model(trace, "regressor", trace.attribute(est, "regressor_"), columns)
    transformer = trace.attribute(est, "transformer_")
    add, array = trace.builder.add, trace.builder.array
    if type(transformer).__name__ == "StandardScaler":
        op = converted.label
        if transformer.with_std:
            op = add(numeric.Arith, op, how="multiply", values=array(transformer.scale_))
        if transformer.with_mean:
            op = add(numeric.Arith, op, how="add", values=array(transformer.mean_))
        return value_of(op)
    plain = type(transformer).__name__ == "FunctionTransformer"
    trace.require(
        plain, f"{type(transformer).__name__} of the target; use StandardScaler or a function"
    )
    inverse = getattr(transformer, "inverse_func", None)
    name = getattr(inverse, "__name__", "")
    known = type(inverse).__name__ == "ufunc" and name in INVERSES
    trace.require(
        known or inverse is None,
        f"the inverse {name or inverse!r}; use numpy.expm1, numpy.exp or numpy.square",
    )
    return value_of(add(numeric.Apply, converted.label, function=name)) if known else converted


ENSEMBLES = {
    "sklearn.BaggingClassifier": bagging_classifier,
    "sklearn.BaggingRegressor": bagging_regressor,
    "sklearn.CalibratedClassifierCV": calibrated,
    "sklearn.DummyClassifier": dummy_classifier,
    "sklearn.DummyRegressor": dummy_regressor,
    "sklearn.FixedThresholdClassifier": thresholded,
    "sklearn.FrozenEstimator": frozen,
    "sklearn.GridSearchCV": best_of_search,
    "sklearn.HalvingGridSearchCV": best_of_search,
    "sklearn.HalvingRandomSearchCV": best_of_search,
    "sklearn.IsotonicRegression": isotonic,
    "sklearn.OneVsRestClassifier": one_against_rest,
    "lockgate.Member": pipeline,
    "lockgate.VoteShares": voting_classifier,
    "sklearn.Pipeline": pipeline,
    "sklearn.RandomizedSearchCV": best_of_search,
    "sklearn.StackingClassifier": stacking,
    "sklearn.StackingRegressor": stacking,
    "sklearn.TransformedTargetRegressor": transformed_target,
    "sklearn.TunedThresholdClassifierCV": thresholded,
    "sklearn.VotingClassifier": voting_classifier,
    "sklearn.VotingRegressor": voting_regressor,
}
"""Converters of models made of other models, by library and class."""
