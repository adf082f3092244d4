"""``lockgate trace``."""

from __future__ import annotations

import json
from pathlib import Path

import click

__all__ = ["command"]


@click.command("trace")
@click.argument("receipt", metavar="ID")
@click.option(
    "--here", "directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
    help="Deployment directory; by default those of `lockgate serve BUNDLE`.",
)  # fmt: skip
def command(receipt: str, directory: Path | None) -> int:
    """Say all about the answer that carried ID.

    \b
    lockgate trace abandonwhat23456-1f --here /srv/churn
    lockgate trace abandonwhat23456-1f.3       # row 3 of that request

    Version, bundle, and what it was made from; inputs, outputs, and what later
    turned out to be true.
    """
    from lockgate.bundle.deployment import Deployment
    from lockgate.errors import LogError
    from lockgate.monitoring.tracing import trace
    from lockgate.serving.private import private_root

    folders = [directory] if directory else sorted(private_root().glob("*"))
    for folder in folders:
        found = trace(Deployment(folder), receipt)
        if found is not None:
            click.echo(json.dumps(found, indent=1, default=str))
            return 0
    looked = str(directory) if directory else f"{len(folders)} directories of {private_root()}"
    raise LogError(
        f"no answer {receipt[:80]!r} in {looked}: given elsewhere, not logged, or deleted by age"
    )
