"""The stage ``monitor``: a later stretch of time against what the model was trained on."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd

from lockgate.contract.events import Alarm
from lockgate.contract.monitoring import Findings, MonitoringWindow, MonitorRequest
from lockgate.contract.prediction import Output
from lockgate.contract.tables import LoadRequest, Table
from lockgate.data.conform import conform_to_schema, rows_in_window
from lockgate.errors import SchemaViolation
from lockgate.modeling.metrics.losses import metrics_for_task
from lockgate.modeling.statistics.histograms import monitored_output, window_counts
from lockgate.modeling.training.threads import limit_threads
from lockgate.models.bundle.open import Bundle, open_bundle
from lockgate.pipeline.reports.pages import monitor_page
from lockgate.pipeline.stage import Stage
from lockgate.pipeline.workspace import Workspace, write_json

__all__ = ["work"]


def work(stage: Stage) -> dict[str, float]:
    """Count the window, ask every chosen monitor, and tell the listeners of alarms."""
    workspace = Workspace(stage.root)
    with limit_threads(stage.resources.threads):
        bundle = open_bundle(workspace.bundle)
        rows = _rows(stage, workspace, bundle)
        watch = MonitorRequest(
            **stage.means(),
            reference=bundle.reference(),
            window=_window(stage, bundle, rows),
            schema=bundle.manifest.inputs,
        )
        found: dict[str, Findings] = {
            chosen.name: stage.host.call("monitor", chosen.name, watch)
            for chosen in stage.document.chosen["monitor"]
        }
        performance = _performance(bundle, watch.window, stage.log)
    alarms = [
        (name, one)
        for name, findings in found.items()
        for one in findings.findings
        if one.severity == "alarm"
    ]
    _write(stage, workspace, watch.window, found, performance, len(alarms))
    for name, one in alarms:
        event = Alarm(stage.sections.project.name, name, one.column, one.message, one.effect)
        stage.host.notify("on_alarm", event)
    for name, findings in found.items():
        own = [one.message for one in findings.findings if one.severity == "alarm"]
        for sentence in findings.messages or own:
            stage.log.info("%s: %s", name, sentence)
    return {"alarms": float(len(alarms)), **performance}


def _rows(stage: Stage, workspace: Workspace, bundle: Bundle) -> Table:
    """Load the stretch asked for; without one, the test rows are the window."""
    stretch, schema = stage.sections.window, bundle.manifest.inputs
    if stretch.since is None and stretch.until is None:
        return workspace.table("test", schema)
    request = LoadRequest(
        **stage.means(), root=str(stage.root), since=stretch.since, until=stretch.until
    )
    loaded: Table = stage.host.call("loader", stage.document.one("loader").name, request)
    frame = rows_in_window(loaded.frame, loaded.schema, stretch.since, stretch.until)
    features = conform_to_schema(frame.reset_index(drop=True), schema)
    target = schema.target
    if target is not None and target in frame:
        features[target] = frame[target].to_numpy()
    return Table(features, schema, loaded.digest)


def _window(stage: Stage, bundle: Bundle, rows: Table) -> MonitoringWindow:
    features = conform_to_schema(rows.frame, rows.schema)
    output = bundle.predict(features)
    target = rows.schema.target
    labels = rows.target if target is not None and target in rows.frame else None
    stretch = stage.sections.window
    counts = window_counts(
        bundle.reference(),
        features,
        stage.backend(),
        monitored_output(output, bundle.manifest.task),
    )
    return MonitoringWindow(counts, len(rows), stretch.since, stretch.until, rows, output, labels)


def _performance(bundle: Bundle, window: MonitoringWindow, log: logging.Logger) -> dict[str, float]:
    """Measure the model on those rows of the window whose outcome is known."""
    manifest = bundle.manifest
    if window.labels is None or window.outputs is None:
        return {}
    known = ~pd.isna(window.labels)
    if not known.any():
        return {}
    said = window.outputs
    output = Output(said.label[known], None if said.score is None else said.score[known])
    truth = window.labels[known]
    try:
        found = metrics_for_task(
            manifest.task, truth, output, manifest.classes, manifest.threshold
        )()
    except SchemaViolation as strange:
        log.warning("the model cannot be measured on this window: %s", strange)
        return {}
    return {name: value for name, value in found.items() if not np.isnan(value)}


def _write(
    stage: Stage,
    workspace: Workspace,
    window: MonitoringWindow,
    found: dict[str, Findings],
    performance: dict[str, float],
    alarms: int,
) -> None:
    stretch: dict[str, Any] = {"since": window.since, "until": window.until, "rows": window.n}
    counted = {"alarms": alarms, "columns": sum(len(one.findings) for one in found.values())}
    write_json(workspace.report / "monitor.json", {**counted, "performance": performance})
    findings = {name: one.findings for name, one in found.items()}
    write_json(workspace.report / "findings.json", {"window": stretch, "findings": findings})
    when = f"from {window.since or 'the begin'} until {window.until or 'the end'}"
    if window.since is None and window.until is None:
        when = "the test rows"
    title = f"{window.n:,} rows, {when}, against what the model was trained on"
    sentences = [sentence for one in found.values() for sentence in one.messages]
    page = monitor_page(stage.sections.project.name, title, findings, sentences)
    (workspace.report / "monitor.html").write_text(page, encoding="utf-8")
