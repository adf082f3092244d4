"""``lockgate rollback``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.repository import (
    open_ledger,
    print_queued,
    queue_option,
    repository_option,
)
from lockgate.data.io.visible import visible
from lockgate.deployment.deploy import roll_back
from lockgate.deployment.directory import Deployment
from lockgate.errors import UsageError

__all__ = ["command"]


@click.command(
    "rollback",
    epilog=examples("""
        lockgate rollback fraud prod --reason "refunds doubled"
        lockgate rollback fraud prod --to 1.3.0
        lockgate rollback --here /srv/fraud              # this server only, at once
        lockgate rollback --here /srv/fraud --history
    """),
)
@click.argument("name", required=False)
@click.argument("stage", required=False)
@click.option(
    "--to", metavar="VERSION", help="Version to return to.", show_default="the previous one"
)
@click.option(
    "--expect",
    metavar="VERSION",
    help="Roll back only if this is in STAGE now.",
    show_default="what this clone saw last",
)
@click.option("--reason", default="", help="Reason, for the record.")
@click.option(
    "--here",
    "directory",
    metavar="DIR",
    help="Deployment directory to roll back, without network or Git.",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option(
    "--stage",
    "local_stage",
    default="prod",
    metavar="STAGE",
    help="With --here: the stage, if it is not an argument.",
    show_default=True,
)
@click.option("--history", is_flag=True, help="With --here: only list the directory's events.")
@queue_option
@repository_option
def command(
    name: str | None,
    stage: str | None,
    to: str | None,
    expect: str | None,
    reason: str,
    directory: Path | None,
    local_stage: str,
    history: bool,
    queue: bool,
    root: str,
) -> int:
    """Roll back NAME in STAGE to an earlier version.

    Without --here the rollback is recorded in the ledger, and servers follow with
    `lockgate deploy fraud@prod DIR --follow`. With --here it applies to one
    server, even if the Git host is down: following the ledger does not undo it,
    and `lockgate sync DIR` records it. A running server switches within a second
    and fails no request. Of two people who roll back at the same time, the second
    is told what happened, and nothing is changed.

    Exit codes: 0, rolled back; 5, a server does not serve it; 6, STAGE was changed
    by others, or has another version than expected.
    """
    if directory is not None and history:
        return _print_history(directory)
    if directory is not None:
        return _roll_back_deployment(directory, name, stage or local_stage, to, reason)
    if name is None or stage is None:
        raise UsageError("expected lockgate rollback NAME STAGE, or --here DIR")
    ledger = open_ledger(root, queue=queue)
    record = ledger.rollback(name, stage, to=to, expect=expect, reason=reason)
    event = next(event for event in ledger.history(name, stage) if event.id == record.id)
    click.echo(
        f"{name}@{record.slot.version} is in {stage} again, instead of {event.before} "
        f"(event {record.seq})" + ("; its gates were overridden" if record.override else "")
    )
    print_queued(ledger)
    return 0


def _print_history(directory: Path) -> int:

    deployment = Deployment(directory)
    deployment.pointer()  # raises if it is not a deployment directory
    for event in deployment.history():
        before, after = (
            bundle.version if bundle else "-" for bundle in (event.before, event.after)
        )
        reason = f"  {visible(event.reason)}" if event.reason else ""
        change = f"{event.op} {event.name} {event.stage} {before} -> {after}"
        click.echo(f"{event.seq:4} {event.at[:19]}  {change}  {visible(event.actor)}{reason}")
    return 0


def _roll_back_deployment(
    directory: Path, name: str | None, stage: str, to: str | None, reason: str
) -> int:

    result = roll_back(directory, name, stage=stage, to=to, reason=reason)
    if result.warning:
        click.echo(f"note: {result.warning}", err=True)
    event = result.event
    if event is not None and event.after is not None and event.before is not None:
        click.echo(
            f"{event.name}@{event.after.version} is served in {event.stage} again, "
            f"instead of {event.before.version}"
        )
    if result.message:
        click.echo(result.message)
    return 0
