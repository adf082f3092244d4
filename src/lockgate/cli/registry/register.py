"""``lockgate register``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.terminal.repository import open_ledger, queue_option, repository_option

__all__ = ["command"]


@click.command("register")
@click.argument(
    "bundle", default="bundle", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--as", "version", metavar="VERSION", help="By default what follows from the change.")
@click.option("--bump", type=click.Choice(["major", "minor", "patch"]), help="At least this.")
@click.option("--outside", is_flag=True, help="Although no dvc.lock here names it.")
@click.option("--reason", default="", help="Why, for the record.")
@queue_option
@repository_option
def command(
    bundle: Path,
    version: str | None,
    bump: str | None,
    outside: bool,
    reason: str,
    queue: bool,
    root: str,
) -> int:
    """Make BUNDLE a version of its model: fraud@1.4.0, tied to the commit it comes from.

    \b
    lockgate run && git add -A && git commit -m "more data"
    lockgate register
    lockgate register packed/ --as 2.0.0        # fitted elsewhere, with lockgate pack

    The work tree must be clean and its dvc.lock name this very bundle. Major:
    requests may break. Minor: parameters or code changed. Patch: other data.
    A bundle that is a version already stays that version.
    """
    ledger = open_ledger(root, queue=queue)
    record = ledger.register(bundle, version=version, bump=bump, outside=outside, reason=reason)
    click.echo(f"{record.name}@{record.version} is {record.digest[:12]}, lineage {record.lineage}")
    click.echo(f"  {'; '.join(record.why)}")
    if ledger.state.is_retired(record.name, record.version):
        click.echo("  it is retired: it cannot be promoted")
    else:
        click.echo(f"Next: lockgate promote {record.name}@{record.version} STAGE")
    return 0
