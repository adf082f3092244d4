"""Predictions of fitted scikit-learn estimators as lockgate outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lockgate.contract.prediction import Output

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["get_classes", "output_of_scores", "predict_output", "predict_scores"]


def get_classes(estimator: BaseEstimator) -> tuple[Any, ...]:
    """Return the classes in the order of the scores, as Python values; empty for a regression."""
    return tuple(np.asarray(getattr(estimator, "classes_", ())).tolist())


def predict_scores(estimator: BaseEstimator, features: pd.DataFrame, task: str) -> np.ndarray:
    """Return probabilities: of the second class, shape (n,), or of each, shape (n, classes)."""
    probabilities = np.asarray(estimator.predict_proba(features), dtype=float)
    return probabilities[:, 1] if task == "binary" else probabilities


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
    task : {"binary", "multiclass", "regression"}
        Task of the model.
    classes : sequence
        Labels in the order of the scores.
    threshold : float, optional
        Score from which the positive class is predicted; 0.5 by default.

    """
    if task == "regression":
        return Output(np.asarray(estimator.predict(features), dtype=float))
    return output_of_scores(predict_scores(estimator, features, task), task, classes, threshold)


def output_of_scores(
    scores: np.ndarray, task: str, classes: Sequence[object], threshold: float | None = None
) -> Output:
    """Return the labels that follow from scores, with the scores."""
    labels = np.asarray(classes)
    if task == "binary":
        return Output(
            labels[(scores >= (0.5 if threshold is None else threshold)).astype(int)], scores
        )
    return Output(labels[scores.argmax(axis=1)], scores)
