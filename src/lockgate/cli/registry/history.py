"""``lockgate history``."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from lockgate.cli.terminal.repository import fetch_ledger, repository_option

if TYPE_CHECKING:
    from lockgate.registry.provenance.events import Event

__all__ = ["command"]


@click.command("history")
@click.argument("name", required=False)
@click.argument("stage", required=False)
@click.option("-n", "limit", default=50, show_default=True, type=click.IntRange(1), help="Events.")
@click.option(
    "--on", "day", metavar="DATE", help="Only what was there at this time, e.g. 2026-05-03."
)
@click.option("--json", "as_json", is_flag=True, help="One object a line, for scripts.")
@click.option("--offline", is_flag=True, help="Do not ask the remote.")
@repository_option
def command(
    name: str | None,
    stage: str | None,
    limit: int,
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

    from lockgate.cli.terminal.text import align_columns
    from lockgate.registry.ledger import rules

    ledger = fetch_ledger(root, offline=offline)
    events = ledger.history(name, stage)
    if day is not None:
        events = _latest_events(events, _parse_moment(day))
    selected = list(itertools.islice(events, limit))
    if not selected and name is not None and day is None:
        rules.find_version(ledger.state, name, None)  # says which names there are
    if as_json:
        for event in selected:
            click.echo(msgspec.json.encode(event).decode())
        return 0
    rows = [
        [str(event.seq), event.at[:19], event.subject, event.actor, event.reason or "-"]
        for event in selected
    ]
    click.echo("\n".join(align_columns(rows)) or "nothing happened yet; lockgate register begins")
    return 0


def _parse_moment(text: str) -> str:
    from datetime import UTC, datetime, timedelta

    from lockgate.errors import UsageError

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--on {text[:40]!r} is no time; write e.g. 2026-05-03") from None
    if len(text) == 10:
        moment += timedelta(days=1)  # the end of that day
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def _latest_events(events: Iterable[Event], moment: str) -> Iterator[Event]:
    """Give, for each model and stage, the last event that changed it before a moment."""
    seen = set()
    for event in events:
        changes_stage = event.op in ("promote", "rollback") or (
            event.op == "retire" and event.stage
        )
        key = (event.name, event.stage)
        if changes_stage and event.at <= moment and key not in seen:
            seen.add(key)
            yield event
