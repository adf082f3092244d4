"""Converters of models made of other models: calibration, voting, stacking, search."""

from __future__ import annotations

from typing import Any

import numpy as np

from lockgate.contract.conversion import ConvertedModel
from lockgate.models.converters.outputs import by_score, plain_classes, probabilities, value_of
from lockgate.models.converters.symbols import Column
from lockgate.models.converters.trace import Trace
from lockgate.models.converters.transformers import convert_step
from lockgate.models.packed.format import linear, numeric, outputs

__all__ = ["ENSEMBLES", "convert_model"]


def convert_model(trace: Trace, name: str, est: Any, columns: list[Column]) -> ConvertedModel:
    """Follow columns through one named model."""
    trace.path.append(name)
    found: ConvertedModel = trace.convert(est)(trace, est, columns)
    trace.require(isinstance(found, ConvertedModel), f"{type(est).__name__} ends in no model")
    if type(est).__name__ != "Pipeline":
        trace.steps.append(f"{'.'.join(trace.path)}: {type(est).__name__}")
    trace.path.pop()
    return found


def pipeline(trace: Trace, est: Any, columns: list[Column]) -> Any:
    """Transformers, and a model or one more transformer at the end."""
    *steps, (last, model) = est.steps
    for name, part in steps:
        columns = convert_step(trace, name, part, columns)
    # RFE predicts as well, with a model of its own, but what it is there for is to select
    if hasattr(model, "predict") and not hasattr(model, "get_support"):
        return convert_model(trace, last, model, columns)
    return convert_step(trace, last, model, columns)


def best_of_search(trace: Trace, est: Any, columns: list[Column]) -> ConvertedModel:
    """The model that a search found."""
    return convert_model(trace, "best", trace.attribute(est, "best_estimator_"), columns)


def frozen(trace: Trace, est: Any, columns: list[Column]) -> Any:
    """The model inside."""
    return trace.convert(est.estimator)(trace, est.estimator, columns)


def thresholded(trace: Trace, est: Any, columns: list[Column]) -> ConvertedModel:
    """A model whose label is decided at a threshold."""
    inner = trace.attribute(est, "estimator_")
    found = convert_model(trace, "model", inner, columns)
    limit = getattr(est, "best_threshold_", getattr(est, "threshold", 0.5))
    method = getattr(est, "response_method", "auto")
    by_probability = found.score is not None and method in ("auto", "predict_proba")
    if limit == "auto":
        limit = 0.5 if by_probability else 0.0
    positive = getattr(est, "pos_label", None)
    trace.require(
        len(found.classes) == 2 and positive in (None, found.classes[1]),
        "a threshold of another class than the second",
    )
    decides = trace.present(
        found.score if by_probability else found.margin, f"response_method={method!r}"
    )
    label = trace.builder.add(outputs.Above, decides, limit=float(limit), strict=False)
    return ConvertedModel(label, found.classes, found.score, found.margin, found.pair)


def calibrated(trace: Trace, est: Any, columns: list[Column]) -> ConvertedModel:
    """Probabilities of several models, each corrected by what was seen, then their mean."""
    parts = []
    classes = trace.attribute(est, "classes_")
    for k, one in enumerate(trace.attribute(est, "calibrated_classifiers_")):
        inner = convert_model(trace, f"calibrated-{k}", one.estimator, columns)
        parts.append(_corrected(trace, one, inner, classes))
    count = len(parts)
    op = trace.builder.add(outputs.Average, *parts, weights=(1.0,) * count)
    return by_score(trace, classes, op)


def _corrected(trace: Trace, one: Any, inner: ConvertedModel, classes: Any) -> int:
    """Return one model's corrected probabilities of all classes."""
    add = trace.builder.add
    same = inner.classes == plain_classes(classes)
    trace.require(same, "a part of the calibration that saw other classes")
    decides = hasattr(one.estimator, "decision_function") and inner.margin is not None
    raw = trace.present(
        inner.margin if decides else inner.score, "a part of the calibration without probabilities"
    )
    kinds = {type(c).__name__ for c in one.calibrators}
    if kinds == {"_TemperatureScaling"}:
        raise trace.refuse("method='temperature' is not covered; use sigmoid or isotonic")
    columns = [
        add(numeric.Select, raw, columns=(k,)) if trace.builder.width(raw) > 1 else raw
        for k in range(len(one.calibrators))
    ]
    found = [_calibrator(trace, c, op) for c, op in zip(one.calibrators, columns, strict=True)]
    if len(inner.classes) == 2:
        return add(outputs.Pair, found[0])
    return add(outputs.Share, add(numeric.Concat, *found), empty="equal")


