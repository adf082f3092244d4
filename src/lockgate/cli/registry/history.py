"""``lockgate history``."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
import msgspec

from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.repository import EventMarks, fetch_ledger, repository_option
from lockgate.cli.terminal.text import align_columns
from lockgate.data.io.visible import visible
from lockgate.errors import LedgerError, UsageError
from lockgate.suggestions import nearest

if TYPE_CHECKING:
    from lockgate.registry.api import Ledger
    from lockgate.registry.ledger.state import State
    from lockgate.registry.provenance.events import Event

__all__ = ["command"]


@click.command(
    "history",
    epilog=examples("""
        lockgate history
        lockgate history fraud prod
        lockgate history fraud prod --on 2026-05-03      # what was in production then
    """),
)
@click.argument("name", required=False)
@click.argument("stage", required=False)
@click.option(
    "--limit",
    "-n",
    "limit",
    default=50,
    show_default=True,
    type=click.IntRange(1),
    help="Number of events to list.",
)
@click.option("--on", "day", metavar="DATE", help="Only what was in each stage at this time, UTC.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@click.option("--offline", is_flag=True, help="Do not fetch from the remote.")
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
    """List the events of the ledger, newest first: what, when, by whom, and why.

    DATE is a day, which counts to its end, or a time such as 2026-05-03T14:30.
    """
    moment = None if day is None else _parse_moment(day)
    ledger = fetch_ledger(root, offline=offline)
    state = ledger.state
    entries = list(itertools.islice(ledger.entries(name, stage, at=moment), limit))
    if not entries and name is not None:
        _check_names(ledger, name, stage)
    if moment is None:
        _show_stages(ledger, state, [event for event, _ in entries])
    queued = {event.id for event in ledger.queued()}
    marked = [
        (event, EventMarks(ledger.doubt(event, commit), event.id in queued))
        for event, commit in entries
    ]
    if as_json:
        for event, marks in marked:
            click.echo(json.dumps(_fields(ledger, event) | marks.fields))
        return 0
    rows = [
        [
            str(event.seq),
            visible(event.at[:19]),
            event.subject + _outcome(ledger, event),
            visible(event.actor),
            marks.text + visible(event.reason or "-"),
        ]
        for event, marks in marked
    ]
    click.echo("\n".join(align_columns(rows)) or _nothing(ledger, name, day))
    return 0


def _check_names(ledger: Ledger, name: str, stage: str | None) -> None:
    """Raise an error if a model is unknown, or never had a version in the stage."""
    ledger.version(name)
    stages = {event.stage for event in ledger.history(name) if event.stage is not None}
    if stage is not None and stage not in stages:
        raise LedgerError(
            f"{name} never had a version in {stage}{nearest(stage, stages)}; its stages: "
            f"{', '.join(sorted(stages)) or 'none'}"
        )


def _nothing(ledger: Ledger, name: str | None, day: str | None) -> str:
    first = next(iter(list(ledger.history(name))[::-1]), None)
    if first is None:
        return "no events; lockgate register records the first"
    return f"nothing was in a stage on {day}; the first event is of {first.at[:19]}"


def _fields(ledger: Ledger, event: Event) -> dict[str, Any]:
    """Return an event for scripts, named as in Python; of a verdict whether it passed."""
    fields = msgspec.structs.asdict(event)
    if event.op == "gate":
        verdict = ledger.state.verdict(event.name, str(event.after), str(event.gate))
        fields["passed"] = None if verdict is None else verdict.passed
    return fields


def _show_stages(ledger: Ledger, state: State, events: list[Event]) -> None:
    """Record that stages are shown, whose last change is among the events."""
    shown = {}
    for event in events[::-1]:
        if event.changes_stage:
            record = state.stage(event.name, str(event.stage))
            left = None if event.op == "retire" else event.id
            if left == (None if record is None else record.id):
                shown[event.name, str(event.stage)] = record
    ledger.stages.show(shown)


def _outcome(ledger: Ledger, event: Event) -> str:
    """Return whether the gates of a verdict passed, for its event."""
    if event.op != "gate":
        return ""
    verdict = ledger.state.verdict(event.name, str(event.after), str(event.gate))
    return "" if verdict is None else ": passed" if verdict.passed else ": FAILED"


def _parse_moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if len(text) == len("2026-05-03"):
            moment += timedelta(days=1)  # the end of that day
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"--on {text[:40]!r} is not a date: expected one like 2026-05-03"
        ) from None
