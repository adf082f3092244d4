"""``lockgate history``."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from lockgate.cli.terminal.repository import fetched, in_repository

if TYPE_CHECKING:
    from lockgate.registry.provenance.events import Event

__all__ = ["command"]


@click.command("history")
@click.argument("name", required=False)
@click.argument("stage", required=False)
@click.option("-n", "most", default=50, show_default=True, type=click.IntRange(1), help="Events.")
@click.option(
    "--on", "day", metavar="DATE", help="Only what was there at this time, e.g. 2026-05-03."
)
@click.option("--json", "as_json", is_flag=True, help="One object a line, for scripts.")
@click.option("--offline", is_flag=True, help="Do not ask the remote.")
@in_repository
def command(
    name: str | None,
    stage: str | None,
    most: int,
    day: str | None,
    as_json: bool,
    offline: bool,
    root: str,
) -> int:
    """List what happened, the newest first: what, where, when, by whom, why.

    \b
    lockgate history
    lockgate history fraud prod
    lockgate history fraud prod --on 2026-05-03      # what was in production then
    """
    import msgspec

    from lockgate.cli.terminal.text import columns
    from lockgate.registry.ledger import rules

    ledger = fetched(root, offline=offline)
    events = ledger.history(name, stage)
    if day is not None:
        events = _standing(events, _moment(day))
    found = list(itertools.islice(events, most))
    if not found and name is not None and day is None:
        rules.known(ledger.state, name, None)  # says which names there are
    if as_json:
        for event in found:
            click.echo(msgspec.json.encode(event).decode())
        return 0
    rows = [[str(one.seq), one.at[:19], one.subject, one.actor, one.reason or "-"] for one in found]
    click.echo("\n".join(columns(rows)) or "nothing happened yet; lockgate register begins")
    return 0


def _moment(text: str) -> str:
    from datetime import UTC, datetime, timedelta

    from lockgate.errors import UsageError

    try:
        made = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--on {text[:40]!r} is no time; write e.g. 2026-05-03") from None
    if len(text) == 10:
        made += timedelta(days=1)  # the end of that day
    made = made if made.tzinfo else made.replace(tzinfo=UTC)
    return made.astimezone(UTC).isoformat(timespec="milliseconds")


def _standing(events: Iterable[Event], moment: str) -> Iterator[Event]:
    """Give, for each model and stage, the last event that changed it before a moment."""
    seen = set()
    for event in events:
        placed = event.op in ("promote", "rollback") or (event.op == "retire" and event.stage)
        key = (event.name, event.stage)
        if placed and event.at <= moment and key not in seen:
            seen.add(key)
            yield event
