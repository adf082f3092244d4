"""The summary that is printed after a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from lockgate.cli.terminal.text import align_columns

__all__ = ["print_results"]


def print_results(root: Path) -> None:
    """Print the reports' messages and metrics, the files to look at, and the next steps."""
    evaluation = _read_json(root / "report" / "report.json")
    for warning in evaluation.get("warnings", []):
        click.secho(f"warning: {warning}", fg="yellow")
    reports = evaluation.get("evaluators", {})
    click.echo()
    for name, report in reports.items():
        for message in report["messages"]:
            click.echo(f"{click.style(name, bold=True)}: {message}")
    for name, report in _read_json(root / "report" / "cost.json").items():
        metrics_text = ", ".join(
            f"{key.replace('_', ' ')} {metric['estimate']:,.4g}"
            for key, metric in report["metrics"].items()
        )
        click.echo(f"{click.style(name, bold=True)}: {metrics_text}")
    monitor = _read_json(root / "report" / "monitor.json")
    if monitor:
        click.echo(
            f"{click.style('monitor', bold=True)}: {monitor['alarms']} alarms "
            f"on {monitor['columns']} columns"
        )
    click.echo()
    outputs = [
        ["report/index.html", "metrics and plots of the model"],
        ["report/monitor.html", "drift of the data since training"],
        ["bundle/card.md", "model card of the bundle"],
    ]
    click.echo(
        "\n".join(align_columns([row for row in outputs if (root / row[0]).exists()], indent=2))
    )
    click.echo("\nNext: lockgate show, lockgate plugins; another model: lockgate run model=NAME")
    click.echo("Then: git add -A && git commit -m 'a model' && lockgate register")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return {}
