"""The stage ``package``: from a compressed model and its report to a bundle."""

from __future__ import annotations

import json
from typing import Any

from lockgate.contract.prediction import Output
from lockgate.contract.tables import Table
from lockgate.data.io.digests import sha256_text
from lockgate.modeling.statistics.histograms import monitored_output, reference_of
from lockgate.modeling.training.threads import limit_threads
from lockgate.models.bundle.card import model_card
from lockgate.models.bundle.environment import environment_of
from lockgate.models.bundle.manifest import Hashes
from lockgate.models.bundle.open import open_bundle
from lockgate.models.bundle.probes import probes_of
from lockgate.models.bundle.write import BundleContent, canonical, write_bundle
from lockgate.pipeline.formats import open_model
from lockgate.pipeline.stage import Stage
from lockgate.pipeline.workspace import FinishedModel, Workspace, plain
from lockgate.plugins.host.provider import provider_of

__all__ = ["work"]

SHAPING = (
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
"""Keys of ``params.yaml`` that can change the model."""


def work(stage: Stage) -> dict[str, float]:
    """Gather everything, write it in one step, and open it once as a user would."""
    workspace = Workspace(stage.root)
    made = workspace.read_made()
    tune = workspace.table("tune", made.schema)
    train = workspace.table("train", made.schema)
    report = json.loads((workspace.report / "report.json").read_bytes())
    with limit_threads(stage.resources.threads):
        predictor = open_model(stage, workspace, made)
        seen = predictor.predict(tune.features)
        content = BundleContent(
            stage.sections.project.name,
            made.task,
            stage.document.one("format").entry.name,
            made.schema,
            made.classes,
            made.threshold,
            stage.sections.decision.value_matrix if made.task == "binary" else None,
            {made.file: (workspace.model("compressed") / made.file).read_bytes()},
            {
                "reference.json": _reference(stage, made, train, seen),
                "probes.json": probes_of(tune.features, predictor),
                "metrics.json": {name: one["metrics"] for name, one in report.items()},
                "card.md": _card(stage, made, workspace.facts(), report),
            },
            _hashes(stage, train),
            environment_of(stage.document.one("format").entry.load()),
        )
        digest = write_bundle(workspace.bundle, content)
        open_bundle(workspace.bundle)
    size = sum(path.stat().st_size for path in workspace.bundle.iterdir())
    stage.log.info("bundle %s, %.1f kB, opened and asked again", digest[:12], size / 1024)
    return {"bundle_kb": size / 1024}


def _card(stage: Stage, made: FinishedModel, facts: dict[str, Any], report: dict[str, Any]) -> str:
    chosen = {
        kind: ", ".join(one.name for one in found) or "nothing"
        for kind, found in stage.document.chosen.items()
    }
    decision = ""
    if made.threshold is not None:
        rule = stage.sections.decision.rule
        decision = (
            f"`{made.classes[1]}` is answered from a score of {made.threshold:.4g} on ({rule})."
        )
    return model_card(
        stage.sections.project.name,
        made.task,
        made.schema,
        made=f"{chosen['model']}, tuned by {chosen['optimizer']}, "
        f"compressed by {chosen['compressor']}.",
        data=[
            f"Loaded by `{chosen['loader']}`: {facts['rows']['train']} rows to train, "
            f"{facts['rows']['tune']} to tune, {facts['rows']['test']} to test, split by "
            f"{facts['split']}.",
            *(f"Left out: {n} rows, {reason}." for reason, n in facts["rows_left_out"].items()),
        ],
        figures={name: one["metrics"] for name, one in report.items()},
        decision=decision,
    )


def _reference(stage: Stage, made: FinishedModel, train: Table, seen: Output) -> Any:
    """Count the training rows, and the answers to rows that were not trained on."""
    return plain(
        reference_of(
            train.features, made.schema, stage.backend(), monitored_output(seen, made.task)
        )
    )


def _hashes(stage: Stage, train: Table) -> Hashes:
    shaping = {key: stage.raw.get(key) for key in SHAPING}
    code = {
        f"{one.kind}.{one.name}": provider_of(one.entry)
        for kind in ("loader", "model", "optimizer", "compressor", "backend")
        for one in stage.document.chosen[kind]
    }
    return Hashes(sha256_text(canonical(shaping)), train.digest, code)
