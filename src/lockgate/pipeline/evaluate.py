"""The stage ``evaluate``: measure the model on the test rows and write the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lockgate.contract.evaluation import EvaluateRequest, Metric, Report
from lockgate.contract.tables import Table
from lockgate.data.io.prepared import read_with_left_out
from lockgate.modeling.baselines import measure_baseline
from lockgate.modeling.change import change_table, describe_change, measure_rows
from lockgate.modeling.metrics.losses import HIGHER_IS_BETTER
from lockgate.modeling.training.threads import limit_threads
from lockgate.pipeline.formats import open_finished
from lockgate.pipeline.reports.pages import report_page
from lockgate.pipeline.reports.plots import draw_plot
from lockgate.pipeline.stage import Stage
from lockgate.pipeline.workspace import FinishedModel, Workspace, empty_folder, write_json

__all__ = ["work"]


def work(stage: Stage) -> dict[str, float]:
    """Open the model as a server does, and run every chosen evaluator on it."""
    workspace = Workspace(stage.root)
    model = workspace.read_finished()
    test = workspace.table("test", model.schema)
    decision = stage.sections.decision
    with limit_threads(stage.resources.threads):
        predictor = open_finished(stage, workspace, model)
        request = EvaluateRequest(
            **stage.request_context(),
            predictor=predictor,
            table=test,
            output=predictor.predict(test.features),
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
    baselines = _measure_baselines(workspace, test, model)
    parts = workspace.measured_parts()
    parts["test"] = measure_rows(
        model.task, test.target, request.output, model.classes, model.threshold, test.weight
    )
    of_model = _beaten_by(baselines, reports, model)
    measured = _measured(reports, model.metric)
    of_model += describe_change(
        parts["train"], parts["tune"], parts["test"], model.metric, measured
    )
    warnings = [*of_model, *workspace.facts()["warnings"]]
    change = change_table(parts["train"], parts["tune"], parts["test"])
    metrics = _write_reports(stage, workspace, reports, baselines, warnings, change)
    for warning in of_model:
        stage.log.warning("%s", warning)
    for name, report in reports.items():
        for message in report.messages:
            stage.log.info("%s: %s", name, message)
    return metrics


def _measure_baselines(
    workspace: Workspace, test: Table, model: FinishedModel
) -> dict[str, dict[str, float]]:
    """Return the metrics of each baseline on the test rows."""
    return {
        baseline.label: measure_baseline(baseline, test, model.task, model.classes)
        for baseline in workspace.baselines()
        if baseline.column is None or baseline.column in test.frame
    }


def _beaten_by(
    baselines: Mapping[str, Mapping[str, float]],
    reports: Mapping[str, Report],
    model: FinishedModel,
) -> list[str]:
    """Return a message for each baseline that is as good as the model in the metric it is for."""
    measured = _measured(reports, model.metric)
    if measured is None:
        return []
    sign = 1 if model.metric in HIGHER_IS_BETTER else -1
    return [
        f"the model does not beat a baseline, the {label}: {model.metric.replace('_', ' ')} "
        f"{measured.estimate:.4g}, that of the baseline {metrics[model.metric]:.4g}"
        for label, metrics in baselines.items()
        if model.metric in metrics and sign * (measured.estimate - metrics[model.metric]) <= 0
    ]


def _measured(reports: Mapping[str, Report], metric: str) -> Metric | None:
    """Return a metric of the first evaluator that has it."""
    return next((r.metrics[metric] for r in reports.values() if metric in r.metrics), None)


def _write_reports(
    stage: Stage,
    workspace: Workspace,
    reports: dict[str, Report],
    baselines: Mapping[str, Mapping[str, float]],
    warnings: list[str],
    change: list[dict[str, Any]],
) -> dict[str, float]:
    """Write the metrics as JSON, the plots, and the HTML report; return all metrics."""
    deterministic = {
        name: report for name, report in reports.items() if not report.nondeterministic
    }
    nondeterministic = {name: report for name, report in reports.items() if report.nondeterministic}
    write_json(workspace.report / "metrics.json", _estimates(deterministic))
    plain = {name: _without_plots(report, baselines) for name, report in deterministic.items()}
    write_json(
        workspace.report / "report.json",
        {"evaluators": plain, "warnings": warnings, "change": change},
    )
    write_json(
        workspace.report / "cost.json",
        {n: _without_plots(r, {}) for n, r in nondeterministic.items()},
    )
    plots = empty_folder(workspace.report / "plots")
    for name, report in deterministic.items():
        for plot in report.plots:
            draw_plot(plot, plots / f"{name}-{plot.name}.png")
    page = report_page(
        stage.sections.project.name, workspace, reports, stage.raw, baselines, warnings, change
    )
    (workspace.report / "index.html").write_text(page, encoding="utf-8")
    estimates = _estimates(reports)
    return {
        f"{name}.{key}": value
        for name, metrics in estimates.items()
        for key, value in metrics.items()
    }


def _estimates(reports: dict[str, Report]) -> dict[str, dict[str, float]]:
    return {
        name: {key: float(metric.estimate) for key, metric in report.metrics.items()}
        for name, report in reports.items()
    }


def _without_plots(report: Report, baselines: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    beside = {
        label: {name: value for name, value in metrics.items() if name in report.metrics}
        for label, metrics in baselines.items()
    }
    return {
        "metrics": report.metrics,
        "baselines": {label: metrics for label, metrics in beside.items() if metrics},
        "tables": report.tables,
        "messages": report.messages,
    }
