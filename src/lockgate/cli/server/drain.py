"""``lockgate server drain``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.terminal.control import directory_argument, print_response
from lockgate.cli.terminal.examples import examples

__all__ = ["command"]


@click.command("drain", epilog=examples("lockgate server drain /srv/churn"))
@directory_argument
def command(directory: Path) -> int:
    """Stop a running server after it has finished its requests.

    It accepts no new connections, and ends after the requests in progress, at the
    latest after `lockgate serve --drain-seconds`.
    """
    return print_response(directory, "drain")
