"""The stage ``optimize``: tune a model on the training rows and fit the candidate."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from lockgate.contract.recipes import BuildRequest, Recipe
from lockgate.contract.search import Budget, OptimizeRequest, SearchResult
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
from lockgate.modeling.training.threads import limit_threads
from lockgate.pipeline.stage import Stage
from lockgate.pipeline.workspace import FittedModel, Workspace

__all__ = ["work"]


def work(stage: Stage) -> dict[str, float]:
    """Build a recipe, search for its parameters, and fit the best ones."""
    sections, workspace = stage.sections, Workspace(stage.root)
    facts = workspace.facts()
    schema = apply_cell_policies(workspace.schema(), sections.cells)
    train, task = workspace.table("train", schema), facts["task"]
    model, optimizer = (stage.parameters.single(kind).name for kind in ("model", "optimizer"))
    context = stage.request_context()
    build_request = BuildRequest(**context, schema=schema, task=task)
    proposal: Recipe = stage.host.call("model", model, build_request)
    check_recipe(proposal, f"model.{model}")
    check_weights(proposal, train, f"model.{model}")
    steps = build_cell_steps(schema, sections.cells, proposal.requirements, task)
    recipe = replace(proposal, steps=(*steps, *proposal.steps))
    metric = chosen_metric(sections.search.metric, task)
    folds = make_folds(train, facts["split"], sections.search.folds, sections.project.seed)
    validation = CrossValidation(recipe, train, folds, metric, facts["positive"])
    optimize_request = OptimizeRequest(
        **context,
        recipe=recipe,
        train=train,
        folds=folds,
        metric=metric,
        measure=validation.measure,
        start=validation.start,
        path=validation.path,
        budget=Budget(sections.search.seconds),
    )
    with limit_threads(stage.resources.threads):
        search: SearchResult = stage.host.call("optimizer", optimizer, optimize_request)
        candidate = search.candidate
        estimator = candidate.estimator
        check_params(
            recipe, candidate.params, f"optimizer.{stage.parameters.single('optimizer').name}"
        )
        if estimator is None:
            estimator = fit(candidate.recipe, candidate.params, train)
    candidate = replace(candidate, estimator=estimator)
    fitted = FittedModel(candidate, schema, task, get_classes(estimator, facts["positive"]), metric)
    workspace.write_model("candidate", fitted)
    _write_trials(workspace, search)
    best = search.best.loss
    params_text = ", ".join(f"{name}={value}" for name, value in candidate.params.items())
    stage.log.info(
        "best of %d trials: %s, loss %.4f (%s)",
        len(search.trials),
        params_text or "-",
        best,
        metric,
    )
    return {"trials": float(len(search.trials)), "loss": best}


def _write_trials(workspace: Workspace, search: SearchResult) -> None:
    """Write all trials, without their times: those differ from run to run."""
    shown = [
        name
        for name in ("rounds", "rung")
        if any(getattr(trial, name) is not None for trial in search.trials)
    ]
    measured = {"trial", "loss", "spread", *shown}
    rows = [
        {
            "trial": index,
            "loss": trial.loss,
            "spread": trial.spread,
            **{name: getattr(trial, name) for name in shown},
            **{
                f"{name} (parameter)" if name in measured else name: value
                for name, value in trial.params.items()
            },
        }
        for index, trial in enumerate(search.trials)
    ]
    write_file(workspace.root / "models" / "trials.csv", pd.DataFrame(rows).to_csv(index=False))
