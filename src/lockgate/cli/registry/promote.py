"""``lockgate promote``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli.terminal.repository import (
    open_ledger,
    print_verdict,
    queue_option,
    repository_option,
)

if TYPE_CHECKING:
    from lockgate.registry.api import Ledger

__all__ = ["command"]

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("promote")
@click.argument("version", metavar="NAME[@VERSION]")
@click.argument("stage")
@click.option("--expect", metavar="VERSION", help="Only if this is there now (or `nothing`).")
@click.option("--data", type=FILE, help="Rows for the gates, where they were not asked before.")
@click.option("--today", type=FILE, help="Recent rows for the gates.")
@click.option("--params", type=FILE, help="File with the key gate:, instead of params.yaml.")
@click.option("--override", is_flag=True, help="Against the gates; needs --reason, stays visible.")
@click.option("--reason", default="", help="Why, for the record.")
@queue_option
@repository_option
def command(
    version: str,
    stage: str,
    expect: str | None,
    data: Path | None,
    today: Path | None,
    params: Path | None,
    override: bool,
    reason: str,
    queue: bool,
    root: str,
) -> int:
    """Put a version into STAGE, by default the newest, if its gates let it in.

    \b
    lockgate promote fraud@1.4.0 prod
    lockgate promote fraud prod --expect 1.3.2 --reason "fewer false alarms"
    lockgate promote fraud@1.4.1 prod --override --reason "hot fix, gates tomorrow"

    It needs a passing verdict on exactly this bundle against what is in STAGE
    now; where there is none, the gates are asked first. Two people at once: one
    of them is told what the other did. Servers follow with
    `lockgate deploy NAME@STAGE DIR --follow`.
    """
    from lockgate.errors import UsageError
    from lockgate.registry.versioning import address

    if override and not reason.strip():
        raise UsageError("--override needs --reason: everybody will see both")
    ledger = open_ledger(root, queue=queue)
    name, number = address(version)
    if not override and not _passes_gates(ledger, name, stage, number, data, today, params):
        return 1
    record = ledger.promote(
        name,
        stage,
        version=number,
        expect=expect,
        override=override,
        reason=reason,
        params=params,
    )
    before = record.slot.before[0].version if record.slot.before else "nothing"
    click.echo(
        f"{name}@{record.slot.version} is in {stage}, instead of {before} (event {record.seq})"
    )
    if record.slot.before:
        click.echo(f"back to it: lockgate rollback {name} {stage}")
    return 0


def _passes_gates(
    ledger: Ledger,
    name: str,
    stage: str,
    number: str | None,
    data: Path | None,
    today: Path | None,
    params: Path | None,
) -> bool:
    """Ask the gates, unless a verdict says all; say whether they let it in."""
    from lockgate.cli.terminal.status_line import status_line
    from lockgate.errors import GateRefused
    from lockgate.registry.gates.judge import judge
    from lockgate.registry.gates.policy import policy_of
    from lockgate.registry.ledger import rules

    ledger.writer.latest()
    has_rows = data is not None or today is not None
    record = rules.find_usable_version(ledger.state, name, number)
    current = ledger.current(name, stage)
    if current is not None and current.slot.version == record.version:
        return True  # it is there already, and promoting says so
    if not has_rows:
        try:
            path = params or ledger.repository.project(record.path) / "params.yaml"
            rules.verdict_for(ledger.state, record, stage, policy_of(path, stage).digest)
            return True
        except GateRefused:
            pass
    with status_line() as on_status:
        record, verdict = judge(
            ledger,
            name,
            stage,
            version=record.version,
            data=data,
            today=today,
            params=params,
            on_status=on_status,
        )
    print_verdict(verdict, record.version)
    ledger.record(verdict, record.version)
    if not verdict.passed:
        click.secho(
            f"not promoted: {len(verdict.failed)} gates did not let it in", fg="red", err=True
        )
    return verdict.passed
