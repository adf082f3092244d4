"""``lockgate rollback``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.terminal.repository import open_ledger, queue_option, repository_option

__all__ = ["command"]


@click.command("rollback")
@click.argument("name", required=False)
@click.argument("stage", required=False)
@click.option("--to", metavar="VERSION", help="By default the one before.")
@click.option("--expect", metavar="VERSION", help="Only if this is in STAGE now.")
@click.option("--reason", default="", help="Why, for the record.")
@click.option(
    "--here",
    "directory",
    metavar="DIR",
    help="Only there, with no network and no Git.",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option("--stage", "where", default="prod", help="With --here, if NAME is left out.")
@click.option("--history", is_flag=True, help="With --here: only list what was done there.")
@queue_option
@repository_option
def command(
    name: str | None,
    stage: str | None,
    to: str | None,
    expect: str | None,
    reason: str,
    directory: Path | None,
    where: str,
    history: bool,
    queue: bool,
    root: str,
) -> int:
    """Go back to an earlier version of NAME in STAGE.

    \b
    lockgate rollback fraud prod --reason "refunds doubled"
    lockgate rollback fraud prod --to 1.3.0
    lockgate rollback --here /srv/fraud              # at this server, at once
    lockgate rollback --here /srv/fraud --history

    In the ledger, for everybody; servers follow with `lockgate deploy fraud@prod
    DIR --follow`. With --here at one server, even if the Git host is down:
    following the ledger does not undo it, and `lockgate sync DIR` enters it. A
    running server follows within a second and fails no request.
    """
    from lockgate.errors import UsageError

    if directory is not None:
        return _roll_back_deployment(directory, name, stage or where, to, reason, history=history)
    if name is None or stage is None:
        raise UsageError("say what and where: lockgate rollback NAME STAGE, or --here DIR")
    ledger = open_ledger(root, queue=queue)
    record = ledger.rollback(name, stage, to=to, expect=expect, reason=reason)
    replaced_version = next(
        (bundle.version for bundle in record.slot.before if bundle.left), "nothing"
    )
    click.echo(
        f"{name}@{record.slot.version} is in {stage} again, instead of {replaced_version} (event {record.seq})"
    )
    return 0


def _roll_back_deployment(
    directory: Path, name: str | None, stage: str, to: str | None, reason: str, *, history: bool
) -> int:
    from lockgate.deployment.activation import wait_until_served
    from lockgate.deployment.directory import Deployment
    from lockgate.models.bundle.check import check_in_subprocess

    deployment = Deployment(directory)
    if history:
        deployment.pointer()  # says so where it is no deployment directory
        for event in deployment.history():
            before, after = (
                bundle.version if bundle else "-" for bundle in (event.before, event.after)
            )
            reason_text = f"  {event.reason}" if event.reason else ""
            change = f"{event.op} {event.name} {event.stage} {before} -> {after}"
            click.echo(f"{event.seq:4} {event.at[:19]}  {change}  {event.actor}{reason_text}")
        return 0
    pointer = deployment.rollback(
        name, stage=stage, to=to, reason=reason, check=check_in_subprocess
    )
    if note := wait_until_served(deployment, pointer):
        click.echo(f"note: {note}", err=True)
    last_event = pointer.event
    if last_event is not None and last_event.after is not None and last_event.before is not None:
        click.echo(
            f"{last_event.name}@{last_event.after.version} is served in {last_event.stage} again, "
            f"instead of {last_event.before.version}"
        )
    if any(slot.local for slot in pointer.slots):
        click.echo(f"the ledger does not know yet: lockgate sync {directory}")
    return 0
