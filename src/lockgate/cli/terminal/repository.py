"""Options and output that the commands on versions share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from lockgate.cli.terminal.text import align_columns
from lockgate.data.io.visible import visible
from lockgate.errors import LedgerConflict, LedgerTampered, RemoteUnavailable

if TYPE_CHECKING:
    from lockgate.registry.api import Ledger
    from lockgate.registry.provenance.verdict import Verdict

__all__ = [
    "EventMarks",
    "fetch_ledger",
    "open_ledger",
    "print_queued",
    "print_verdict",
    "queue_option",
    "repository_option",
]

F = TypeVar("F", bound=Callable[..., Any])

repository_option: Callable[[F], F] = click.option(
    "-C",
    "root",
    default=".",
    metavar="FOLDER",
    help="Folder of the Git repository.",
    show_default="the current folder",
    type=click.Path(exists=True, file_okay=False),
)
queue_option: Callable[[F], F] = click.option(
    "--queue",
    is_flag=True,
    help="If the remote is unavailable, record the event in this clone until `lockgate sync`.",
)


def open_ledger(root: str, *, queue: bool = False) -> Ledger:
    """Open the ledger."""
    # here, as `lockgate rollback --here` works without the packages of the ledger
    from lockgate.registry.api import Ledger

    return Ledger(root, queue=queue)


def fetch_ledger(
    root: str, *, offline: bool = False, on_invalid: Callable[[str], None] | None = None
) -> Ledger:
    """Open the ledger and fetch; print a note if the remote is unavailable or not valid."""
    ledger = open_ledger(root)
    if not offline:
        try:
            ledger.fetch()
        except LedgerConflict as error:
            text = f"{error}; showing the ledger without the events that are queued here"
            click.secho(f"warning: {visible(text, limit=None)}", fg="yellow", err=True)
        except RemoteUnavailable as error:
            click.echo(f"note: {error.problem}; showing the ledger as last fetched", err=True)
        except LedgerTampered as error:
            if on_invalid is not None:
                on_invalid(str(error))
            else:
                click.secho(f"warning: {visible(str(error), limit=None)}", fg="yellow", err=True)
    return ledger


def print_queued(ledger: Ledger) -> None:
    """Say that events are queued in this clone, if there are any."""
    queued = len(ledger.queued())
    if queued:
        events = "1 event is" if queued == 1 else f"{queued} events are"
        click.echo(f"note: {events} queued in this clone only; to share: lockgate sync", err=True)


class EventMarks(NamedTuple):
    """What is special about an event.

    Attributes
    ----------
    doubt : str
        Why it cannot be trusted; empty if it can.
    queued : bool
        Whether only this clone has it.

    """

    doubt: str
    queued: bool

    @property
    def text(self) -> str:
        """Marks before the reason of an event; empty for most events."""
        doubt = f"NOT TRUSTED ({visible(self.doubt)}): " if self.doubt else ""
        return ("QUEUED: " if self.queued else "") + doubt

    @property
    def fields(self) -> dict[str, object]:
        """The same for JSON."""
        return {name: value for name, value in self._asdict().items() if value}


def print_verdict(verdict: Verdict, version: str) -> None:
    """Print the result of each gate."""
    incumbent = "no version" if verdict.incumbent is None else verdict.incumbent.version
    click.echo(f"{verdict.name}@{version} for {verdict.stage} (incumbent: {incumbent}):")
    marks = {True: click.style("pass", fg="green"), None: "-", False: click.style("FAIL", fg="red")}
    rows = [
        [marks[record.passed], visible(record.gate), visible(record.sentence)]
        for record in verdict.judged
    ]
    click.echo("\n".join(align_columns(rows, indent=2)) or "  no gates are configured")