def _calibrator(trace: Trace, one: Any, op: int) -> int:
    add, array, name = trace.builder.add, trace.builder.array, type(one).__name__
    if name == "_SigmoidCalibration":
        sums = add(linear.Linear, op, weights=array([[-one.a_]]), bias=array([-one.b_]))
        return add(numeric.Apply, sums, function="sigmoid")
    trace.require(name == "IsotonicRegression", f"the calibrator {name}")
    return add(outputs.Isotonic, op, x=array(one.X_thresholds_), y=array(one.y_thresholds_))


def isotonic(trace: Trace, est: Any, columns: list[Column]) -> ConvertedModel:
    """Isotonic regression on one column."""
    trace.no_gaps(columns)
    trace.require(est.out_of_bounds == "clip", "out_of_bounds other than 'clip'")
    return value_of(_calibrator(trace, est, trace.numbers(columns)))


def voting_classifier(trace: Trace, est: Any, columns: list[Column]) -> ConvertedModel:
    """The mean of probabilities, or a count of votes."""
    found, weights = _members(trace, est, columns)
    classes = est.classes_
    if est.voting == "soft":
        each = [probabilities(trace, one) for one in found]
        return by_score(trace, classes, trace.builder.add(outputs.Average, *each, weights=weights))
    add = trace.builder.add
    votes = add(outputs.Votes, *[one.label for one in found], weights=weights, classes=len(classes))
    return ConvertedModel(add(outputs.ArgMax, votes), plain_classes(classes))


def voting_regressor(trace: Trace, est: Any, columns: list[Column]) -> ConvertedModel:
    """The mean of values."""
    found, weights = _members(trace, est, columns)
    each = [one.label for one in found]
    return value_of(trace.builder.add(outputs.Average, *each, weights=weights))


def _members(
    trace: Trace, est: Any, columns: list[Column]
) -> tuple[list[ConvertedModel], tuple[float, ...]]:
    names = [name for name, one in est.estimators if not isinstance(one, str)]
    found = [
        convert_model(trace, name, one, columns)
        for name, one in zip(names, trace.attribute(est, "estimators_"), strict=True)
    ]
    weights = getattr(est, "_weights_not_none", None)
    return found, tuple(float(w) for w in weights) if weights is not None else (1.0,) * len(found)


def stacking(trace: Trace, est: Any, columns: list[Column]) -> ConvertedModel:
    """A model on the answers of others, and on the columns where they are passed through."""
    made: list[Column] = []
    names = [name for name, one in est.estimators if not isinstance(one, str)]
    for name, one, method in zip(names, est.estimators_, est.stack_method_, strict=True):
        found = convert_model(trace, name, one, columns)
        made += _stacked(trace, found, method)
    if est.passthrough:
        made += columns
    final = convert_model(trace, "final", est.final_estimator_, made)
    if not final.classes:
        return final
    return ConvertedModel(
        final.label, plain_classes(est.classes_), final.score, final.margin, final.pair
    )


def _stacked(trace: Trace, found: ConvertedModel, method: str) -> list[Column]:
    if method == "predict_proba":
        return trace.columns_of(trace.present(found.score, "a classifier without probabilities"))
    if method == "decision_function":
        return trace.columns_of(trace.present(found.margin, "a classifier without margins"))
    trace.require(not found.classes, "labels of classifiers as columns; use predict_proba")
    return trace.columns_of(found.label)


def bagging_classifier(trace: Trace, est: Any, columns: list[Column]) -> ConvertedModel:
    """The mean of the members' probabilities."""
    found = _bagged(trace, est, columns)
    same = all(one.classes == tuple(range(len(est.classes_))) for one in found)
    trace.require(same, "a member of the bag that saw other classes")
    each = [probabilities(trace, one) for one in found]
    op = trace.builder.add(outputs.Average, *each, weights=(1.0,) * len(each))
    return by_score(trace, est.classes_, op)


def bagging_regressor(trace: Trace, est: Any, columns: list[Column]) -> ConvertedModel:
    """The mean of the members' values."""
    each = [one.label for one in _bagged(trace, est, columns)]
    return value_of(trace.builder.add(outputs.Average, *each, weights=(1.0,) * len(each)))


