"""The stage ``optimize``: tune a model on the training rows and fit the candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from lockgate.contract.recipes import BuildRequest, Candidate, Recipe, Task, is_fitted_to_each
from lockgate.contract.search import Budget, OptimizeRequest, SearchResult
from lockgate.contract.tables import Fold, Table
from lockgate.data.cell_rules import apply_cell_policies, build_cell_steps
from lockgate.data.io.atomic import write_file
from lockgate.data.splits import make_folds
from lockgate.modeling.metrics.losses import chosen_metric
from lockgate.modeling.training.cross_validation import CrossValidation
from lockgate.modeling.training.estimators import get_classes
from lockgate.modeling.training.fitting import (
    check_params,
    check_recipe,
    check_weights,
    fit,
)
from lockgate.modeling.training.fusion import calibrate, check_calibration, check_fusion, fuse
from lockgate.modeling.training.quantiles import quantile_of
from lockgate.modeling.training.several_targets import first_target_alone, fit_each_target
from lockgate.modeling.training.threads import limit_threads
from lockgate.pipeline.stage import Stage
from lockgate.pipeline.workspace import FittedModel, Workspace
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.task_checks import check_task

__all__ = ["work"]


def work(stage: Stage) -> dict[str, float]:
    """Build a recipe, search for its parameters, and fit the best ones."""
    sections, workspace = stage.sections, Workspace(stage.root)
    facts = workspace.facts()
    schema = apply_cell_policies(workspace.schema(), sections.cells)
    train, task = workspace.table("train", schema), facts["task"]
    check_task(sections, stage.parameters.chosen, task, Catalogue.installed())
    folds = make_folds(train, facts["split"], sections.search.folds, sections.project.seed)
    searches: dict[str, SearchResult] = {}
    with limit_threads(stage.resources.threads):
        recipes = _build_all(stage, train, task)
        quantile = quantile_of(next(iter(recipes.values())).estimator)  # that of all
        metric = chosen_metric(sections.search.metric, task, quantile)
        for name, recipe in recipes.items():
            validation = CrossValidation(recipe, train, folds, metric, facts["positive"])
            searches[name] = _search(stage, recipe, train, folds, validation, metric)
            _log_best(stage, name, searches[name], metric)
        candidate, loss = _fuse_and_calibrate(
            stage, searches, train, folds, metric, facts["positive"]
        )
        estimator = candidate.estimator
        if estimator is None:
            estimator = fit(candidate.recipe, candidate.params, train)
    candidate = replace(candidate, estimator=estimator)
    fitted = FittedModel(candidate, schema, task, get_classes(estimator, facts["positive"]), metric)
    workspace.write_model("candidate", fitted)
    _write_trials(workspace, searches)
    return {"trials": float(sum(len(search.trials) for search in searches.values())), "loss": loss}


def _build_all(stage: Stage, train: Table, task: Task) -> dict[str, Recipe]:
    """Return the recipe of each model, once it is known that they can become a single one."""
    search, grouped = stage.sections.search, train.schema.group is not None
    models = stage.parameters.chosen["model"]
    recipes = {choice.name: _build(stage, choice.name, train, task) for choice in models}
    if len(recipes) > 1:
        check_fusion(recipes, search.fusion, grouped=grouped)
    if search.calibration != "none":
        check_calibration(task, search.calibration, grouped=grouped)
    return recipes


def _build(stage: Stage, model: str, train: Table, task: Task) -> Recipe:
    """Return the recipe of a model with the steps that prepare its rows."""
    tasks = next(
        choice.tasks for choice in stage.parameters.chosen["model"] if choice.name == model
    )
    # a model of a single target is fitted to each of several
    each_target = is_fitted_to_each(tasks, task)
    request = BuildRequest(
        **stage.request_context(),
        schema=first_target_alone(train.schema) if each_target else train.schema,
        task="regression" if each_target else task,
    )
    proposal: Recipe = stage.host.call("model", model, request)
    if each_target:
        check_recipe(proposal, f"model.{model}")
        proposal = fit_each_target(proposal)
    check_recipe(proposal, f"model.{model}")
    check_weights(proposal, train, f"model.{model}")
    steps = build_cell_steps(train.schema, stage.sections.cells, proposal.requirements, task)
    return replace(proposal, steps=(*steps, *proposal.steps))


def _search(
    stage: Stage,
    recipe: Recipe,
    train: Table,
    folds: tuple[Fold, ...],
    validation: CrossValidation,
    metric: str,
) -> SearchResult:
    """Let the optimizer choose the parameters of a recipe."""
    optimizer = stage.parameters.single("optimizer").name
    request = OptimizeRequest(
        **stage.request_context(),
        recipe=recipe,
        train=train,
        folds=folds,
        metric=metric,
        measure=validation.measure,
        start=validation.start,
        path=validation.path,
        budget=Budget(stage.sections.search.seconds),
    )
    search: SearchResult = stage.host.call("optimizer", optimizer, request)
    check_params(recipe, search.candidate.params, f"optimizer.{optimizer}")
    return search


def _fuse_and_calibrate(
    stage: Stage,
    searches: Mapping[str, SearchResult],
    train: Table,
    folds: tuple[Fold, ...],
    metric: str,
    positive: str,
) -> tuple[Candidate, float]:
    """Fuse and calibrate what was found; return the candidate, and its loss on the folds."""
    search = stage.sections.search
    first = next(iter(searches.values()))
    candidate, loss = first.candidate, first.best.loss
    grouped = train.schema.group is not None
    if len(searches) > 1:
        recipe = fuse(
            {name: result.candidate.recipe for name, result in searches.items()},
            {name: result.candidate.params for name, result in searches.items()},
            search.fusion,
            grouped=grouped,
        )
        candidate = Candidate(recipe)
    if search.calibration != "none":
        candidate = calibrate(candidate, search.calibration, grouped=grouped)
        check_weights(candidate.recipe, train, "search.calibration")
    if candidate is not first.candidate:
        validation = CrossValidation(candidate.recipe, train, folds, metric, positive)
        loss = validation.measure(candidate.params).loss
        names = ", ".join(searches)
        how = [search.fusion] if len(searches) > 1 else []
        if search.calibration != "none":
            how.append(search.calibration)
        stage.log.info("%s of %s: loss %.4f (%s)", ", then ".join(how), names, loss, metric)
        best = min(result.best.loss for result in searches.values())
        if loss > best:
            stage.log.warning(
                "%s does not help: the loss of the best model alone is %.4f (%s)",
                " and ".join(how),
                best,
                metric,
            )
    return candidate, loss


def _log_best(stage: Stage, model: str, search: SearchResult, metric: str) -> None:
    several = len(stage.parameters.chosen["model"]) > 1
    params = ", ".join(f"{name}={value}" for name, value in search.candidate.params.items())
    stage.log.info(
        "%sbest of %d trials: %s, loss %.4f (%s)",
        f"{model}: " if several else "",
        len(search.trials),
        params or "-",
        search.best.loss,
        metric,
    )


def _write_trials(workspace: Workspace, searches: Mapping[str, SearchResult]) -> None:
    """Write all trials, without their times: those differ from run to run."""
    trials = [
        ({"model": name} if len(searches) > 1 else {}, trial)
        for name, search in searches.items()
        for trial in search.trials
    ]
    shown = [
        name
        for name in ("rounds", "rung")
        if any(getattr(trial, name) is not None for _, trial in trials)
    ]
    measured = {"trial", "model", "loss", "spread", *shown}
    rows = [
        {
            "trial": index,
            **model,
            "loss": trial.loss,
            "spread": trial.spread,
            **{name: getattr(trial, name) for name in shown},
            **{
                f"{name} (parameter)" if name in measured else name: value
                for name, value in trial.params.items()
            },
        }
        for index, (model, trial) in enumerate(trials)
    ]
    write_file(workspace.root / "models" / "trials.csv", pd.DataFrame(rows).to_csv(index=False))
