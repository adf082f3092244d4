"""``lockgate control``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from lockgate.cli.terminal.examples import examples
from lockgate.deployment.control.client import ask

__all__ = ["command"]


@click.command(
    "control",
    epilog=examples("""
        lockgate control /srv/churn            # what is served, by which workers
        lockgate control /srv/churn reload     # read the deployment directory now
        lockgate control /srv/churn drain      # finish open requests, then stop
    """),
)
@click.argument(
    "directory", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.argument(
    "operation", type=click.Choice(["status", "reload", "drain"]), default="status", required=False
)
def command(directory: Path, operation: str) -> int:
    """Query or stop the server that runs on the deployment directory DIR.

    The command uses a socket in DIR, not HTTP: only users with write access to
    DIR can use it.
    """
    response = ask(directory, operation)
    response.pop("op", None)
    click.echo(json.dumps(response, indent=1))
    return 0
