"""The stage ``compress``: apply the chosen compressors in order, then choose the threshold."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from lockgate.contract.compression import CompressRequest
from lockgate.contract.recipes import UNSUPERVISED, Candidate
from lockgate.contract.regions import PredictionRegion
from lockgate.contract.tables import Table
from lockgate.errors import NotApplicable, PackedFormatError, PluginFailed, UsageError
from lockgate.modeling.change import measure_rows
from lockgate.modeling.metrics.conformal import measure_table_region
from lockgate.modeling.metrics.decisions import best_f1_threshold, best_threshold
from lockgate.modeling.metrics.losses import class_indices
from lockgate.modeling.training.estimators import predict_output, predict_scores
from lockgate.modeling.training.fitting import fit, loss_function
from lockgate.modeling.training.threads import limit_threads
from lockgate.models.packed.content import PackedContent
from lockgate.models.packed.runtime.estimator import PackedEstimator
from lockgate.models.packed.runtime.model import PackedModel
from lockgate.pipeline.formats import ModelWriter
from lockgate.pipeline.stage import Stage
from lockgate.pipeline.workspace import FinishedModel, FittedModel, Workspace, write_json
from lockgate.plugins.host.plugin_choice import PluginChoice

__all__ = ["work"]

TIE = 1e-9
"""Difference of two scores from which one is the higher."""


def work(stage: Stage) -> dict[str, float]:
    """Apply each compressor within its loss budget on the tune rows; write the model."""
    workspace = Workspace(stage.root)
    fitted = workspace.read_model("candidate", stage.backend())
    train = workspace.table("train", fitted.schema)
    tune = workspace.table("tune", fitted.schema)
    writer = ModelWriter(stage, fitted, tune)
    loss = loss_function(tune, fitted.metric, fitted.task, fitted.classes, fitted.quantile)
    with limit_threads(stage.resources.threads):
        candidate, initial_loss = fitted.candidate, loss(fitted.candidate.estimator)
        budget = stage.sections.compression.max_loss * abs(initial_loss)
        steps = []
        for choice in stage.parameters.chosen["compressor"]:
            request = CompressRequest(
                **stage.request_context(),
                candidate=candidate,
                train=train,
                tune=tune,
                metric=fitted.metric,
                loss=loss,
                fit=lambda recipe, params: fit(recipe, params, train),
                max_loss=budget,
                packed=functools.partial(writer.packed, candidate.estimator),
            )
            candidate, step = _run_compressor(stage, choice, request, writer)
            steps.append(step)
        threshold = _choose_threshold(stage, fitted, candidate, tune)
        written = writer.write(candidate.estimator)
        writer.check(candidate.estimator, written)
        region = _measure_region(stage, fitted, candidate, tune)
    model = FinishedModel(
        tuple(sorted(written.files)),
        written.schema or fitted.schema,
        fitted.task,
        fitted.metric,
        fitted.classes,
        candidate.params,
        threshold,
        region,
        fitted.quantile,
        written.tolerance,
        candidate.parent,
    )
    workspace.write_finished(model, written.files)
    output = predict_output(
        candidate.estimator, tune.features, fitted.task, fitted.classes, threshold
    )
    output = replace(output, quantile=fitted.quantile)
    of_train = None
    if fitted.task in UNSUPERVISED:  # their predictions have rates, and no truth to be too close to
        of_train = predict_output(
            candidate.estimator, train.features, fitted.task, fitted.classes, threshold
        )
    parts = {
        "train": measure_rows(train, fitted.task, of_train, fitted.classes),
        "tune": measure_rows(tune, fitted.task, output, fitted.classes, threshold),
    }
    steps_file = workspace.root / "models" / "steps.json"
    write_json(
        steps_file, {"metric": fitted.metric, "steps": steps, "rows": msgspec.to_builtins(parts)}
    )
    if region is not None:
        stage.log.info("%s", region.describe())
    if threshold is not None:
        anomaly = fitted.task == "anomaly"
        rule = "decision.anomalies" if anomaly else stage.sections.decision.rule
        stage.log.info("threshold %.3f (%s)", threshold, rule)
    applied = sum(step["applied"] for step in steps)
    return {"steps": float(len(steps)), "applied": float(applied)}


def _run_compressor(
    stage: Stage, choice: PluginChoice, request: CompressRequest, writer: ModelWriter
) -> tuple[Candidate, dict[str, Any]]:
    """Apply one compressor, or skip it; return the candidate and a record of the step."""
    before, name = request.candidate, choice.name
    record: dict[str, Any] = {
        "step": name,
        "applied": False,
        "loss_before": request.loss(before.estimator),
        "bytes_before": writer.size(before.estimator),
        "features_before": len(_used_features(before)),
    }
    try:
        after: Candidate = stage.host.call("compressor", name, request)
    except NotApplicable as error:
        return before, _skip(stage, record, str(error))
    after = _complete(choice, request, after)
    record["loss_after"] = request.loss(after.estimator)
    record["bytes_after"] = writer.size(after.estimator)
    record["features_after"] = len(_used_features(after))
    rise = record["loss_after"] - record["loss_before"]
    # the tolerance lets steps through that change nothing but the order of a sum
    if not np.isfinite(rise) or rise > request.max_loss + 1e-12:
        reason = f"the loss rises by {rise:.4g}, more than the allowed {request.max_loss:.4g}"
        return before, _skip(stage, record, reason)
    fewer = record["features_after"] < record["features_before"]
    # a model of fewer features may be a little larger: its caller has less to compute
    if record["bytes_after"] > 1.01 * record["bytes_before"] and not fewer:
        sizes = f"{record['bytes_before'] / 1024:.0f} to {record['bytes_after'] / 1024:.0f} kB"
        return before, _skip(stage, record, f"the model grows from {sizes}")
    record["applied"] = True
    stage.log.info(
        "%s: %d to %d features, %.1f to %.1f kB, loss (%s) %.4f to %.4f",
        name,
        record["features_before"],
        record["features_after"],
        record["bytes_before"] / 1024,
        record["bytes_after"] / 1024,
        request.metric,
        record["loss_before"],
        record["loss_after"],
    )
    return replace(after, parent=name), record


def _complete(choice: PluginChoice, request: CompressRequest, after: Candidate) -> Candidate:
    """Return the compressor's candidate with an estimator to predict with.

    Raises
    ------
    PluginFailed
        If it returned another form than it works on, or a packed model that is not valid.

    """
    name = choice.name
    if not choice.on_packed:
        if after.packed is not None:
            raise PluginFailed(
                f"compressor.{name} returned a packed model; declare `on_packed = True` in its "
                "class, so that no compressor is chosen after it that needs the estimator"
            )
        if after.estimator is None:
            return replace(after, estimator=request.fit(after.recipe, after.params))
        return after
    if after.packed is None:
        raise PluginFailed(
            f"compressor.{name} declares `on_packed = True` and returned no packed model"
        )
    try:
        content = PackedContent.read(after.packed).with_step(name, request.packed())
        estimator = PackedEstimator(content.write())
    except PackedFormatError as error:
        raise PluginFailed(f"compressor.{name} returned an invalid packed model: {error}") from None
    if problem := _find_change(PackedModel(request.packed()), estimator.model, request.tune):
        raise PluginFailed(f"compressor.{name} returned a packed model with {problem}")
    return replace(after, estimator=estimator, packed=estimator.raw)


def _find_change(before: PackedModel, after: PackedModel, tune: Table) -> str:
    """Describe what a compressor may not change in a packed model; empty if it did not."""
    old, new = before.header, after.header
    inputs = {column.name: column for column in old.inputs}
    signatures = [(model.task, model.classes, model.target_count) for model in (after, before)]
    if signatures[0] != signatures[1]:
        return "another task, other classes or targets"
    if any(inputs.get(column.name) != column for column in new.inputs):
        return "other inputs; it may only leave some out"
    if new.tolerance > old.tolerance:
        return f"a tolerance of {new.tolerance:g} instead of {old.tolerance:g}"
    if after.outputs != before.outputs:
        return f"the outputs {', '.join(after.outputs)} instead of {', '.join(before.outputs)}"
    checks = [(len(part.answers.finite), len(part.answers.short)) for part in (old, new)]
    if any(count < needed for needed, count in zip(*checks, strict=True)):
        return "fewer checks of its numbers"
    output = after.predict(tune.features)
    if output.score is not None and output.score.ndim == 2:
        top = np.asarray(after.classes)[output.score.argmax(axis=1)]
        ordered = np.sort(output.score, axis=1)
        clear = ordered[:, -1] - ordered[:, -2] > TIE
        if (clear & (top != output.label)).any():
            return "labels that are not those of the highest score"
    return ""


def _skip(stage: Stage, record: dict[str, Any], reason: str) -> dict[str, Any]:
    if stage.sections.compression.strict:
        raise UsageError(
            f"compressor {record['step']} does not help: {reason}; "
            "leave it out, or set compression.strict=false to skip it"
        )
    stage.log.warning("%s skipped: %s", record["step"], reason)
    return record | {"reason": reason}


def _used_features(candidate: Candidate) -> set[str]:
    """Return the features that the model reads."""
    if isinstance(candidate.estimator, PackedEstimator):
        return {column.name for column in candidate.estimator.model.inputs}
    parts = (
        getattr(candidate.recipe.steps[0][1], "transformers", ()) if candidate.recipe.steps else ()
    )
    return {name for _, _, names in parts for name in names}


def _measure_region(
    stage: Stage, fitted: FittedModel, candidate: Candidate, tune: Table
) -> PredictionRegion | None:
    """Measure intervals or sets on the tune rows, where a coverage is set."""
    coverage = stage.sections.decision.coverage
    if coverage is None:
        return None
    output = predict_output(candidate.estimator, tune.features, fitted.task, fitted.classes)
    return measure_table_region(tune, output, fitted.task, fitted.classes, coverage)


def _choose_threshold(
    stage: Stage, fitted: FittedModel, candidate: Candidate, tune: Table
) -> float | None:
    """Choose the threshold for the positive class on the tune rows; None for other tasks."""
    decision = stage.sections.decision
    if fitted.task == "anomaly":
        return 1 - decision.anomalies
    if fitted.task != "binary":
        return None
    if decision.rule == "fixed":
        return decision.threshold
    score = predict_scores(candidate.estimator, tune.features, fitted.classes)
    truth = class_indices(tune.target, fitted.classes) == 1
    if decision.rule == "value":
        return best_threshold(truth, score, decision.value_matrix, tune.weight)
    return best_f1_threshold(truth, score, tune.weight)
