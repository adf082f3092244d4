"""Predictions of fitted scikit-learn estimators as lockgate outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lockgate.contract.prediction import Output
from lockgate.contract.recipes import NUMERIC, TWO_CLASSES
from lockgate.data.columns.categories import category_text
from lockgate.errors import UsageError
from lockgate.modeling.training.quantiles import quantile_of

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = [
    "detects_anomalies",
    "find_positive",
    "get_classes",
    "order_classes",
    "output_of_scores",
    "predict_output",
    "predict_scores",
    "predicts_clusters",
]


def get_classes(estimator: BaseEstimator, positive: str = "") -> tuple[Any, ...]:
    """Return the classes in the order of the scores, as Python values; empty for numbers.

    Those of clusters are their numbers, from 0; scikit-learn's detectors call anomalies -1.
    """
    last = getattr(estimator, "steps", [("", estimator)])[-1][1]
    if hasattr(last, "cluster_centers_"):
        return tuple(range(len(last.cluster_centers_)))
    if not hasattr(last, "classes_") and detects_anomalies(last):
        return (1, -1)
    return order_classes(np.asarray(getattr(estimator, "classes_", ())).tolist(), positive)


def order_classes(classes: Sequence[Any], positive: str) -> tuple[Any, ...]:
    """Return the classes, of two the positive one last.

    Parameters
    ----------
    classes : sequence
        The classes as an estimator has them: sorted.
    positive : str
        Text of the positive class; empty for the last of the sorted.

    Raises
    ------
    UsageError
        If it is not one of two classes.

    """
    texts = [category_text(label) for label in classes]
    if not positive:
        return tuple(classes)
    if len(classes) != 2:
        raise UsageError(
            f"the positive class is {positive!r}, and the model has {len(classes)} classes; "
            "expected two"
        )
    if positive not in texts:
        raise UsageError(
            f"the positive class is {positive!r}, expected {texts[0]!r} or {texts[1]!r}"
        )
    return tuple(classes if texts[1] == positive else classes[::-1])


def find_positive(target: np.ndarray, task: str, chosen: object = "") -> str:
    """Return the text of the positive class, the chosen or the last; empty for other tasks.

    Raises
    ------
    UsageError
        If the chosen is not one of two classes.

    """
    text = "" if chosen in ("", None) else category_text(chosen)
    if text and task != "binary":
        raise UsageError(f"the positive class is {text!r}; expected none, as the task is {task}")
    classes = sorted(set(target.tolist())) if task == "binary" else []
    if isinstance(chosen, bool) and text not in map(category_text, classes):
        raise UsageError(
            f"the positive class is {text}, a truth value; a text such as no needs quotes in YAML: "
            "'no'"
        )
    ordered = order_classes(classes, text)
    return category_text(ordered[1]) if task == "binary" else ""


def predicts_clusters(estimator: BaseEstimator) -> bool:
    """Whether an estimator groups rows without a target."""
    from sklearn.base import is_clusterer  # stages that fit nothing do not load it

    try:
        return bool(is_clusterer(estimator))
    except (AttributeError, TypeError):  # not one of scikit-learn's classes
        return False


def detects_anomalies(estimator: BaseEstimator) -> bool:
    """Whether an estimator tells rows unlike the others, without a target."""
    from sklearn.base import is_outlier_detector

    try:
        return bool(is_outlier_detector(estimator))
    except (AttributeError, TypeError):  # not one of scikit-learn's classes
        return False


def predict_scores(
    estimator: BaseEstimator, features: pd.DataFrame, classes: Sequence[object]
) -> np.ndarray:
    """Return probabilities: of the second of two classes, shape (n,), or of each in order."""
    probabilities = np.asarray(estimator.predict_proba(features), dtype=float)
    known = get_classes(estimator)
    if known != tuple(classes):
        probabilities = probabilities[:, [known.index(label) for label in classes]]
    return probabilities[:, 1] if len(classes) == 2 else probabilities


def predict_output(
    estimator: BaseEstimator,
    features: pd.DataFrame,
    task: str,
    classes: Sequence[object],
    threshold: float | None = None,
) -> Output:
    """Predict for rows.

    Parameters
    ----------
    estimator : fitted estimator
        An estimator with ``predict_proba``, or ``predict`` for a regression.
    features : pandas.DataFrame, shape (n, features)
        Features as the schema declares them.
    task : {"binary", "multiclass", "regression", "multioutput", "clustering", "anomaly"}
        Task of the model.
    classes : sequence
        Labels in the order of the scores.
    threshold : float, optional
        Score from which the positive class is predicted; 0.5 by default.

    """
    if task in NUMERIC:
        values = np.asarray(estimator.predict(features), dtype=float)
        if task == "regression":  # fitted on a frame of one column, some return one
            values = values.reshape(len(features))
        return Output(values, quantile=quantile_of(estimator))
    if task == "clustering":
        distances = estimator.transform(features) if hasattr(estimator, "transform") else None
        return Output(np.asarray(estimator.predict(features)), margin=distances)
    if task == "anomaly" and not hasattr(estimator, "predict_proba"):
        return Output(
            np.asarray(estimator.predict(features)), margin=-estimator.decision_function(features)
        )
    return output_of_scores(predict_scores(estimator, features, classes), task, classes, threshold)


def output_of_scores(
    scores: np.ndarray, task: str, classes: Sequence[object], threshold: float | None = None
) -> Output:
    """Return the labels that follow from scores, with the scores."""
    labels = np.asarray(classes)
    if task in TWO_CLASSES:
        return Output(
            labels[(scores >= (0.5 if threshold is None else threshold)).astype(int)], scores
        )
    return Output(labels[scores.argmax(axis=1)], scores)
