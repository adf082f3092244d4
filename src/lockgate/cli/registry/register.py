"""``lockgate register``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli.terminal.bundle import default_bundle
from lockgate.cli.terminal.examples import examples
from lockgate.cli.terminal.repository import (
    open_ledger,
    print_queued,
    queue_option,
    repository_option,
)

if TYPE_CHECKING:
    from lockgate.registry.ledger.state import VersionRecord

__all__ = ["command"]


@click.command(
    "register",
    epilog=examples("""
        lockgate run && git add -A && git commit -m "more data"
        lockgate register
        lockgate register packed/ --as 2.0.0        # made by lockgate pack
    """),
)
@click.argument(
    "bundle", default=default_bundle, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option(
    "--as", "version", metavar="VERSION", help="Version number.", show_default="from the change"
)
@click.option(
    "--bump",
    type=click.Choice(["major", "minor", "patch"]),
    help="Raise at least this part of the version number.",
)
@click.option("--outside", is_flag=True, help="Register a bundle that no dvc.lock here records.")
@click.option(
    "--pushed",
    is_flag=True,
    help="Register only if the commit, the bundle and the data are pushed.",
)
@click.option("--reason", default="", help="Reason, for the record.")
@queue_option
@repository_option
def command(
    bundle: Path,
    version: str | None,
    bump: str | None,
    outside: bool,
    pushed: bool,
    reason: str,
    queue: bool,
    root: str,
) -> int:
    """Register BUNDLE as a version of its model, tied to the commit that it was made from.

    All changes must be committed, and dvc.lock must record this bundle. The
    version number follows from what changed since the last version. Major: the
    inputs or outputs changed, so that requests may fail. Minor: parameters or
    code changed. Patch: only the data changed. A bundle that is registered
    already keeps its version. Where the ledger is shared, a note says what other
    clones would lack.
    """
    ledger = open_ledger(root, queue=queue)
    new: list[VersionRecord] = []
    record = ledger.register(
        bundle,
        version=version,
        bump=bump,
        outside=outside,
        pushed=pushed,
        reason=reason,
        on_warning=lambda note: click.echo(f"note: {note}", err=True),
        on_registered=new.append,
    )
    origin = f"bundle {record.digest[:12]}, lineage {record.lineage}"
    known = "" if new else "registered already: "
    click.echo(f"{record.name}@{record.version} is {known}{origin}")
    click.echo(f"  {'; '.join(record.why)}")
    if record.params_edited:
        click.echo(
            "  its params.yaml holds other values than conf/; `lockgate run --keep` records them"
        )
    if ledger.state.is_retired(record.name, record.version):
        click.echo("  it is retired: it cannot be promoted")
    else:
        click.echo(f"Next: lockgate promote {record.name}@{record.version} STAGE")
    print_queued(ledger)
    return 0
