"""Fits recipes and measures them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from lockgate.contract.modeling import Objective, Recipe, Trial
from lockgate.contract.prediction import Output
from lockgate.contract.tables import Fold, Table
from lockgate.errors import DataError, PluginFailed, nearest
from lockgate.modeling.metrics.losses import class_indices, loss_of
from lockgate.modeling.training.estimators import estimator_output, predict_scores

__all__ = ["check_params", "check_recipe", "cross_validated_objective", "fit", "loss_function"]


def check_recipe(recipe: Recipe, who: str) -> None:
    """Refuse a recipe that cannot be tuned or asked for scores, and name its plugin."""
    check_params(recipe, recipe.space, who)
    if recipe.task != "regression" and not hasattr(recipe.estimator, "predict_proba"):
        name = type(recipe.estimator).__name__
        raise PluginFailed(f"{who} gave {name}, which has no predict_proba; a classifier needs it")


def check_params(recipe: Recipe, params: Mapping[str, Any], who: str) -> None:
    """Refuse parameters that the estimator does not have, and name the plugin."""
    known = recipe.estimator.get_params()
    for name in params:
        if name not in known:
            word = type(recipe.estimator).__name__
            raise PluginFailed(
                f"{who} sets {name!r}, which {word} does not have{nearest(name, known)}"
            )


def fit(recipe: Recipe, params: Mapping[str, Any], train: Table) -> Pipeline:
    """Fit all steps of a recipe on training rows."""
    estimator = clone(recipe.estimator).set_params(**params)
    steps = [(name, clone(step)) for name, step in recipe.steps]
    made = Pipeline([*steps, ("model", estimator)])
    weight = train.weight
    extra = {} if weight is None else {"model__sample_weight": weight}
    return made.fit(train.features, train.target, **extra)


def loss_function(
    table: Table, metric: str, task: str, classes: tuple[Any, ...]
) -> Callable[[Any], float]:
    """Make a function from a fitted pipeline to its loss on these rows."""

    def loss(estimator: Any) -> float:
        output = estimator_output(estimator, table.features, task, classes)
        return loss_of(metric, task, table.target, output, classes, weight=table.weight)

    return loss


def cross_validated_objective(
    recipe: Recipe, train: Table, folds: tuple[Fold, ...], metric: str
) -> Objective:
    """Make a function from parameters to their cross-validated loss.

    The steps before the estimator do not depend on its parameters, so they are
    fitted once per fold, not once per trial.
    """
    if not recipe.steps:
        raise ValueError("the recipe has no steps; the host puts the cell rules there")
    classes = tuple(np.unique(train.target).tolist())
    prepared: list[tuple[Any, ...]] = []

    def measure(params: Mapping[str, Any], share: float = 1.0) -> Trial:
        if not 0 < share <= 1:
            raise ValueError(f"share is {share!r}; it must lie in (0, 1]")
        started = time.perf_counter()
        if not prepared:
            prepared.extend(_prepare(recipe, train, fold) for fold in folds)
        losses = []
        for inputs, truth, weight, held_inputs, held_truth, held_weight in prepared:
            estimator = clone(recipe.estimator).set_params(**params)
            some = _some(len(truth), share)
            extra = {} if weight is None else {"sample_weight": weight[some]}
            estimator.fit(inputs[some], truth[some], **extra)
            output = _answer(estimator, held_inputs, recipe.task, classes)
            losses.append(
                loss_of(metric, recipe.task, held_truth, output, classes, weight=held_weight)
            )
        seconds = time.perf_counter() - started
        known = [loss for loss in losses if not np.isnan(loss)]
        if not known:
            raise DataError(f"no fold of the training rows defines {metric}; choose search.metric")
        return Trial(dict(params), float(np.mean(known)), float(np.std(known)), seconds)

    return measure


def _some(rows: int, share: float) -> Any:
    """Choose a share of the rows, the smaller shares within the larger ones."""
    if share == 1:
        return slice(None)
    order = np.random.default_rng(rows).permutation(rows)
    return np.sort(order[: max(2, round(share * rows))])


def _prepare(recipe: Recipe, train: Table, fold: Fold) -> tuple[Any, ...]:
    features, target, weight = train.features, train.target, train.weight
    inputs: Any
    held: Any
    inputs, held = features.iloc[fold.fit], features.iloc[fold.measure]
    if recipe.steps:
        steps = Pipeline([(name, clone(step)) for name, step in recipe.steps])
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


def _answer(estimator: Any, inputs: Any, task: str, classes: tuple[Any, ...]) -> Output:
    """Answer with scores for all classes, also those that the fold did not hold."""
    if task == "regression" or len(estimator.classes_) == len(classes):
        return estimator_output(estimator, inputs, task, classes)
    found = predict_scores(estimator, inputs, "multiclass")
    whole = np.zeros((len(found), len(classes)))
    whole[:, class_indices(estimator.classes_, classes)] = found
    if task == "binary":
        return Output(np.asarray(classes)[(whole[:, 1] >= 0.5).astype(int)], whole[:, 1])
    return Output(np.asarray(classes)[whole.argmax(axis=1)], whole)
