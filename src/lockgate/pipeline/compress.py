"""The stage ``compress``: each chosen compressor in turn, then the threshold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lockgate.contract.modeling import Candidate, CompressRequest
from lockgate.contract.tables import Schema, Table
from lockgate.errors import NotApplicable, PluginFailed, UsageError
from lockgate.modeling.metrics.decisions import best_f1_threshold, best_threshold
from lockgate.modeling.metrics.losses import class_indices
from lockgate.modeling.training.estimators import predict_scores
from lockgate.modeling.training.fitting import fit, loss_function
from lockgate.modeling.training.threads import limit_threads
from lockgate.models.packed.runtime.model import PackedModel
from lockgate.models.packing.pack import match_schema
from lockgate.pipeline.formats import ModelFormat, form_of
from lockgate.pipeline.stage import Stage
from lockgate.pipeline.workspace import FinishedModel, FittedModel, Workspace, write_json

__all__ = ["work"]


def work(stage: Stage) -> dict[str, float]:
    """Compress step by step, each within its loss budget on the tune rows."""
    workspace = Workspace(stage.root)
    form = form_of(stage.document.one("format").entry.name)
    stored = workspace.read_model("candidate", stage.backend())
    train = workspace.table("train", stored.schema)
    tune = workspace.table("tune", stored.schema)
    loss = loss_function(tune, stored.metric, stored.task, stored.classes)
    with limit_threads(stage.resources.threads):
        candidate, first = stored.candidate, loss(stored.candidate.estimator)
        budget = stage.sections.compression.max_loss * abs(first)
        steps = []
        for chosen in stage.document.chosen["compressor"]:
            shrink = CompressRequest(
                **stage.means(),
                candidate=candidate,
                train=train,
                tune=tune,
                metric=stored.metric,
                loss=loss,
                fit=lambda recipe, params: fit(recipe, params, train),
                max_loss=budget,
            )
            candidate, step = _step(stage, chosen.name, shrink, form)
            steps.append(step)
        threshold = _threshold(stage, stored, candidate, tune)
        raw = form.write(candidate.estimator, stored.schema)
        form.check(candidate.estimator, raw, tune)
    schema = _narrowed(stored.schema, candidate)
    if form.file.endswith(".packed"):
        schema = match_schema(schema, PackedModel(raw).inputs)
    made = FinishedModel(
        form.file,
        schema,
        stored.task,
        stored.metric,
        stored.classes,
        candidate.params,
        threshold,
        candidate.parent,
    )
    workspace.write_made(made, raw)
    write_json(workspace.root / "models" / "steps.json", {"metric": stored.metric, "steps": steps})
    if threshold is not None:
        stage.log.info("threshold %.3f (%s)", threshold, stage.sections.decision.rule)
    applied = sum(step["applied"] for step in steps)
    return {"steps": float(len(steps)), "applied": float(applied)}


def _step(
    stage: Stage, name: str, shrink: CompressRequest, form: ModelFormat
) -> tuple[Candidate, dict[str, Any]]:
    """Take one step, or skip it and say why."""
    before, schema = shrink.candidate, shrink.train.schema
    record: dict[str, Any] = {
        "step": name,
        "applied": False,
        "loss_before": shrink.loss(before.estimator),
        "bytes_before": len(form.write(before.estimator, schema)),
        "features_before": len(_used(before)),
    }
    try:
        after: Candidate = stage.host.call("compressor", name, shrink)
    except NotApplicable as reason:
        return before, _skipped(stage, record, str(reason))
    if after.packed is not None:
        raise PluginFailed(f"compressor.{name} gave a packed model; it has to give an estimator")
    if after.estimator is None:
        after = replace(after, estimator=shrink.fit(after.recipe, after.params))
    record["loss_after"] = shrink.loss(after.estimator)
    record["bytes_after"] = len(form.write(after.estimator, schema))
    record["features_after"] = len(_used(after))
    rise = record["loss_after"] - record["loss_before"]
    if not np.isfinite(rise) or rise > shrink.max_loss + 1e-12:
        words = f"loss rises by {rise:.4g}, allowed are {shrink.max_loss:.4g}"
        return before, _skipped(stage, record, words)
    fewer = record["features_after"] < record["features_before"]
    if record["bytes_after"] > 1.01 * record["bytes_before"] and not fewer:
        sizes = f"{record['bytes_before'] / 1024:.0f} to {record['bytes_after'] / 1024:.0f} kB"
        return before, _skipped(stage, record, f"the model grows from {sizes}")
    record["applied"] = True
    stage.log.info(
        "%s: %d to %d features, %.1f to %.1f kB, %s loss %.4f to %.4f",
        name,
        record["features_before"],
        record["features_after"],
        record["bytes_before"] / 1024,
        record["bytes_after"] / 1024,
        shrink.metric,
        record["loss_before"],
        record["loss_after"],
    )
    return replace(after, parent=name), record


def _skipped(stage: Stage, record: dict[str, Any], reason: str) -> dict[str, Any]:
    if stage.sections.compression.strict:
        raise UsageError(
            f"compressor {record['step']} does not help: {reason}; "
            "leave it out, or set compression.strict=false to skip it"
        )
    stage.log.warning("%s skipped: %s", record["step"], reason)
    return record | {"reason": reason}


def _used(candidate: Candidate) -> set[str]:
    """Return the features that the first step of the model reads."""
    parts = (
        getattr(candidate.recipe.steps[0][1], "transformers", ()) if candidate.recipe.steps else ()
    )
    return {name for _, _, names in parts for name in names}


def _narrowed(schema: Schema, candidate: Candidate) -> Schema:
    """Leave out features that the model no longer reads: nobody has to send them."""
    used = _used(candidate)
    unread = {column.name for column in schema.features} - used if used else set()
    return schema.with_columns(tuple(one for one in schema.columns if one.name not in unread))


def _threshold(
    stage: Stage, stored: FittedModel, candidate: Candidate, tune: Table
) -> float | None:
    """Decide on the tune rows from which score on the second of two classes is answered."""
    if stored.task != "binary":
        return None
    decision = stage.sections.decision
    if decision.rule == "fixed":
        return decision.threshold
    score = predict_scores(candidate.estimator, tune.features, "binary")
    truth = class_indices(tune.target, stored.classes) == 1
    if decision.rule == "value":
        return best_threshold(truth, score, decision.value_matrix, tune.weight)
    return best_f1_threshold(truth, score, tune.weight)
