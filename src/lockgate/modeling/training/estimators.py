"""Answers of a fitted scikit-learn estimator in lockgate's terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lockgate.contract.prediction import Output

__all__ = ["get_classes", "predict_output", "predict_scores"]


def get_classes(estimator: Any) -> tuple[Any, ...]:
    """Return the classes in the order of the scores, as plain values; empty for a regression."""
    return tuple(np.asarray(getattr(estimator, "classes_", ())).tolist())


def predict_scores(estimator: Any, features: pd.DataFrame, task: str) -> np.ndarray:
    """Return probabilities: of the second class, shape (n,), or of each, shape (n, classes)."""
    probabilities = np.asarray(estimator.predict_proba(features), dtype=float)
    return probabilities[:, 1] if task == "binary" else probabilities


def predict_output(
    estimator: Any,
    features: pd.DataFrame,
    task: str,
    classes: Sequence[Any],
    threshold: float | None = None,
) -> Output:
    """Answer for rows.

    Parameters
    ----------
    estimator : fitted estimator
        With ``predict_proba`` for a classification.
    features : pandas.DataFrame, shape (n, features)
        As the schema declares them.
    task : {"binary", "multiclass", "regression"}
        What it predicts.
    classes : sequence
        Labels in the order of the scores.
    threshold : float, optional
        Score from which the second of two classes is answered; 0.5 by default.

    """
    if task == "regression":
        return Output(np.asarray(estimator.predict(features), dtype=float))
    scores = predict_scores(estimator, features, task)
    labels = np.asarray(classes)
    if task == "binary":
        return Output(
            labels[(scores >= (0.5 if threshold is None else threshold)).astype(int)], scores
        )
    return Output(labels[scores.argmax(axis=1)], scores)
