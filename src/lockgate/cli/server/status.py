"""``lockgate server status``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.terminal.control import directory_argument, print_response
from lockgate.cli.terminal.examples import examples

__all__ = ["command"]


@click.command("status", epilog=examples("lockgate server status /srv/churn"))
@directory_argument
def command(directory: Path) -> int:
    """Show what a running server serves, and by which workers.

    DIR is its deployment directory. The response is JSON.
    """
    return print_response(directory, "status")
