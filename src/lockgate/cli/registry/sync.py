"""``lockgate sync``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.repository import open_ledger, repository_option
from lockgate.data.io.visible import visible

if TYPE_CHECKING:
    from lockgate.registry.provenance.events import Event
    from lockgate.registry.sync import Drop

__all__ = ["command"]


@click.command(
    "sync",
    epilog=examples("""
        lockgate sync                  # after --queue, when the remote is back
        lockgate sync /srv/fraud       # records `lockgate rollback --here /srv/fraud`
        lockgate sync --drop impossible
    """),
)
@click.argument(
    "directory",
    metavar="[DIR]",
    required=False,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option(
    "--drop",
    type=click.Choice(["impossible", "all"]),
    help="Discard queued events: those that no longer fit the events of others, or all.",
)
@click.option(
    "--accept", is_flag=True, help="Accept that events of the ledger were taken back at the remote."
)
@repository_option
def command(directory: Path | None, drop: Drop | None, accept: bool, root: str) -> int:
    """Synchronize this clone's ledger with the remote, and record rollbacks made at DIR.

    It fetches, pushes the events that were queued here, and repairs the Git tags
    that GTO reads. DIR is a deployment directory.

    Events that someone took back by a forced push are kept in this clone, and
    nothing is shared, until --accept: it forgets them, and lists them.
    """
    from lockgate.deployment.synchronize import sync

    ledger = open_ledger(root)
    result = sync(directory, ledger=ledger, drop=drop, accept=accept, on_event=_print_event)
    if result.repaired_tags:
        click.echo(f"repaired tags: {len(result.repaired_tags)}")
    if result.note:
        click.echo(f"note: {visible(result.note, limit=None)}", err=True)
    click.echo(f"the ledger has {ledger.state.head().seq} events")
    return 0


def _print_event(change: str, event: Event) -> None:
    """Print what was done with an event, as soon as it is done."""
    details = {
        "pushed": "",
        "recorded": f": {visible(event.reason)}",
    }.get(change, f" ({event.at}, {visible(event.actor)})")
    click.echo(f"{change}: {event.subject}{details}")
