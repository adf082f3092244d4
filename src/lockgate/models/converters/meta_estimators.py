"""Converters of models made of other models: calibration, voting, stacking, search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.contract.conversion import ConvertedModel
from lockgate.models.converters.dummy_models import dummy_classifier, dummy_regressor
from lockgate.models.converters.outputs import by_score, plain_classes, value_of
from lockgate.models.converters.symbols import Column
from lockgate.models.converters.trace import Trace
from lockgate.models.converters.transformers import convert_step
from lockgate.models.packed.format import linear, numeric, outputs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

__all__ = ["META_ESTIMATORS", "convert_model"]


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


META_ESTIMATORS = {
    "sklearn.CalibratedClassifierCV": calibrated,
    "sklearn.DummyClassifier": dummy_classifier,
    "sklearn.DummyRegressor": dummy_regressor,
    "sklearn.FixedThresholdClassifier": thresholded,
    "sklearn.FrozenEstimator": frozen,
    "sklearn.GridSearchCV": best_of_search,
    "sklearn.HalvingGridSearchCV": best_of_search,
    "sklearn.HalvingRandomSearchCV": best_of_search,
    "sklearn.IsotonicRegression": isotonic,
    "lockgate.Member": pipeline,
    "sklearn.Pipeline": pipeline,
    "sklearn.RandomizedSearchCV": best_of_search,
    "sklearn.TransformedTargetRegressor": transformed_target,
    "sklearn.TunedThresholdClassifierCV": thresholded,
}
"""Converters of models made of other models, by library and class."""
