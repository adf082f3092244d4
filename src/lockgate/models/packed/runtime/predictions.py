"""Predictions from the outputs of a model: of a single row, and of several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from lockgate.contract.prediction import Output
from lockgate.contract.recipes import TWO_CLASSES
from lockgate.models.packed.format.header import Header

__all__ = ["RowPrediction", "output_builder", "row_prediction_builder"]


class RowPrediction(NamedTuple):
    """The prediction for one row.

    Attributes
    ----------
    label : object
        Predicted class, or value; of several targets a list of values.
    score : float, list of float, or None
        Probability of the second of two classes, or of each class.
    margin : float, list of float, or None
        The value before it becomes a probability.
    interval : list of float or None
        Bounds of a regression's prediction interval, where the bundle has some.
    set : list or None
        Classes of a prediction set, where the bundle has some.

    """

    label: Any
    score: float | list[float] | None = None
    margin: float | list[float] | None = None
    interval: list[float] | None = None
    set: list[Any] | None = None


def row_prediction_builder(
    header: Header, threshold: float | None
) -> Callable[[list[float], list[float] | None, list[float] | None], RowPrediction]:
    """Make the function from a row's outputs (label, scores, margins) to its prediction."""
    binary, several = header.task in TWO_CLASSES, header.task == "multioutput"
    classes = header.classes
    last = len(classes) - 1

    def build_prediction(
        label: list[float], scores: list[float] | None, margins: list[float] | None
    ) -> RowPrediction:
        score = scores[0] if scores is not None and binary else scores
        margin = margins[0] if margins is not None and len(margins) == 1 else margins
        if threshold is not None and scores is not None:
            return RowPrediction(classes[scores[0] >= threshold], score, margin)
        prediction = label[0]
        if several:
            return RowPrediction(label)
        if not classes:
            return RowPrediction(prediction, score, margin)
        inside = 0 <= prediction <= last
        return RowPrediction(
            classes[int(prediction) if inside else last * (prediction > last)], score, margin
        )

    return build_prediction


def output_builder(
    header: Header, threshold: float | None
) -> Callable[[np.ndarray, np.ndarray | None, np.ndarray | None], Output]:
    """Make the function from outputs (label, scores, margins), of shape (width, n), to `Output`."""
    binary, several = header.task in TWO_CLASSES, header.task == "multioutput"
    labels = np.array(header.classes) if header.classes else None

    def build_output(
        label: np.ndarray, scores: np.ndarray | None, margins: np.ndarray | None
    ) -> Output:
        score, margin = scores, margins
        if scores is not None:
            score = scores[0] if binary else scores.T
        if margins is not None:
            margin = margins[0] if len(margins) == 1 else margins.T
        if several:
            return Output(np.ascontiguousarray(label.T))
        if labels is None:
            return Output(label[0], score, margin)
        if threshold is not None and score is not None:
            class_indices = (score >= threshold).astype(np.int64)
        else:
            predictions = label[0]
            class_indices = np.where(np.isfinite(predictions), predictions, 0).astype(np.int64)
            class_indices = np.clip(class_indices, 0, len(labels) - 1)
        return Output(labels[class_indices], score, margin)

    return build_output
