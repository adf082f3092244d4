"""``lockgate token``."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]


@click.command("token")
@click.argument("name")
@click.option(
    "--file",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of tokens; made if need be.",
)
@click.option(
    "--role",
    "roles",
    multiple=True,
    default=("predict",),
    show_default=True,
    type=click.Choice(["predict", "feedback", "read", "admin"]),
    help="May be given again.",
)
def command(name: str, path: Path, roles: tuple[str, ...]) -> int:
    """Make a token for whoever is called NAME, and show it once.

    \b
    lockgate token shop --file tokens --role predict --role feedback
    lockgate serve /srv/churn --host 0.0.0.0 --tokens tokens

    The file keeps its digest only. A line that is removed is a token that is void,
    within a second and without a restart.
    """
    from lockgate.serving.http.tokens import add_token

    click.echo(add_token(path, name, roles))
    return 0
