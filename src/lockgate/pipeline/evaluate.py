"""The stage ``evaluate``: measure the model on the test rows and write the report."""

from __future__ import annotations

from typing import Any

from lockgate.contract.evaluation import EvaluateRequest, Report
from lockgate.data.io.prepared import read_with_left_out
from lockgate.modeling.training.threads import limit_threads
from lockgate.pipeline.formats import open_finished
from lockgate.pipeline.reports.pages import report_page
from lockgate.pipeline.reports.plots import draw_plot
from lockgate.pipeline.stage import Stage
from lockgate.pipeline.workspace import Workspace, empty_folder, write_json

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
    metrics = _write_reports(stage, workspace, reports)
    for name, report in reports.items():
        for message in report.messages:
            stage.log.info("%s: %s", name, message)
    return metrics


def _write_reports(
    stage: Stage, workspace: Workspace, reports: dict[str, Report]
) -> dict[str, float]:
    """Write the metrics as JSON, the plots, and the HTML report; return all metrics."""
    deterministic = {
        name: report for name, report in reports.items() if not report.nondeterministic
    }
    nondeterministic = {name: report for name, report in reports.items() if report.nondeterministic}
    write_json(workspace.report / "metrics.json", _estimates(deterministic))
    write_json(
        workspace.report / "report.json", {n: _without_plots(r) for n, r in deterministic.items()}
    )
    write_json(
        workspace.report / "cost.json", {n: _without_plots(r) for n, r in nondeterministic.items()}
    )
    plots = empty_folder(workspace.report / "plots")
    for name, report in deterministic.items():
        for plot in report.plots:
            draw_plot(plot, plots / f"{name}-{plot.name}.png")
    page = report_page(stage.sections.project.name, workspace, reports, stage.raw)
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


def _without_plots(report: Report) -> dict[str, Any]:
    return {"metrics": report.metrics, "tables": report.tables, "messages": report.messages}
