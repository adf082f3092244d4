"""Fitting of recipes, and their cross-validated loss."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline

from lockgate.contract.modeling import Objective, Recipe, Trial
from lockgate.contract.prediction import Output
from lockgate.contract.tables import Fold, Table
from lockgate.errors import DataError, PluginFailed, nearest
from lockgate.modeling.metrics.losses import class_indices, compute_loss
from lockgate.modeling.training.estimators import predict_output, predict_scores

__all__ = ["check_params", "check_recipe", "cross_validated_objective", "fit", "loss_function"]

MAX_PREPARED = 4
"""Sets of step parameters for which the prepared folds are kept in memory."""


def check_recipe(recipe: Recipe, plugin_name: str) -> None:
    """Reject a recipe that cannot be tuned or has no scores, and name its plugin."""
    check_params(recipe, recipe.space, plugin_name)
    if recipe.task != "regression" and not hasattr(recipe.estimator, "predict_proba"):
        name = type(recipe.estimator).__name__
        raise PluginFailed(
            f"{plugin_name} returned {name}, which has no predict_proba; a classifier needs it"
        )


def check_params(recipe: Recipe, params: Mapping[str, Any], plugin_name: str) -> None:
    """Reject unknown parameters of the estimator and of the steps, and name the plugin."""
    known = set(recipe.estimator.get_params())
    for step_name, step in recipe.steps:
        known |= {f"{step_name}__{name}" for name in step.get_params()}
    for name in params:
        if name not in known:
            estimator_name = type(recipe.estimator).__name__
            raise PluginFailed(
                f"{plugin_name} sets {name!r}, which is not a parameter of {estimator_name}, nor "
                f"of a step (step__parameter){nearest(name, known)}"
            )


def fit(recipe: Recipe, params: Mapping[str, Any], train: Table) -> Pipeline:
    """Fit all steps of a recipe on training rows."""
    of_estimator, of_steps = _split_params(recipe, params)
    estimator = clone(recipe.estimator).set_params(**of_estimator)
    steps = _clone_steps(recipe, of_steps)
    pipeline = Pipeline([*steps, ("model", estimator)])
    weight = train.weight
    extra = {} if weight is None else {"model__sample_weight": weight}
    return pipeline.fit(train.features, train.target, **extra)


def _split_params(
    recipe: Recipe, params: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the parameters of the estimator, and those of the steps by the step's name."""
    of_estimator: dict[str, Any] = {}
    of_steps: dict[str, dict[str, Any]] = {}
    names = {name for name, _ in recipe.steps}
    for key, value in params.items():
        step, separator, name = key.partition("__")
        if separator and step in names:
            of_steps.setdefault(step, {})[name] = value
        else:
            of_estimator[key] = value
    return of_estimator, of_steps


def _clone_steps(recipe: Recipe, params: Mapping[str, dict[str, Any]]) -> list[tuple[str, Any]]:
    return [(name, clone(step).set_params(**params.get(name, {}))) for name, step in recipe.steps]


def loss_function(
    table: Table, metric: str, task: str, classes: tuple[object, ...]
) -> Callable[[Pipeline], float]:
    """Return a function that computes a fitted pipeline's loss on these rows."""

    def loss(estimator: Pipeline) -> float:
        output = predict_output(estimator, table.features, task, classes)
        return compute_loss(metric, task, table.target, output, classes, weight=table.weight)

    return loss


def cross_validated_objective(
    recipe: Recipe, train: Table, folds: tuple[Fold, ...], metric: str
) -> Objective:
    """Return a function that computes the cross-validated loss of parameters.

    The steps before the estimator do not depend on its parameters, so they are fitted once per
    fold for each set of their own parameters, not once per trial.
    """
    if not recipe.steps:
        raise ValueError("the recipe has no steps; expected the cell rules of the host")
    classes = tuple(np.unique(train.target).tolist())
    prepared_folds: dict[str, list[tuple[Any, ...]]] = {}

    def measure(params: Mapping[str, Any], share: float = 1.0) -> Trial:
        if not 0 < share <= 1:
            raise ValueError(f"share is {share!r}, expected a number in (0, 1]")
        started = time.perf_counter()
        of_estimator, of_steps = _split_params(recipe, params)
        key = repr(sorted(of_steps.items()))
        if key not in prepared_folds:
            while len(prepared_folds) >= MAX_PREPARED:
                prepared_folds.pop(next(iter(prepared_folds)))
            prepared_folds[key] = [_prepare_fold(recipe, train, fold, of_steps) for fold in folds]
        losses = []
        for inputs, truth, weight, held_inputs, held_truth, held_weight in prepared_folds[key]:
            estimator = clone(recipe.estimator).set_params(**of_estimator)
            subset = _sample_rows(len(truth), share)
            extra = {} if weight is None else {"sample_weight": weight[subset]}
            estimator.fit(inputs[subset], truth[subset], **extra)
            output = _predict(estimator, held_inputs, recipe.task, classes)
            losses.append(
                compute_loss(metric, recipe.task, held_truth, output, classes, weight=held_weight)
            )
        seconds = time.perf_counter() - started
        known = [loss for loss in losses if not np.isnan(loss)]
        if not known:
            raise DataError(
                f"{metric} is undefined on every fold of the training rows; "
                "choose another search.metric"
            )
        return Trial(dict(params), float(np.mean(known)), float(np.std(known)), seconds)

    return measure


def _sample_rows(rows: int, share: float) -> np.ndarray | slice:
    """Choose a share of the rows; a smaller share is a subset of a larger one."""
    if share == 1:
        return slice(None)
    order = np.random.default_rng(rows).permutation(rows)
    return np.sort(order[: max(2, round(share * rows))])


def _prepare_fold(
    recipe: Recipe, train: Table, fold: Fold, of_steps: Mapping[str, dict[str, Any]]
) -> tuple[Any, ...]:
    features, target, weight = train.features, train.target, train.weight
    inputs: Any
    held: Any
    inputs, held = features.iloc[fold.fit], features.iloc[fold.measure]
    if recipe.steps:
        steps = Pipeline(_clone_steps(recipe, of_steps))
        inputs = np.asarray(steps.fit_transform(inputs, target[fold.fit]))
        held = np.asarray(steps.transform(held))
    return (
        inputs,
        target[fold.fit],
        None if weight is None else weight[fold.fit],
        held,
        target[fold.measure],
        None if weight is None else weight[fold.measure],
    )


def _predict(
    estimator: BaseEstimator, inputs: pd.DataFrame, task: str, classes: tuple[object, ...]
) -> Output:
    """Predict scores of all classes; they are 0 for classes that the fold does not have."""
    if task == "regression" or len(estimator.classes_) == len(classes):
        return predict_output(estimator, inputs, task, classes)
    scores = predict_scores(estimator, inputs, "multiclass")
    all_scores = np.zeros((len(scores), len(classes)))
    all_scores[:, class_indices(estimator.classes_, classes)] = scores
    if task == "binary":
        return Output(np.asarray(classes)[(all_scores[:, 1] >= 0.5).astype(int)], all_scores[:, 1])
    return Output(np.asarray(classes)[all_scores.argmax(axis=1)], all_scores)
