"""``lockgate retire``."""

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
from lockgate.deployment.deploy import remove
from lockgate.errors import UsageError
from lockgate.registry.slots import STAGE
from lockgate.registry.versioning import parse_reference

__all__ = ["command"]


@click.command(
    "retire",
    epilog=examples("""
        lockgate retire fraud@1.2.0 --reason "trained on leaked labels"
        lockgate retire fraud canary
        lockgate retire fraud canary --here /srv/fraud   # of this server only
    """),
)
@click.argument("version", metavar="NAME[@VERSION]")
@click.argument("stage", required=False)
@click.option("--reason", default="", help="Reason, for the record.")
@click.option(
    "--here",
    "directory",
    metavar="DIR",
    help="Deployment directory to remove the model from, without the ledger.",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@queue_option
@repository_option
def command(
    version: str, stage: str | None, reason: str, directory: Path | None, queue: bool, root: str
) -> int:
    """Retire a version permanently, or remove a model from STAGE.

    A retired version cannot be promoted or rolled back to; its history remains.
    With --here a model that was deployed by hand is no longer served in STAGE
    (prod by default).

    Exit codes: 0, retired; 6, the version is in a stage, or STAGE was changed by
    others.
    """
    name, number = parse_reference(version)
    if directory is not None:
        return _remove(directory, name, number, stage or STAGE, reason)
    ledger = open_ledger(root, queue=queue)
    event = ledger.retire(name, version=number, stage=stage, reason=reason)
    outcome = f"no longer in {stage}" if stage else "retired"
    click.echo(f"{name}@{event.before} is {outcome} (event {event.seq})")
    print_queued(ledger)
    return 0


def _remove(directory: Path, name: str, version: str | None, stage: str, reason: str) -> int:
    if version is not None:
        raise UsageError(f"expected {name} without a version: --here removes what is served")
    result = remove(directory, name, stage=stage, reason=reason)
    if result.warning:
        click.echo(f"note: {result.warning}", err=True)
    click.echo(f"{name} is no longer served in {stage} of {directory.absolute()}")
    return 0
