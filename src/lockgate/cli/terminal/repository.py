"""Options and words that the commands on versions share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from lockgate.registry.api import Ledger
    from lockgate.registry.provenance.verdict import Verdict

__all__ = ["fetched", "in_repository", "opened", "print_verdict", "queueing"]

F = TypeVar("F", bound=Callable[..., Any])

in_repository: Callable[[F], F] = click.option(
    "-C",
    "root",
    default=".",
    metavar="FOLDER",
    help="Of the Git repository; by default this one.",
    type=click.Path(exists=True, file_okay=False),
)
queueing: Callable[[F], F] = click.option(
    "--queue",
    is_flag=True,
    help="If the remote is down, keep the event here until `lockgate sync`.",
)


def opened(root: str, *, queue: bool = False) -> Ledger:
    """Open the ledger."""
    from lockgate.registry.api import Ledger

    return Ledger(root, queue=queue)


def fetched(root: str, *, offline: bool = False) -> Ledger:
    """Open the ledger to read, as of now; say so where the remote is down."""
    from lockgate.errors import RemoteUnavailable

    ledger = opened(root)
    if not offline:
        try:
            ledger.fetch()
        except RemoteUnavailable as error:
            words = str(error).partition(";")[0]
            click.echo(f"note: {words}; this is what was known before", err=True)
    return ledger


def print_verdict(verdict: Verdict, version: str) -> None:
    """Print what the gates said."""
    from lockgate.cli.terminal.text import columns

    against = "nothing" if verdict.incumbent is None else verdict.incumbent.version
    click.echo(f"{verdict.name}@{version} for {verdict.stage}, where {against} is:")
    marks = {True: click.style("pass", fg="green"), None: "-", False: click.style("FAIL", fg="red")}
    rows = [[marks[one.passed], one.gate, one.sentence] for one in verdict.judged]
    click.echo("\n".join(columns(rows, indent=2)) or "  no gates were chosen")
