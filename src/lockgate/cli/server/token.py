"""``lockgate server token``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.terminal.examples import examples
from lockgate.serving.http.tokens import add_token

__all__ = ["command"]


@click.command(
    "token",
    epilog=examples("""
        lockgate server token shop --file tokens --role predict --role feedback
        lockgate serve /srv/churn --host 0.0.0.0 --tokens tokens
    """),
)
@click.argument("name")
@click.option(
    "--file",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of tokens; created if it does not exist.",
)
@click.option(
    "--role",
    "roles",
    multiple=True,
    default=("predict",),
    show_default=True,
    type=click.Choice(["predict", "feedback", "read", "admin"]),
    help="What the client may do; may be repeated.",
)
def command(name: str, path: Path, roles: tuple[str, ...]) -> int:
    """Create a token for the client NAME, and print it once.

    Clients send it in the header `Authorization: Bearer TOKEN`. The file stores
    only a digest of each token. To revoke a token, remove its line: running
    servers notice within a second.
    """
    click.echo(add_token(path, name, roles))
    return 0
