"""``lockgate current``."""

from __future__ import annotations

import json

import click

from lockgate.cli.terminal.repository import fetched, in_repository

__all__ = ["command"]


@click.command("current")
@click.argument("name", required=False)
@click.argument("stage", required=False)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.option("--offline", is_flag=True, help="Do not ask the remote.")
@in_repository
def command(name: str | None, stage: str | None, as_json: bool, offline: bool, root: str) -> int:
    """Say which version is in which stage, since when, by whom; exit code 1 if none is.

    \b
    lockgate current
    lockgate current fraud prod --json
    """
    import msgspec

    from lockgate.cli.terminal.text import columns

    state = fetched(root, offline=offline).state
    found = [
        state.stage(one, where)
        for one in ([name] if name else state.names())
        for where in ([stage] if stage else state.stages(one))
    ]
    standing = [one for one in found if one is not None]
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(one) for one in standing], indent=1))
        return 0 if standing else 1
    rows = [
        [
            f"{one.slot.name}@{one.slot.version}",
            one.slot.stage,
            one.slot.digest[:12],
            f"since {one.at[:19]}",
            one.actor,
            ("AGAINST THE GATES: " if one.override else "") + (one.reason or "-"),
        ]
        for one in standing
    ]
    click.echo("\n".join(columns(rows)) or "nothing is in any stage")
    return 0 if standing else 1
