"""``lockgate server``: a running server."""

from __future__ import annotations

import click

from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.lazy_group import LazyGroup, commands_of

__all__ = ["command"]

COMMANDS = {
    "status": "Show what a running server serves, and by which workers.",
    "reload": "Let a running server read its deployment directory now.",
    "drain": "Stop a running server after it has finished its requests.",
    "token": "Create a token for a client of a server.",
}


@click.group(
    "server",
    cls=LazyGroup,
    sections={"Commands": commands_of("server", COMMANDS)},
    epilog=examples("""
        lockgate server status /srv/churn
        lockgate server drain /srv/churn
    """),
)
def command() -> None:
    """Query, reload or stop a running server, and create tokens for its clients.

    Status, reload and drain use a socket in the deployment directory, not HTTP: only users with
    write access to the directory can use them.
    """
