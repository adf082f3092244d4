"""The stage ``package``: from a compressed model and its report to a bundle."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from lockgate.bundle.manifest import Hashes
from lockgate.bundle.probes import probes_of
from lockgate.bundle.reading import open_bundle
from lockgate.bundle.writing import Content, canonical, write_bundle
from lockgate.drift.counting import reference_of
from lockgate.files.digests import sha256_text
from lockgate.host.provider import provider_of
from lockgate.packing.answers import answers
from lockgate.pipeline.card import model_card
from lockgate.pipeline.stage import Stage
from lockgate.pipeline.workspace import MODEL_FILE, Stored, Workspace, plain
from lockgate.spec.tables import Table
from lockgate.spec.values import Output
from lockgate.training.fitting import limited

__all__ = ["work"]

SHAPING = ("project", "data", "rows", "cells", "split", "search", "compression", "decision",
           "loader", "model", "optimizer", "compressor", "compressor_order", "backend")  # fmt: skip
"""Keys of ``params.yaml`` that can change the model."""


def work(stage: Stage) -> dict[str, float]:
    """Gather everything, write it in one step, and open it once as a user would."""
    workspace = Workspace(stage.root)
    stored = workspace.read_model("compressed", stage.backend())
    tune = workspace.table("tune", stored.schema)
    train = workspace.table("train", stored.schema)
    report = json.loads((workspace.report / "report.json").read_bytes())
    with limited(stage.resources.threads):
        predictor = _Answering(stored)
        seen = predictor.predict(tune.features)
        content = Content(
            stage.sections.project.name,
            stored.task,
            stage.document.one("format").entry.name,
            stored.schema,
            stored.classes,
            stored.candidate.threshold,
            stage.sections.decision.worth if stored.task == "binary" else None,
            {MODEL_FILE: workspace.model("compressed") / MODEL_FILE},
            {
                "reference.json": _reference(stage, stored, train, seen),
                "probes.json": probes_of(tune.features, predictor),
                "metrics.json": {name: one["metrics"] for name, one in report.items()},
                "card.md": model_card(stage, stored, workspace.facts(), report),
            },
            _hashes(stage, train),
            _environment(),
        )
        digest = write_bundle(workspace.bundle, content)
        open_bundle(workspace.bundle)
    size = sum(path.stat().st_size for path in workspace.bundle.iterdir())
    stage.log.info("bundle %s, %.1f kB, opened and asked again", digest[:12], size / 1024)
    return {"bundle_kb": size / 1024}


class _Answering:
    """The model in memory, to record what it answers before it is written."""

    def __init__(self, stored: Stored) -> None:
        self.schema, self._stored = stored.schema, stored

    def predict(self, columns: Any) -> Output:
        stored = self._stored
        candidate = stored.candidate
        return answers(
            candidate.estimator, columns, stored.task, stored.classes, candidate.threshold
        )


def _reference(stage: Stage, stored: Stored, train: Table, seen: Output) -> Any:
    """Count the training rows, and the answers to rows that were not trained on."""
    score = seen.label if stored.task == "regression" else seen.score
    if score is not None and np.ndim(score) > 1:
        score = None
    return plain(reference_of(train.features, stored.schema, stage.backend(), score))


def _hashes(stage: Stage, train: Table) -> Hashes:
    shaping = {key: stage.raw.get(key) for key in SHAPING}
    code = {
        f"{one.kind}.{one.instance}": provider_of(one.entry)
        for kind in ("loader", "model", "optimizer", "compressor", "backend")
        for one in stage.document.chosen[kind]
    }
    return Hashes(sha256_text(canonical(shaping)), train.digest, code)


def _environment() -> dict[str, str]:
    """Say what answers and training depend on; BLAS kernels differ in the last digits."""
    kernels = {
        f"{info.get('internal_api')} {info.get('version')} {info.get('architecture', '')}".strip()
        for info in threadpool_info()
        if info.get("user_api") == "blas"
    }
    libraries = ("numpy", "pandas", "scikit-learn", "skops")
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "blas": ", ".join(sorted(kernels)),
        **{name: version(name) for name in libraries},
    }
