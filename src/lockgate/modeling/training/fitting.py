"""Fitting of recipes, and the loss of what was fitted."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import numbers
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from lockgate.contract.recipes import UNSUPERVISED, WITHOUT_SCORES, Fidelity, Recipe
from lockgate.contract.tables import Table
from lockgate.errors import DataError, PluginFailed
from lockgate.modeling.metrics.losses import compute_loss, truth_of
from lockgate.modeling.training.estimators import (
    detects_anomalies,
    predict_output,
    predicts_clusters,
)
from lockgate.suggestions import nearest

__all__ = [
    "check_params",
    "check_recipe",
    "check_task",
    "check_weights",
    "clone_steps",
    "fit",
    "loss_function",
    "reported_as_data",
    "split_params",
]


INNER = ("detector", "estimator", "regressor")
"""Parameters with an estimator that is fitted on the same rows."""


def check_task(recipe: Recipe, plugin_name: str) -> None:
    """Refuse a recipe whose estimator does not solve its task, and name its plugin."""
    for task, does, name in (
        ("clustering", predicts_clusters(recipe.estimator), "clusters"),
        ("anomaly", detects_anomalies(recipe.estimator), "anomalies"),
    ):
        if does != (recipe.task == task):
            raise DataError(
                f"{plugin_name} predicts {name if does else f'no {name}'}, and the task is "
                f"{recipe.task}: choose another model" + (f", or project.task={task}" * does)
            )


def check_recipe(recipe: Recipe, plugin_name: str) -> None:
    """Reject a recipe that cannot be tuned or has no scores, and name its plugin."""
    check_task(recipe, plugin_name)
    check_params(recipe, recipe.space, plugin_name)
    for params in recipe.portfolio:
        check_params(recipe, params, f"the portfolio of {plugin_name}")
    if recipe.fidelity is not None:
        _check_fidelity(recipe, recipe.fidelity, plugin_name)
    if recipe.task not in WITHOUT_SCORES and not hasattr(recipe.estimator, "predict_proba"):
        name = type(recipe.estimator).__name__
        raise PluginFailed(
            f"{plugin_name} returned {name}, which has no predict_proba; scores need it"
        )


def check_weights(recipe: Recipe, train: Table, plugin_name: str) -> None:
    """Refuse row weights that an estimator cannot be fitted with, and name its plugin."""
    if train.schema.weight is None:
        return
    params = recipe.estimator.get_params(deep=False)
    inner = [params[name] for name in INNER if hasattr(params.get(name), "fit")]
    for estimator in (recipe.estimator, *inner):
        fit_parameters = inspect.signature(estimator.fit).parameters
        # what fits an inner estimator passes weights on only where its signature names them
        takes_any = estimator is recipe.estimator and any(
            p.kind is inspect.Parameter.VAR_KEYWORD for p in fit_parameters.values()
        )
        if "sample_weight" not in fit_parameters and not takes_any:
            raise DataError(
                f"{plugin_name} cannot weight rows ({type(estimator).__name__}.fit takes no "
                f"sample_weight), and {train.schema.weight} is their weight: choose another model, "
                "or leave the weight out of the loader's settings"
            )


def _check_fidelity(recipe: Recipe, fidelity: Fidelity, plugin_name: str) -> None:
    params = recipe.estimator.get_params()
    name = type(recipe.estimator).__name__
    if not isinstance(params.get(fidelity.rounds), numbers.Integral):
        raise PluginFailed(
            f"{plugin_name}: the rounds of its fidelity are {fidelity.rounds!r}, expected a "
            f"parameter of {name} that is a whole number{nearest(str(fidelity.rounds), params)}"
        )
    if fidelity.rate is not None and fidelity.rate not in params:
        raise PluginFailed(
            f"{plugin_name}: the rate of its fidelity is {fidelity.rate!r}, expected a parameter "
            f"of {name}{nearest(str(fidelity.rate), params)}"
        )
    if fidelity.continues and "warm_start" not in params:
        raise PluginFailed(f"{plugin_name}: its fidelity continues, and {name} has no warm_start")


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


@contextlib.contextmanager
def reported_as_data(estimator: Any, rows: int) -> Iterator[None]:
    """Report that an estimator cannot be fitted on some rows as an error of the data."""
    try:
        yield
    except ValueError as error:
        reason = " ".join(str(error).split())[:300]
        raise DataError(
            f"{type(estimator).__name__} cannot be fitted on {rows} rows: {reason}"
        ) from error


def fit(recipe: Recipe, params: Mapping[str, Any], train: Table) -> Pipeline:
    """Fit all steps of a recipe on training rows."""
    of_estimator, of_steps = split_params(recipe, params)
    estimator = clone(recipe.estimator).set_params(**of_estimator)
    steps = clone_steps(recipe, of_steps)
    pipeline = Pipeline([*steps, ("model", estimator)])
    weight = train.weight
    extra = {} if weight is None else {"model__sample_weight": weight}
    target = None if recipe.task in UNSUPERVISED else train.target
    with reported_as_data(estimator, len(train)):
        return pipeline.fit(train.features, target, **extra)


def split_params(
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


def clone_steps(recipe: Recipe, params: Mapping[str, dict[str, Any]]) -> list[tuple[str, Any]]:
    """Return unfitted copies of the steps with these parameters."""
    return [(name, clone(step).set_params(**params.get(name, {}))) for name, step in recipe.steps]


def loss_function(
    table: Table,
    metric: str,
    task: str,
    classes: tuple[object, ...],
    quantile: float | None = None,
) -> Callable[[Pipeline], float]:
    """Return a function that computes a fitted pipeline's loss on these rows.

    A packed model among them does not know which `quantile` it predicts.
    """
    truth = truth_of(table, task)

    def loss(estimator: Pipeline) -> float:
        output = predict_output(estimator, table.features, task, classes)
        output = dataclasses.replace(output, quantile=quantile or output.quantile)
        return compute_loss(metric, task, truth, output, classes, weight=table.weight)

    return loss
