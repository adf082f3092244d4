"""Folds whose rows the steps before the estimator have prepared, and losses on them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.pipeline import Pipeline

from lockgate.contract.prediction import Output
from lockgate.contract.recipes import UNSUPERVISED, WITHOUT_SCORES, Recipe
from lockgate.contract.tables import Fold, Table
from lockgate.modeling.metrics.losses import class_indices, compute_loss, truth_of
from lockgate.modeling.training.anomaly_detector import ANOMALY_CLASSES
from lockgate.modeling.training.estimators import get_classes, output_of_scores
from lockgate.modeling.training.fitting import clone_steps, reported_as_data

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sklearn.base import BaseEstimator

__all__ = ["FoldLoss", "PreparedFold", "prepare_fold"]


@dataclass(frozen=True)
class PreparedFold:
    """Rows to fit on and rows to measure on, as the estimator takes them.

    Attributes
    ----------
    inputs, held_inputs : ndarray or sparse matrix, shape (rows, features)
        Inputs of the estimator.
    target : ndarray, shape (rows,) or (rows, targets), or None
        Actual values of the rows to fit on; None for a task without a target.
    held_truth : ndarray, shape (rows,) or (rows, axes)
        What predictions are measured against; see `truth_of`.
    weight, held_weight : ndarray or None, shape (rows,)
        Weights of the rows.

    """

    inputs: np.ndarray | csr_matrix
    target: np.ndarray | None
    weight: np.ndarray | None
    held_inputs: np.ndarray | csr_matrix
    held_truth: np.ndarray
    held_weight: np.ndarray | None

    def fit(self, estimator: BaseEstimator, share: float = 1.0) -> None:
        """Fit an estimator on a share of the rows, the same rows every time."""
        rows = _sample_rows(self.inputs.shape[0], share)
        extra = {} if self.weight is None else {"sample_weight": self.weight[rows]}
        target = None if self.target is None else self.target[rows]
        inputs: Any = self.inputs  # a frame, where members of an ensemble prepare the rows
        chosen = inputs.iloc[rows] if hasattr(inputs, "iloc") else inputs[rows]
        with reported_as_data(estimator, self.inputs.shape[0]):
            estimator.fit(chosen, target, **extra)


@dataclass(frozen=True)
class FoldLoss:
    """The loss of an estimator on a fold's other rows."""

    metric: str
    task: str
    classes: tuple[Any, ...]
    quantile: float | None = None

    def __call__(self, estimator: BaseEstimator, fold: PreparedFold) -> float:
        """Return the loss of a fitted estimator; NaN where the metric is undefined."""
        predict = estimator.predict if self.task in WITHOUT_SCORES else estimator.predict_proba
        return self.of_predictions(predict(fold.held_inputs), estimator, fold)

    def of_predictions(
        self, predictions: np.ndarray, estimator: BaseEstimator, fold: PreparedFold
    ) -> float:
        """Return the loss of values, or of probabilities of the estimator's classes.

        It is infinite where a prediction is not a finite number, as of a fit that diverged.
        """
        if not np.isfinite(predictions).all():
            return math.inf
        output = self._output(np.asarray(predictions, dtype=float), estimator)
        return compute_loss(
            self.metric,
            self.task,
            fold.held_truth,
            output,
            self.classes,
            weight=fold.held_weight,
        )

    def _output(self, predictions: np.ndarray, estimator: BaseEstimator) -> Output:
        if self.task in WITHOUT_SCORES:
            return Output(predictions, quantile=self.quantile)
        if self.task == "anomaly":
            return output_of_scores(predictions[:, 1], self.task, ANOMALY_CLASSES)
        # boosting that has seen a single class predicts two columns
        scores = predictions[:, -len(estimator.classes_) :]
        if get_classes(estimator) != self.classes:  # a class that the fold lacks has the score 0
            known_scores, scores = scores, np.zeros((len(predictions), len(self.classes)))
            scores[:, class_indices(estimator.classes_, self.classes)] = known_scores
        return output_of_scores(
            scores[:, 1] if self.task == "binary" else scores, self.task, self.classes
        )


def prepare_fold(
    recipe: Recipe, train: Table, fold: Fold, of_steps: Mapping[str, dict[str, Any]]
) -> PreparedFold:
    """Fit the steps before the estimator on a fold's training rows, and transform its rows."""
    features, weight = train.features, train.weight
    target = None if recipe.task in UNSUPERVISED else train.target[fold.fit]
    steps = Pipeline(clone_steps(recipe, of_steps))
    held = Table(train.frame.iloc[fold.measure], train.schema)
    return PreparedFold(
        steps.fit_transform(features.iloc[fold.fit], target),
        target,
        None if weight is None else weight[fold.fit],
        steps.transform(held.features),
        truth_of(held, recipe.task),
        None if weight is None else weight[fold.measure],
    )


def _sample_rows(rows: int, share: float) -> np.ndarray | slice:
    """Choose a share of the rows; a smaller share is a subset of a larger one."""
    if share == 1:
        return slice(None)
    order = np.random.default_rng(rows).permutation(rows)
    return np.sort(order[: max(2, round(share * rows))])
