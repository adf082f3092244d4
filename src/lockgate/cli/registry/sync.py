"""``lockgate sync``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.terminal.repository import open_ledger, repository_option

__all__ = ["command"]


@click.command("sync")
@click.argument(
    "directory",
    metavar="[DIR]",
    required=False,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option("--drop", is_flag=True, help="Give up the events that were queued here.")
@repository_option
def command(directory: Path | None, drop: bool, root: str) -> int:
    """Bring this clone's ledger and the shared one together.

    \b
    lockgate sync                  # after work without a network (--queue)
    lockgate sync /srv/fraud       # enter a `lockgate rollback --here /srv/fraud`

    Fetches, pushes what was queued here, and mends the tags for GTO.
    """
    from lockgate.deployment.take_back import record_rollbacks
    from lockgate.registry.sync import push_queued, repair_tags

    ledger = open_ledger(root)
    pushed, dropped = push_queued(ledger, drop=drop)
    for event in dropped:
        click.echo(f"given up: {event.subject} ({event.at}, {event.actor})")
    for event in pushed:
        click.echo(f"pushed: {event.subject}")
    if directory is not None:
        for event in record_rollbacks(ledger, directory):
            click.echo(f"entered: {event.subject}: {event.reason}")
    repaired = repair_tags(ledger)
    if repaired:
        click.echo(f"tags for GTO: {len(repaired)} mended")
    click.echo(f"the ledger has {ledger.state.head().seq} events")
    return 0
