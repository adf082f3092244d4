"""``lockgate server reload``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.terminal.control import directory_argument, print_response
from lockgate.cli.terminal.examples import examples

__all__ = ["command"]


@click.command("reload", epilog=examples("lockgate server reload /srv/churn"))
@directory_argument
def command(directory: Path) -> int:
    """Let a running server read its deployment directory now.

    Servers notice a deployment or rollback by themselves, within a second; this is for
    a directory that was changed in another way, e.g. restored from a backup.
    """
    return print_response(directory, "reload")
