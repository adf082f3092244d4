"""``lockgate retire``."""

from __future__ import annotations

import click

from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.repository import open_ledger, queue_option, repository_option
from lockgate.registry.versioning import parse_reference

__all__ = ["command"]


@click.command(
    "retire",
    epilog=examples("""
        lockgate retire fraud@1.2.0 --reason "trained on leaked labels"
        lockgate retire fraud canary
    """),
)
@click.argument("version", metavar="NAME[@VERSION]")
@click.argument("stage", required=False)
@click.option("--reason", default="", help="Reason, for the record.")
@queue_option
@repository_option
def command(version: str, stage: str | None, reason: str, queue: bool, root: str) -> int:
    """Retire a version permanently, or remove a model from STAGE.

    A retired version cannot be promoted or rolled back to; its history remains.
    """
    name, number = parse_reference(version)
    event = open_ledger(root, queue=queue).retire(name, version=number, stage=stage, reason=reason)
    outcome = f"no longer in {stage}" if stage else "retired"
    click.echo(f"{name}@{event.before} is {outcome} (event {event.seq})")
    return 0
