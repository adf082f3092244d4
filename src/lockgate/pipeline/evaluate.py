"""The stage ``evaluate``: measure the model on the test rows and write the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lockgate.contract.evaluation import EvaluateRequest, Metric, Report, ValueMatrix
from lockgate.contract.tables import Table
from lockgate.data.io.prepared import read_with_left_out
from lockgate.modeling.baselines import measure_baseline
from lockgate.modeling.change import RowMeasures, change_table, describe_change, measure_rows
from lockgate.modeling.metrics.losses import direction_of
from lockgate.modeling.metrics.multioutput import target_metrics
from lockgate.modeling.metrics.titles import metric_title
from lockgate.modeling.training.threads import limit_threads
from lockgate.pipeline.criteria import Criterion, judge_criteria
from lockgate.pipeline.formats import open_finished
from lockgate.pipeline.incumbents import measure_incumbents
from lockgate.pipeline.reports.pages import report_page
from lockgate.pipeline.reports.plots import draw_plot
from lockgate.pipeline.stage import Stage
from lockgate.pipeline.workspace import FinishedModel, Workspace, empty_folder, write_json
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.task_checks import check_task

__all__ = ["work"]


def work(stage: Stage) -> dict[str, float]:
    """Open the model as a server does, and run every chosen evaluator on it."""
    workspace, sections = Workspace(stage.root), stage.sections
    model = workspace.read_finished()
    plugins = stage.parameters.chosen
    check_task(sections, plugins, model.task, Catalogue.installed())
    request, reports = _run_evaluators(stage, workspace, model)
    baselines = _measure_baselines(workspace, request.table, model)
    incumbents = measure_incumbents(
        stage.root,
        stage.sections.project.name,
        request,
        workspace.facts()["digests"]["train"],
        stage.log.info,
    )
    parts = workspace.measured_parts()
    parts["test"] = measure_rows(
        request.table, model.task, request.output, model.classes, model.threshold
    )
    measured = _measured(reports, model.metric)
    of_model = _compare(model, reports, baselines, parts)
    warnings = [*of_model, *workspace.facts()["warnings"]]
    change = change_table(parts["train"], parts["tune"], parts["test"])
    metrics = _write_files(workspace, reports, baselines, warnings, change)
    worse = _find_better(incumbents, measured, model.metric, are_incumbents=True)
    criteria = judge_criteria(stage, request, reports)
    _write_page(
        stage, workspace, reports, baselines | incumbents, criteria, [*worse, *warnings], change
    )
    unmet = [f"not met: {criterion.text}" for criterion in criteria if not criterion.met]
    for warning in (*unmet, *worse, *of_model):
        stage.log.warning("%s", warning)
    for name, report in reports.items():
        for message in report.messages:
            stage.log.info("%s: %s", name, message)
    chosen = {choice.entry.name for choice in stage.parameters.chosen["evaluator"]}
    if stage.sections.decision.value_matrix != ValueMatrix() and "business" not in chosen:
        stage.log.info("to measure the value of decisions: lockgate run +evaluator=business")
    return metrics


def _compare(
    model: FinishedModel,
    reports: Mapping[str, Report],
    baselines: Mapping[str, Mapping[str, float]],
    parts: Mapping[str, RowMeasures],
) -> list[str]:
    """Return where the model does not beat a baseline, or is worse than on the tune rows.

    Of several targets each is compared, as their mean may hide it.
    """
    targets = model.schema.targets
    compared = [model.metric]
    if model.task == "multioutput":
        compared += target_metrics("r2", targets)
    messages = []
    for metric in compared:
        estimate = _measured(reports, metric)
        messages += _find_better(baselines, estimate, metric, targets)
        messages += describe_change(
            parts["train"], parts["tune"], parts["test"], metric, estimate, targets
        )
    return messages


def _run_evaluators(
    stage: Stage, workspace: Workspace, model: FinishedModel
) -> tuple[EvaluateRequest, dict[str, Report]]:
    """Return what the evaluators were asked, and the report of each by its name."""
    test = workspace.table("test", model.schema)
    decision = stage.sections.decision
    with limit_threads(stage.resources.threads):
        predictor = open_finished(stage, workspace, model)
        output = replace(predictor.predict(test.features), quantile=model.quantile)
        request = EvaluateRequest(
            **stage.request_context(),
            predictor=predictor,
            table=test,
            output=output if model.region is None else model.region.attach(output),
            task=model.task,  # type: ignore[arg-type]  # checked by the load stage
            classes=model.classes,
            threshold=model.threshold,
            value_matrix=decision.value_matrix,
            model_bytes=workspace.finished_bytes(model),
            rows=read_with_left_out(test.frame, stage.root),
        )
        reports: dict[str, Report] = {
            choice.name: stage.host.call("evaluator", choice.name, request)
            for choice in stage.parameters.chosen["evaluator"]
        }
    return request, reports


def _measure_baselines(
    workspace: Workspace, test: Table, model: FinishedModel
) -> dict[str, dict[str, float]]:
    """Return the metrics of each baseline on the test rows.

    They predict means; a quantile is compared with that of the test rows by its own metrics.
    """
    if model.quantile is not None:
        return {}
    return {
        baseline.label: measure_baseline(baseline, test, model.task, model.classes)
        for baseline in workspace.baselines()
        if baseline.column is None or baseline.column in test.frame
    }


def _find_better(
    others: Mapping[str, Mapping[str, float]],
    measured: Metric | None,
    metric: str,
    targets: Sequence[str] = (),
    *,
    are_incumbents: bool = False,
) -> list[str]:
    """Return a message for each baseline or incumbent that is better than the model.

    A constant that is as good is better, as it needs no model; an incumbent may be this model.
    """
    if measured is None:
        return []
    sign = direction_of(metric, targets)
    assert sign is not None  # lockgate's own metrics have a direction
    messages = []
    for label, metrics in others.items():
        gain = sign * (measured.estimate - metrics.get(metric, -sign * math.inf))
        if gain < 0 or (gain == 0 and not are_incumbents):
            article = "the" if are_incumbents else "a baseline, the"
            messages.append(
                f"the model does not beat {article} {label}: {metric_title(metric)} "
                f"{measured.estimate:.4g} against {metrics[metric]:.4g}"
            )
    return messages


def _measured(reports: Mapping[str, Report], metric: str) -> Metric | None:
    """Return a metric of the first evaluator that has it."""
    return next((r.metrics[metric] for r in reports.values() if metric in r.metrics), None)


def _write_files(
    workspace: Workspace,
    reports: Mapping[str, Report],
    baselines: Mapping[str, Mapping[str, float]],
    warnings: list[str],
    change: list[dict[str, Any]],
) -> dict[str, float]:
    """Write the metrics as JSON, and the plots; return all metrics.

    What they hold follows from the inputs of the stage alone: a bundle carries it.
    """
    deterministic = {
        name: report for name, report in reports.items() if not report.nondeterministic
    }
    write_json(workspace.report / "metrics.json", _estimates(deterministic))
    plain = {
        name: _without_plots(report) | {"baselines": _shared_metrics(report, baselines)}
        for name, report in deterministic.items()
    }
    write_json(
        workspace.report / "report.json",
        {"evaluators": plain, "warnings": warnings, "change": change},
    )
    write_json(
        workspace.report / "cost.json",
        {n: _without_plots(r) for n, r in reports.items() if r.nondeterministic},
    )
    # `dvc plots` shows images; the page draws its own, which say their values
    plots = empty_folder(workspace.report / "plots")
    for name, report in deterministic.items():
        for plot in report.plots:
            draw_plot(plot, plots / f"{name}-{plot.name}.png")
    return {
        f"{name}.{key}": value
        for name, metrics in _estimates(reports).items()
        for key, value in metrics.items()
    }


def _write_page(
    stage: Stage,
    workspace: Workspace,
    reports: Mapping[str, Report],
    others: Mapping[str, Mapping[str, float]],
    criteria: Sequence[Criterion],
    warnings: list[str],
    change: list[dict[str, Any]],
) -> None:
    """Write the HTML report; incumbents are there only, as they are not an input of the stage."""
    page = report_page(
        stage.sections.project.name,
        workspace,
        reports,
        stage.raw,
        {name: _shared_metrics(report, others) for name, report in reports.items()},
        criteria,
        warnings,
        change,
    )
    (workspace.report / "index.html").write_text(page, encoding="utf-8")


def _estimates(reports: Mapping[str, Report]) -> dict[str, dict[str, float]]:
    return {
        name: {key: float(metric.estimate) for key, metric in report.metrics.items()}
        for name, report in reports.items()
    }


def _shared_metrics(
    report: Report, others: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """Return those metrics of baselines and incumbents that the report has, too."""
    shared = {
        label: {name: value for name, value in metrics.items() if name in report.metrics}
        for label, metrics in others.items()
    }
    return {label: metrics for label, metrics in shared.items() if metrics}


def _without_plots(report: Report) -> dict[str, Any]:
    return {"metrics": report.metrics, "tables": report.tables, "messages": report.messages}
