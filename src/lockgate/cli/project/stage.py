"""``lockgate stage``: what ``dvc.yaml`` calls."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]


@click.command("stage")
@click.argument("name")
def command(name: str) -> None:
    """Run one stage: load, optimize, compress, evaluate, package or monitor.

    It checks the whole of params.yaml first, then builds its plugins, then works.
    Use `lockgate run` or `dvc repro` instead: they run just the stages that have to.
    """
    from lockgate.cli.terminal.logs import log_to_terminal
    from lockgate.pipeline.stage import run_stage

    log_to_terminal()
    run_stage(name, Path.cwd())
