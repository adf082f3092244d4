"""``lockgate current``."""

from __future__ import annotations

import json

import click
import msgspec

from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.repository import fetch_ledger, repository_option
from lockgate.cli.terminal.text import align_columns
from lockgate.data.io.visible import visible

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
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@click.option("--offline", is_flag=True, help="Do not fetch from the remote.")
@repository_option
def command(name: str | None, stage: str | None, as_json: bool, offline: bool, root: str) -> int:
    """Show which version is in which stage, since when, and who promoted it.

    Exit codes: 0, a version is in a stage; 1, none is.
    """
    state = fetch_ledger(root, offline=offline).state
    stage_records = [
        state.stage(model_name, stage_name)
        for model_name in ([name] if name else state.names())
        for stage_name in ([stage] if stage else state.stages(model_name))
    ]
    records = [record for record in stage_records if record is not None]
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(record) for record in records], indent=1))
        return 0 if records else 1
    rows = [
        [
            f"{record.slot.name}@{record.slot.version}",
            record.slot.stage,
            record.slot.digest[:12],
            f"since {record.at[:19]}",
            visible(record.actor),
            ("GATES OVERRIDDEN: " if record.override else "") + visible(record.reason or "-"),
        ]
        for record in records
    ]
    click.echo("\n".join(align_columns(rows)) or "no version is in any stage")
    return 0 if records else 1
