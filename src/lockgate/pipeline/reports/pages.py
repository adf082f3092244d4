"""The HTML reports: each a single file with embedded images and no external resources."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from lockgate.contract.evaluation import Metric, Report
from lockgate.contract.monitoring import Finding
from lockgate.contract.recipes import UNSUPERVISED
from lockgate.modeling.metrics.number_texts import format_number
from lockgate.modeling.metrics.titles import metric_title
from lockgate.pipeline.criteria import Criterion
from lockgate.pipeline.reports.svg import svg_plot
from lockgate.pipeline.workspace import Workspace

__all__ = ["monitor_page", "report_page"]

TASKS = {
    "binary": "Binary classification",
    "multiclass": "Multiclass classification",
    "regression": "Regression",
    "multioutput": "Regression of several targets",
    "clustering": "Clustering",
    "anomaly": "Anomaly detection",
}
SECTION_TITLES = {
    "business": "Value of decisions",
    "classification": "Discrimination, calibration and decisions",
    "regression": "Errors of the predicted values",
    "clustering": "Clusters",
    "anomaly": "Anomalies",
    "ranking": "Ranking: the rows with the highest scores",
    "importance": "What drives the model",
    "slices": "Slices: where it is worse",
    "stability": "Stability over time",
    "fairness": "Fairness by group",
    "cost": "Size and speed",
}
"""Titles of the sections of evaluators, in their order."""

SPLITS = {
    "time": "split by time",
    "group": "split by group",
    "stratified": "stratified split",
    "random": "random split",
}


def report_page(
    name: str,
    workspace: Workspace,
    reports: Mapping[str, Report],
    params: Mapping[str, Any],
    others: Mapping[str, Mapping[str, Mapping[str, float]]],
    criteria: Sequence[Criterion],
    warnings: Sequence[str],
    change: Sequence[Mapping[str, Any]],
) -> str:
    """Render the evaluation report as HTML.

    Parameters
    ----------
    name : str
        Name of the model.
    workspace : Workspace
        The files of the project: plots, steps of the compression, facts about the data.
    reports : mapping of str to Report
        Reports by the name of the evaluator.
    params : mapping
        The parameters of the run.
    others : mapping
        Metrics of baselines and incumbents, by evaluator and by what each is.
    criteria : sequence of Criterion
        What was declared that the model must reach.
    warnings : sequence of str
        What to know before the metrics.
    change : sequence of mapping
        What changed from the training to the test rows, as the rows of a table.

    """
    steps = json.loads((workspace.root / "models" / "steps.json").read_bytes())
    plugin_names = {
        kind: ", ".join(params.get(kind) or {}) or "none"
        for kind in ("loader", "model", "optimizer", "compressor", "backend")
    }
    sections = [
        {
            "id": f"evaluator-{key}",
            "title": SECTION_TITLES.get(key, key.replace("-", " ")),
            "messages": report.messages,
            "others": list(others[key]),
            "metrics": [
                (
                    *_format_metric(name, metric),
                    [format_number(m[name]) if name in m else "" for m in others[key].values()],
                )
                for name, metric in report.metrics.items()
            ],
            "tables": {title: rows for title, rows in report.tables.items() if rows},
            "plots": [svg_plot(plot) for plot in report.plots],
        }
        for key, report in sorted(reports.items(), key=_section_index)
    ]
    first = next(iter(sections), None)
    facts = workspace.facts()
    return _load_template("report.html").render(
        name=name,
        task=TASKS[facts["task"]],
        split=SPLITS[facts["split"]],
        facts=facts,
        unsupervised=facts["task"] in UNSUPERVISED,
        plugins=plugin_names,
        steps=steps,
        sections=sections,
        criteria=criteria,
        warnings=warnings,
        messages=first["messages"] if first else (),
        change=[_change_row(row) for row in change],
    )


def _section_index(report: tuple[str, Report]) -> int:
    """Return the index of an evaluator's section: the known ones in their order, then others."""
    name = report[0]
    return [*SECTION_TITLES].index(name) if name in SECTION_TITLES else len(SECTION_TITLES)


def _change_row(row: Mapping[str, Any]) -> list[str]:
    """Return a row of what changed from training to test, as texts."""
    name, *values = row.values()
    numbers = ["" if value is None else format_number(value) for value in values]
    return [metric_title(name), *numbers]


def monitor_page(
    name: str,
    title: str,
    findings: Mapping[str, tuple[Finding, ...]],
    messages: list[str],
    performance: Sequence[tuple[str, float, float]],
    violations: Sequence[object],
) -> str:
    """Render the drift report as HTML, alarms first.

    Parameters
    ----------
    name, title : str
        Name of the model, and a line that names the window.
    findings : mapping of str to tuple of Finding
        Findings by the name of the monitor.
    messages : list of str
        Summaries of the monitors.
    performance : sequence of tuple
        Metrics by name, on the test rows and on the window; empty without labels.
    violations : sequence of Violation
        What of the window violates the data contract.

    """
    rank = {"alarm": 0, "notice": 1, "ok": 2}
    rows = [
        (monitor, finding)
        for monitor, monitor_findings in findings.items()
        for finding in monitor_findings
    ]
    rows.sort(key=lambda row: (rank[row[1].severity], -row[1].effect))
    return _load_template("monitor.html").render(
        name=name,
        title=title,
        rows=rows,
        messages=messages,
        violations=[str(violation) for violation in violations],
        performance=[
            (metric_title(metric), *map(format_number, values)) for metric, *values in performance
        ],
    )


@cache
def _load_template(name: str) -> Template:
    templates = importlib.resources.files(__package__).joinpath("templates")
    text = templates.joinpath(name).read_text("utf-8")
    style = templates.joinpath("style.css").read_text("utf-8")
    script = templates.joinpath("report.js").read_text("utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.globals |= {"style": style, "script": script}
    environment.filters["cell"] = _format_cell
    return environment.from_string(text)


def _format_metric(name: str, metric: Metric) -> tuple[str, str, str]:
    interval = ""
    if metric.low is not None and metric.high is not None:
        interval = f"{format_number(metric.low)} to {format_number(metric.high)}"
    return metric_title(name), format_number(metric.estimate), interval


def _format_cell(value: object) -> object:
    """Format a cell of a plugin's table: fractions to four significant digits."""
    return format_number(value) if isinstance(value, float) else "" if value is None else value
