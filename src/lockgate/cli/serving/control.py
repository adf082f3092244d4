"""``lockgate control``."""

from __future__ import annotations

import json
from pathlib import Path

import click

__all__ = ["command"]


@click.command("control")
@click.argument(
    "directory", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.argument(
    "operation", type=click.Choice(["status", "reload", "drain"]), default="status", required=False
)
def command(directory: Path, operation: str) -> int:
    """Ask the server of a deployment directory, or tell it something.

    \b
    lockgate control /srv/churn            # what is served, by which workers
    lockgate control /srv/churn reload     # look at the pointer now
    lockgate control /srv/churn drain      # finish what was asked, then stop

    It goes through a socket in DIR, not through HTTP: whoever may write there may
    do it, and nobody else.
    """
    from lockgate.deployment.control.client import ask

    response = ask(directory, operation)
    response.pop("op", None)
    click.echo(json.dumps(response, indent=1))
    return 0
