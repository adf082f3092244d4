"""``lockgate current``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import msgspec

from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.repository import EventMarks, fetch_ledger, repository_option
from lockgate.cli.terminal.text import align_columns
from lockgate.data.io.visible import visible
from lockgate.deployment.directory import Deployment
from lockgate.registry.ledger.state import StageRecord, State
from lockgate.registry.slots import Slot
from lockgate.suggestions import nearest

__all__ = ["command"]


@click.command(
    "current",
    epilog=examples("""
        lockgate current
        lockgate current fraud prod --json
    """),
)
@click.argument("name", required=False)
@click.argument("stage", required=False)
@click.option(
    "--here",
    "directories",
    multiple=True,
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Deployment directory to compare with; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@click.option("--offline", is_flag=True, help="Do not fetch from the remote.")
@repository_option
def command(
    name: str | None,
    stage: str | None,
    directories: tuple[Path, ...],
    as_json: bool,
    offline: bool,
    root: str,
) -> int:
    """Show which version is in which stage, since when, and who promoted it.

    With --here it also shows what a deployment directory serves: a server may have
    rejected a version, or may not follow the ledger. Without NAME and STAGE only
    the stages count that were deployed there.

    Exit codes: 0, a version is in a stage; 1, none is, or a directory given with
    --here serves another.
    """
    ledger = fetch_ledger(root, offline=offline)
    state = ledger.state
    if name is not None:
        ledger.version(name)  # raises if the model is unknown
    stage_records = [
        state.stage(model_name, stage_name)
        for model_name in ([name] if name else state.names())
        for stage_name in ([stage] if stage else state.stages(model_name))
    ]
    records = [record for record in stage_records if record is not None]
    shown = {(record.slot.name, record.slot.stage): record for record in records}
    if name and stage:
        ledger.stages.show(shown or {(name, stage): None})
    else:
        ledger.stages.show(shown, whole=name or "")
    queued = {event.id for event in ledger.queued()}
    marked = [
        (record, EventMarks(ledger.stage_doubt(record), record.id in queued)) for record in records
    ]
    if as_json:
        fields = [_fields(record) | marks.fields for record, marks in marked]
        click.echo(json.dumps(fields, indent=1))
    else:
        rows = [_row(record, marks) for record, marks in marked]
        click.echo("\n".join(align_columns(rows)) or _nothing(state, name, stage))
    differing = [line for path in directories for line in _differences(path, records, name, stage)]
    for line in differing:
        click.secho(line, fg="yellow", err=as_json)
    return 0 if records and not differing else 1


def _fields(record: StageRecord) -> dict[str, Any]:
    """Return what is in a stage for scripts, without what only servers set."""
    fields: dict[str, Any] = msgspec.to_builtins(record)
    slot = {k: v for k, v in fields["slot"].items() if k not in ("ledger", "event", "local")}
    return fields | {"slot": slot}


def _row(record: StageRecord, marks: EventMarks) -> list[str]:
    """Return what is in a stage as a row of the table."""
    override = "GATES OVERRIDDEN: " if record.override else ""
    return [
        f"{record.slot.name}@{record.slot.version}",
        record.slot.stage,
        record.slot.digest[:12],
        f"since {visible(record.at[:19])}",
        visible(record.actor),
        marks.text + override + visible(record.reason or "-"),
    ]


def _nothing(state: State, name: str | None, stage: str | None) -> str:
    if name is None or stage is None:
        return "no version is in any stage"
    suggestion = nearest(stage, state.stages(name))
    return f"no version of {visible(name)} is in {visible(stage)}{suggestion}"


def _differences(
    directory: Path, records: list[StageRecord], name: str | None, stage: str | None
) -> list[str]:
    """Return how what a deployment directory serves differs from what was promoted."""
    deployment = Deployment(directory)
    pointer = deployment.pointer()
    promoted_stages = {(record.slot.name, record.slot.stage) for record in records}
    lines = [
        f"{directory} serves {slot.name}@{slot.version} in {slot.stage}; promoted: nothing"
        for slot in pointer.slots
        if (slot.name, slot.stage) not in promoted_stages
        and name in (None, slot.name)
        and stage in (None, slot.stage)
    ]
    deployed = {(slot.name, slot.stage) for slot in pointer.slots}
    deployed |= {(event.name, event.stage) for event in deployment.history()}
    for record in records:
        promoted, served = record.slot, pointer.find(record.slot.name, record.slot.stage)
        if stage is None and (promoted.name, promoted.stage) not in deployed:
            continue
        if served is not None and served.digest == promoted.digest:
            continue
        changes = [
            event
            for event in deployment.history()
            if (event.name, event.stage) == (promoted.name, promoted.stage)
        ]
        why = ""
        if changes:
            last = changes[-1]
            reason = f": {visible(last.reason)}" if last.reason else ""
            why = f" ({last.op}, {last.at[:19]}{reason})"
        lines.append(
            f"{directory} serves {_describe(promoted, served)} in {promoted.stage}{why}; "
            f"promoted: {promoted.version}"
        )
    return lines


def _describe(promoted: Slot, served: Slot | None) -> str:
    """Return what is served of a promoted model, as text."""
    if served is None:
        return f"no version of {promoted.name}"
    return f"{served.name}@{served.version}"
