"""The HTML pages for people: one file each, pictures inside, nothing to fetch."""

from __future__ import annotations

import base64
import importlib.resources
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from lockgate.contract.evaluation import Metric, Report
from lockgate.contract.monitoring import Finding
from lockgate.pipeline.workspace import Workspace

__all__ = ["monitor_page", "report_page"]


def report_page(
    name: str, workspace: Workspace, reports: Mapping[str, Report], params: Mapping[str, Any]
) -> str:
    """Write the report of an evaluation as one page."""
    steps = json.loads((workspace.root / "models" / "steps.json").read_bytes())
    plugin_names = {
        kind: ", ".join(params.get(kind) or {}) or "none"
        for kind in ("loader", "model", "optimizer", "compressor", "backend")
    }
    sections = [
        {
            "name": key,
            "messages": report.messages,
            "metrics": [
                _format_metric(metric_name, metric)
                for metric_name, metric in report.metrics.items()
            ],
            "tables": {title: list(rows) for title, rows in report.tables.items() if rows},
            "plots": [
                (plot.title, _encode_image(workspace.report / "plots" / f"{key}-{plot.name}.png"))
                for plot in report.plots
            ],
        }
        for key, report in reports.items()
    ]
    return _load_template("report.html").render(
        name=name, facts=workspace.facts(), chosen=plugin_names, steps=steps, sections=sections
    )


def monitor_page(
    name: str, title: str, findings: Mapping[str, tuple[Finding, ...]], messages: list[str]
) -> str:
    """Write what the monitors found as one page, alarms first."""
    rank = {"alarm": 0, "notice": 1, "ok": 2}
    rows = [
        (monitor, finding)
        for monitor, monitor_findings in findings.items()
        for finding in monitor_findings
    ]
    rows.sort(key=lambda row: (rank[row[1].severity], -row[1].effect))
    return _load_template("monitor.html").render(
        name=name, title=title, rows=rows, messages=messages
    )


@cache
def _load_template(name: str) -> Template:
    templates = importlib.resources.files(__package__).joinpath("templates")
    text = templates.joinpath(name).read_text("utf-8")
    style = templates.joinpath("style.css").read_text("utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.globals["style"] = style
    return environment.from_string(text)


def _format_metric(name: str, metric: Metric) -> tuple[str, str, str]:
    interval = ""
    if metric.low is not None and metric.high is not None:
        interval = f"{_format_number(metric.low)} to {_format_number(metric.high)}"
    return name.replace("_", " "), _format_number(metric.estimate), interval


def _format_number(value: float) -> str:
    """Write a number for people: about four digits, thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _encode_image(path: Any) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
