"""The stage ``package``: write the model and its report as a bundle."""

from __future__ import annotations

import json
from typing import Any

# the manifest records the BLAS libraries that are loaded: SciPy's must be among them in a stage
# that runs alone as in one that is forked from the stage server, or their bundles would differ
import scipy.linalg  # noqa: F401

from lockgate.contract.prediction import Output
from lockgate.contract.tables import Table
from lockgate.data.io.digests import sha256_text
from lockgate.modeling.statistics.histograms import build_reference, select_monitored_output
from lockgate.modeling.training.threads import limit_threads
from lockgate.models.bundle.card import (
    describe_carried_rows,
    describe_quantile,
    model_card,
)
from lockgate.models.bundle.environment import environment_of
from lockgate.models.bundle.manifest import CONTRACT, Hashes
from lockgate.models.bundle.open import open_bundle
from lockgate.models.bundle.open_format import model_of
from lockgate.models.bundle.probes import probes_of
from lockgate.models.bundle.reference_row import make_reference_row
from lockgate.models.bundle.write import BundleContent, canonical, write_bundle
from lockgate.pipeline.formats import open_finished
from lockgate.pipeline.stage import Stage
from lockgate.pipeline.workspace import FinishedModel, Workspace, to_plain
from lockgate.plugins.host.provider import identify_provider

__all__ = ["work"]

MODEL_KEYS = (
    "project",
    "data",
    "rows",
    "cells",
    "split",
    "search",
    "compression",
    "decision",
    "loader",
    "model",
    "optimizer",
    "compressor",
    "compressor_order",
    "backend",
)
"""Keys of ``params.yaml`` that can change the model: their digest goes into the manifest."""


def work(stage: Stage) -> dict[str, float]:
    """Collect the content of the bundle, write it atomically, and open it as a user does."""
    workspace = Workspace(stage.root)
    model = workspace.read_finished()
    tune = workspace.table("tune", model.schema)
    train = workspace.table("train", model.schema)
    evaluation = json.loads((workspace.report / "report.json").read_bytes())
    contract = workspace.facts()["contract"]
    with limit_threads(stage.resources.threads):
        predictor = open_finished(stage, workspace, model)
        output = predictor.predict(tune.features)
        content = BundleContent(
            stage.sections.project.name,
            model.task,
            stage.parameters.single("format").entry.name,
            model.schema,
            model.classes,
            model.threshold,
            stage.sections.decision.value_matrix if model.task == "binary" else None,
            make_reference_row(model_of(predictor).inputs, train.features),
            workspace.read_files(model),
            {
                "reference.json": _build_reference(
                    stage, model, train, output, workspace.facts()["columns"]
                ),
                "probes.json": probes_of(tune.features, model.schema, predictor, model.tolerance),
                "metrics.json": {
                    name: report["metrics"] for name, report in evaluation["evaluators"].items()
                },
                "card.md": _format_card(
                    stage,
                    model,
                    workspace.facts(),
                    evaluation,
                    describe_carried_rows(model_of(predictor)),
                ),
                **({CONTRACT: contract} if contract else {}),
            },
            _build_hashes(stage, train),
            environment_of(stage.parameters.single("format").entry),
            model.region,
            quantile=model.quantile,
        )
        digest = write_bundle(workspace.bundle, content)
        open_bundle(workspace.bundle)
    size = sum(path.stat().st_size for path in workspace.bundle.iterdir())
    stage.log.info("bundle %s, %.1f kB, opened and verified", digest[:12], size / 1024)
    return {"bundle_kb": size / 1024}


def _format_card(
    stage: Stage,
    model: FinishedModel,
    facts: dict[str, Any],
    evaluation: dict[str, Any],
    carried: list[str],
) -> str:
    plugin_names = {
        kind: ", ".join(choice.name for choice in choices) or "no plugin"
        for kind, choices in stage.parameters.chosen.items()
    }
    reports, decision = evaluation["evaluators"], ""
    if model.threshold is not None:
        rule = stage.sections.decision.rule
        decision = (
            f"`{model.classes[1]}` is predicted when the score is at least {model.threshold:.4g} "
            f"(rule: {rule})."
        )
    if model.quantile is not None:
        decision = describe_quantile(model.quantile)
    if model.region is not None:
        decision = f"{decision} {model.region.describe()}".strip()
    return model_card(
        stage.sections.project.name,
        model.task,
        model.schema,
        description=f"`{plugin_names['model']}`{_combined(stage)}, tuned by "
        f"`{plugin_names['optimizer']}`, compressed by `{plugin_names['compressor']}`.",
        data_notes=[
            f"Loaded by `{plugin_names['loader']}`: {facts['rows']['train']} train, "
            f"{facts['rows']['tune']} tune and {facts['rows']['test']} test rows, split by "
            f"{facts['split']}.",
            *(f"Rows left out: {n} ({reason})." for reason, n in facts["rows_left_out"].items()),
        ],
        warnings=[*evaluation["warnings"], *carried],
        metrics_by_evaluator={name: report["metrics"] for name, report in reports.items()},
        baselines_by_evaluator={name: report["baselines"] for name, report in reports.items()},
        classes=model.classes,
        contract=facts["contract"],
        decision=decision,
    )


def _combined(stage: Stage) -> str:
    """Return how several models were fused, and how scores were calibrated."""
    search, models = stage.sections.search, stage.parameters.chosen["model"]
    how = [f"as one model ({search.fusion})"] * (len(models) > 1)
    how += [f"scores calibrated ({search.calibration})"] * (search.calibration != "none")
    return "".join(f", {part}" for part in how)


def _build_reference(
    stage: Stage, model: FinishedModel, train: Table, output: Output, counted: list[dict[str, Any]]
) -> Any:
    """Count the training rows, and the predictions on rows that were not trained on."""
    scores = select_monitored_output(output, model.task, model.schema.targets)
    reference = build_reference(train.features, model.schema, stage.backend(), scores)
    read = {column.name for column in model.schema.features}
    unread = [bins for bins in counted if bins["column"] not in read]
    return to_plain(reference) | {"unread": unread}


def _build_hashes(stage: Stage, train: Table) -> Hashes:
    shaping = {key: stage.raw.get(key) for key in MODEL_KEYS}
    code = {
        f"{choice.kind}.{choice.name}": identify_provider(choice.entry)
        for kind in ("loader", "model", "optimizer", "compressor", "backend")
        for choice in stage.parameters.chosen[kind]
    }
    return Hashes(sha256_text(canonical(shaping)), train.digest, code)
