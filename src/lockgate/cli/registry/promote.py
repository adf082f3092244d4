"""``lockgate promote``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli.terminal.comparison import comparison_lines
from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.repository import (
    open_ledger,
    print_queued,
    print_verdict,
    queue_option,
    repository_option,
)
from lockgate.cli.terminal.status_line import status_line
from lockgate.errors import LockgateError
from lockgate.registry.versioning import parse_reference

if TYPE_CHECKING:
    from lockgate.registry.ledger.state import VersionRecord
    from lockgate.registry.provenance.verdict import Verdict

__all__ = ["command"]

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    "promote",
    epilog=examples("""
        lockgate promote fraud@1.4.0 prod
        lockgate promote fraud prod --expect 1.3.2 --reason "fewer false alarms"
        lockgate promote fraud prod --plan --data march.csv
        lockgate promote fraud@1.4.1 prod --override --reason "hot fix, gates tomorrow"
    """),
)
@click.argument("version", metavar="NAME[@VERSION]")
@click.argument("stage")
@click.option(
    "--expect",
    metavar="VERSION",
    help="Promote only if this version is in STAGE now, or `nothing`.",
    show_default="what this clone saw last",
)
@click.option("--data", type=FILE, help="Labelled rows for the gates, CSV or Parquet.")
@click.option("--today", type=FILE, help="Recent rows without labels, for the gate `today`.")
@click.option(
    "--override", is_flag=True, help="Promote without passing gates; recorded, needs --reason."
)
@click.option("--reason", default="", help="Reason, for the record.")
@click.option(
    "--plan",
    is_flag=True,
    help="Run the gates, compare with what is in STAGE, and change and record nothing.",
)
@queue_option
@repository_option
def command(
    version: str,
    stage: str,
    expect: str | None,
    data: Path | None,
    today: Path | None,
    override: bool,
    reason: str,
    plan: bool,
    queue: bool,
    root: str,
) -> int:
    """Promote a version to STAGE, by default the newest, if its gates pass.

    A promotion needs a passing verdict on this bundle against the incumbent, the
    version that is in STAGE now, by the gates that the policy of the main branch
    names for STAGE (`lockgate policy` shows it). If there is none, or with --data
    or --today, the gates are run first. If someone else has changed STAGE since this clone last
    saw it, nothing is changed, and the message says what happened. Servers follow
    with `lockgate deploy NAME@STAGE DIR --follow`. With --plan, what would happen is
    shown: the verdict, and how both versions differ on the same rows.

    Exit codes: 0, promoted, or planned and the gates pass; 1, a gate failed; 6, STAGE
    was changed by others, or has another version than expected.
    """
    name, number = parse_reference(version)
    if plan:
        if override or queue or reason:
            raise click.UsageError(
                "--plan changes nothing: leave out --override, --queue, --reason"
            )
        return _print_plan(root, name, number, stage, data, today, expect)
    with status_line() as on_status:

        def on_verdict(judged: VersionRecord, verdict: Verdict) -> None:
            on_status("")
            print_verdict(verdict, judged.version)

        ledger = open_ledger(root, queue=queue)
        record = ledger.promote(
            name,
            stage,
            version=number,
            expect=expect,
            override=override,
            reason=reason,
            data=data,
            today=today,
            on_status=on_status,
            on_verdict=on_verdict,
        )
    slot = record.slot
    before = slot.before[0].version if slot.before else "nothing"
    click.echo(f"{name}@{slot.version} is in {stage}, instead of {before} (event {record.seq})")
    if slot.before:
        click.echo(f"to roll back: lockgate rollback {name} {stage}")
    print_queued(ledger)
    return 0


def _print_plan(
    root: str,
    name: str,
    number: str | None,
    stage: str,
    data: Path | None,
    today: Path | None,
    expect: str | None,
) -> int:
    """Show what a promotion would do; return 1 if a gate fails."""
    from lockgate.registry.compare import compare

    with status_line() as on_status:
        ledger = open_ledger(root)
        expected = ledger.stages.expectation(name, stage, expect)
        record, verdict = ledger.gate(
            name, stage, version=number, data=data, today=today, dry=True, on_status=on_status
        )
        ledger.stages.check(expected, name, stage)
        on_status("")
        print_verdict(verdict, record.version)
        in_stage = ledger.state.stage(name, stage)
        lines = []
        if in_stage is not None and in_stage.slot.version != record.version:
            old, new = f"{name}@{in_stage.slot.version}", f"{name}@{record.version}"
            project = ledger.repository.project(record.path)
            try:
                comparison = compare(old, new, data, project=project, on_status=on_status)
                lines = ["", *comparison_lines(comparison), ""]
            except LockgateError as error:
                lines = ["", f"not compared with {old}: {error}", ""]
    for line in lines:
        click.echo(line)
    before = "nothing" if in_stage is None else in_stage.slot.version
    failed = ", ".join(gate.gate for gate in verdict.judged if gate.refused)
    outcome = "would be" if verdict.passed else f"would not be, as gates fail ({failed}),"
    click.echo(
        f"plan: {name}@{record.version} {outcome} in {stage}, instead of {before}; nothing was "
        "changed"
    )
    return 0 if verdict.passed else 1
