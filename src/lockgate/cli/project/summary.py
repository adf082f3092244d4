"""What to look at after a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from lockgate.cli.terminal.text import columns

__all__ = ["print_results"]


def print_results(root: Path) -> None:
    """Print figures, sentences and the next steps; say nothing of what is not there."""
    report = _read(root / "report" / "report.json")
    click.echo()
    for name, one in report.items():
        for sentence in one["messages"]:
            click.echo(f"{click.style(name, bold=True)}: {sentence}")
    for name, one in _read(root / "report" / "cost.json").items():
        figures = ", ".join(
            f"{key.replace('_', ' ')} {metric['estimate']:,.4g}"
            for key, metric in one["metrics"].items()
        )
        click.echo(f"{click.style(name, bold=True)}: {figures}")
    monitor = _read(root / "report" / "monitor.json")
    if monitor:
        click.echo(
            f"{click.style('monitor', bold=True)}: {monitor['alarms']} alarms "
            f"on {monitor['columns']} columns"
        )
    click.echo()
    places = [
        ["report/index.html", "what the model can do, with pictures"],
        ["report/monitor.html", "what has drifted since it was trained"],
        ["bundle/card.md", "what left the pipeline, in words"],
    ]
    click.echo("\n".join(columns([p for p in places if (root / p[0]).exists()], indent=2)))
    click.echo("\nNext: lockgate run model=boosting    lockgate show    lockgate plugins")
    click.echo(
        "Then: git add -A && git commit -m 'a model'    lockgate register    lockgate promote"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return {}
