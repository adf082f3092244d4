"""The stage ``monitor``: compare a later window of time with the training rows."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from lockgate.contract.events import Alarm
from lockgate.contract.monitoring import Findings, MonitoringWindow, MonitorRequest
from lockgate.contract.prediction import Output
from lockgate.contract.tables import Table
from lockgate.data.conform import conform_to_schema
from lockgate.data.data_contract.counts import Violation
from lockgate.data.io.prepared import read_with_left_out
from lockgate.errors import SchemaViolation
from lockgate.modeling.metrics.losses import metrics_for_task
from lockgate.modeling.statistics.histograms import count_window, select_monitored_output
from lockgate.modeling.training.threads import limit_threads
from lockgate.models.bundle.open import Bundle, open_bundle
from lockgate.pipeline.data_contract import load_window
from lockgate.pipeline.reports.pages import monitor_page
from lockgate.pipeline.stage import Stage
from lockgate.pipeline.workspace import Workspace, write_json

__all__ = ["work"]


def work(stage: Stage) -> dict[str, float]:
    """Count the window, run every chosen monitor, and notify the listeners of alarms."""
    workspace = Workspace(stage.root)
    with limit_threads(stage.resources.threads):
        bundle = open_bundle(workspace.bundle)
        table, rows, violations = _load_rows(stage, workspace, bundle)
        request = MonitorRequest(
            **stage.request_context(),
            reference=bundle.reference(),
            window=_build_window(stage, bundle, table, rows),
            schema=bundle.manifest.schema,
        )
        results: dict[str, Findings] = {
            choice.name: stage.host.call("monitor", choice.name, request)
            for choice in stage.parameters.chosen["monitor"]
        }
        performance = _measure_performance(bundle, request.window, stage.log)
    alarms = [
        (name, finding)
        for name, findings in results.items()
        for finding in findings.findings
        if finding.severity == "alarm"
    ]
    compared = _compare_performance(bundle, performance)
    for violation in violations:
        stage.log.warning("data contract: %s", violation)
    _write_report(
        stage, workspace, request.window, results, performance, compared, violations, len(alarms)
    )
    for name, finding in alarms:
        event = Alarm(
            stage.sections.project.name, name, finding.column, finding.message, finding.effect
        )
        stage.host.notify("on_alarm", event)
    for name, findings in results.items():
        alarm_messages = [
            finding.message for finding in findings.findings if finding.severity == "alarm"
        ]
        for message in findings.messages or alarm_messages:
            stage.log.info("%s: %s", name, message)
    return {"alarms": float(len(alarms)), **performance}


def _load_rows(
    stage: Stage, workspace: Workspace, bundle: Bundle
) -> tuple[Table, pd.DataFrame, list[Violation]]:
    """Load the rows of the configured window, as a table and with all columns.

    Without a window, these are the test rows. With it, violations of the bundle's data contract
    come along: the window is not refused, as it is watched for just that.
    """
    period, schema = stage.sections.window, bundle.manifest.schema
    if period.since is None and period.until is None:
        test = workspace.table("test", schema)
        return test, read_with_left_out(test.frame, stage.root), []
    loaded, violations = load_window(stage, bundle.contract)
    frame = loaded.frame
    features = conform_to_schema(frame, schema)
    for target in schema.targets:
        if target in frame:
            features[target] = frame[target].to_numpy()
    left_out = frame.drop(columns=[name for name in features if name in frame])
    rows = pd.concat([features, left_out], axis=1)
    return Table(features, schema, loaded.digest), rows, violations


def _build_window(
    stage: Stage, bundle: Bundle, table: Table, rows: pd.DataFrame
) -> MonitoringWindow:
    features = conform_to_schema(table.frame, table.schema)
    output = bundle.predict(features)
    targets = table.schema.targets
    labels = table.target if targets and {*targets} <= {*table.frame} else None
    period = stage.sections.window
    counts = count_window(
        bundle.reference(),
        features,
        stage.backend(),
        select_monitored_output(output, bundle.manifest.task, targets),
        rows,
    )
    return MonitoringWindow(
        counts, len(table), period.since, period.until, table, output, labels, rows
    )


def _measure_performance(
    bundle: Bundle, window: MonitoringWindow, log: logging.Logger
) -> dict[str, float]:
    """Measure the model on the rows of the window that have a label."""
    manifest = bundle.manifest
    if window.labels is None or window.outputs is None:
        return {}
    known = ~pd.isna(pd.DataFrame(window.labels)).any(axis=1).to_numpy()  # of every target
    if not known.any():
        if known.size and not pd.isna(window.labels).all():
            log.info("no row of this window has a value of every target: performance is unknown")
        return {}
    predictions = window.outputs
    output = Output(
        predictions.label[known],
        None if predictions.score is None else predictions.score[known],
        quantile=manifest.quantile,
    )
    truth = window.labels[known]
    try:
        metrics = metrics_for_task(
            manifest.task,
            truth,
            output,
            manifest.classes,
            manifest.threshold,
            manifest.schema.targets,
        )(_weights(bundle, window, known))
    except SchemaViolation as error:
        log.warning("the model's performance on this window is unknown: %s", error)
        return {}
    return {name: value for name, value in metrics.items() if not np.isnan(value)}


def _weights(bundle: Bundle, window: MonitoringWindow, known: np.ndarray) -> np.ndarray | None:
    """Return the weights of the labelled rows, as the evaluators of the test rows use them."""
    name = bundle.manifest.schema.weight
    if name is None or window.rows is None or name not in window.rows:
        return None
    return np.asarray(window.rows[name][known], float)


def _compare_performance(
    bundle: Bundle, performance: dict[str, float]
) -> list[tuple[str, float, float]]:
    """Return each metric of the window with its value on the test rows, from the bundle."""
    measured: dict[str, float] = {}
    for metrics in bundle.metrics().values():
        for name, metric in metrics.items():
            if metric["estimate"] is not None:
                measured.setdefault(name, metric["estimate"])
    return [(name, measured[name], performance[name]) for name in performance if name in measured]


def _write_report(
    stage: Stage,
    workspace: Workspace,
    window: MonitoringWindow,
    results: dict[str, Findings],
    performance: dict[str, float],
    compared: list[tuple[str, float, float]],
    violations: list[Violation],
    alarms: int,
) -> None:
    period: dict[str, Any] = {"since": window.since, "until": window.until, "rows": window.n}
    tested = [finding for result in results.values() for finding in result.findings]
    counts = {"alarms": alarms, "columns": sum(finding.read for finding in tested)}
    write_json(workspace.report / "monitor.json", {**counts, "performance": performance})
    findings = {name: result.findings for name, result in results.items()}
    write_json(
        workspace.report / "findings.json",
        {
            "window": period,
            "findings": findings,
            "violations": [msgspec.to_builtins(violation) for violation in violations],
        },
    )
    period_text = f"from {window.since or 'the start'} until {window.until or 'the end'}"
    if window.since is None and window.until is None:
        period_text = "the test rows"
    title = f"{window.n:,} rows ({period_text}) compared with the training rows"
    messages = [message for result in results.values() for message in result.messages]
    page = monitor_page(
        stage.sections.project.name, title, findings, messages, compared, violations
    )
    (workspace.report / "monitor.html").write_text(page, encoding="utf-8")