def _bagged(trace: Trace, est: Any, columns: list[Column]) -> list[ConvertedModel]:
    pairs = zip(est.estimators_, est.estimators_features_, strict=True)
    return [
        convert_model(trace, f"bag-{k}", one, [columns[place] for place in places])
        for k, (one, places) in enumerate(pairs)
    ]


def one_against_rest(trace: Trace, est: Any, columns: list[Column]) -> ConvertedModel:
    """One model a class against all others."""
    trace.require(not est.multilabel_, "several labels a row; fit one model a label")
    add, classes = trace.builder.add, plain_classes(est.classes_)
    found = [
        convert_model(trace, f"class-{k}", one, columns) for k, one in enumerate(est.estimators_)
    ]
    by_margin = all(one.margin is not None for one in found)
    decides = [
        trace.present(one.margin if by_margin else one.score, "members without margins")
        for one in found
    ]
    if len(found) == 1:
        limit = 0.0 if by_margin else 0.5
        label = add(outputs.Above, decides[0], limit=limit, strict=True)
        return ConvertedModel(label, classes, found[0].score, found[0].margin)
    together = add(numeric.Concat, *decides)
    scores = [one.score for one in found if one.score is not None]
    share = None
    if len(scores) == len(found):
        share = add(outputs.Share, add(numeric.Concat, *scores), empty="zero")
    label = add(outputs.ArgMax, together)
    return ConvertedModel(label, classes, share, together if by_margin else None)


INVERSES = {"expm1": "expm1", "exp": "exp", "square": "square"}


def transformed_target(trace: Trace, est: Any, columns: list[Column]) -> ConvertedModel:
    """A regressor of a transformed target, turned back."""
    found = convert_model(trace, "regressor", trace.attribute(est, "regressor_"), columns)
    back = trace.attribute(est, "transformer_")
    add, array = trace.builder.add, trace.builder.array
    if type(back).__name__ == "StandardScaler":
        op = found.label
        if back.with_std:
            op = add(numeric.Arith, op, how="multiply", values=array(back.scale_))
        if back.with_mean:
            op = add(numeric.Arith, op, how="add", values=array(back.mean_))
        return value_of(op)
    plain = type(back).__name__ == "FunctionTransformer"
    trace.require(plain, f"the target's {type(back).__name__}; use StandardScaler or a function")
    inverse = getattr(back, "inverse_func", None)
    name = getattr(inverse, "__name__", "")
    known = type(inverse).__name__ == "ufunc" and name in INVERSES
    trace.require(
        known or inverse is None,
        f"the inverse {name or inverse!r}; use numpy.expm1, numpy.exp or numpy.square",
    )
    return value_of(add(numeric.Apply, found.label, function=name)) if known else found


def dummy_classifier(trace: Trace, est: Any, columns: list[Column]) -> ConvertedModel:
    """The same shares for every row."""
    trace.require(est.strategy == "prior", f"strategy={est.strategy!r}; use 'prior'")
    trace.require(not isinstance(est.classes_, list), "several targets at once")
    return by_score(trace, est.classes_, _constant(trace, columns, est.class_prior_))


def dummy_regressor(trace: Trace, est: Any, columns: list[Column]) -> ConvertedModel:
    """The same value for every row."""
    return value_of(_constant(trace, columns, np.asarray(est.constant_).reshape(-1)))


def _constant(trace: Trace, columns: list[Column], values: Any) -> int:
    trace.require(columns, "a model without a column")
    array, add = trace.builder.array, trace.builder.add
    # something has to be asked, so that there is one answer a row
    counted = add(outputs.Above, trace.numbers(columns[:1]), limit=0.0, strict=True)
    weights = np.zeros((len(values), 1))
    return add(linear.Linear, counted, weights=array(weights), bias=array(values))


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
    "sklearn.Pipeline": pipeline,
    "sklearn.RandomizedSearchCV": best_of_search,
    "sklearn.StackingClassifier": stacking,
    "sklearn.StackingRegressor": stacking,
    "sklearn.TransformedTargetRegressor": transformed_target,
    "sklearn.TunedThresholdClassifierCV": thresholded,
    "sklearn.VotingClassifier": voting_classifier,
    "sklearn.VotingRegressor": voting_regressor,
}
"""Converters of models made of models, by library and class."""
