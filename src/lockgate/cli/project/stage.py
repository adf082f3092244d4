"""``lockgate stage``: what ``dvc.yaml`` calls."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.logs import log_to_terminal
from lockgate.pipeline.stage import run_stage

__all__ = ["command"]


@click.command("stage", epilog=examples("lockgate stage evaluate"))
@click.argument("name")
def command(name: str) -> None:
    """Run one stage: load, optimize, compress, evaluate, package or monitor.

    dvc.yaml calls this command. Use `lockgate run` or `dvc repro` instead, which
    run only the stages that have to run. A stage first checks all of params.yaml.
    """
    log_to_terminal()
    run_stage(name, Path.cwd())
