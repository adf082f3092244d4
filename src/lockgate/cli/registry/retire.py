"""``lockgate retire``."""

from __future__ import annotations

import click

from lockgate.cli.terminal.repository import open_ledger, queue_option, repository_option

__all__ = ["command"]


@click.command("retire")
@click.argument("version", metavar="NAME[@VERSION]")
@click.argument("stage", required=False)
@click.option("--reason", default="", help="Why, for the record.")
@queue_option
@repository_option
def command(version: str, stage: str | None, reason: str, queue: bool, root: str) -> int:
    """Withdraw a version for good, or take a model out of STAGE.

    \b
    lockgate retire fraud@1.2.0 --reason "trained on leaked labels"
    lockgate retire fraud canary

    A retired version cannot be promoted or gone back to any more; its history stays.
    """
    from lockgate.registry.versioning import address

    name, number = address(version)
    event = open_ledger(root, queue=queue).retire(name, version=number, stage=stage, reason=reason)
    outcome = f"no longer in {stage}" if stage else "retired"
    click.echo(f"{name}@{event.before} is {outcome} (event {event.seq})")
    return 0
