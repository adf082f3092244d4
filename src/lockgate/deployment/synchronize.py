"""Synchronizes a clone's ledger with the remote, and with deployment directories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lockgate.deployment.take_back import record_rollbacks
from lockgate.registry.api import Ledger
from lockgate.registry.ledger.rewritten import accept_rewritten
from lockgate.registry.provenance.events import Event
from lockgate.registry.sync import Drop, check_drop, discard_queued, push_queued, repair_tags

__all__ = ["SyncResult", "sync"]


@dataclass(frozen=True)
class SyncResult:
    """What a synchronization did.

    Attributes
    ----------
    taken_back : tuple of Event
        Events that this clone had, and that were taken back at the remote.
    pushed, dropped : tuple of Event
        Events that were queued in this clone, and are shared or discarded now.
    recorded : tuple of Event
        Rollbacks of the deployment directory that are in the ledger now.
    repaired_tags : tuple of str
        Git tags for GTO that were missing, or of events that were taken back.
    note : str
        Why tags of the remote could not be repaired; empty if they could.

    """

    taken_back: tuple[Event, ...] = ()
    pushed: tuple[Event, ...] = ()
    dropped: tuple[Event, ...] = ()
    recorded: tuple[Event, ...] = ()
    repaired_tags: tuple[str, ...] = ()
    note: str = ""


def sync(
    directory: str | Path | None = None,
    *,
    ledger: Ledger | str | Path = ".",
    drop: Drop | None = None,
    accept: bool = False,
    on_event: Callable[[str, Event], None] = lambda *_: None,
) -> SyncResult:
    """Share the events that were queued in this clone, and record rollbacks made at a server.

    Parameters
    ----------
    directory : path-like, optional
        A deployment directory with rollbacks that the ledger does not have.
    ledger : Ledger or path-like
        The ledger, or a folder of its repository; by default the current one.
    drop : {"impossible", "all"}, optional
        Queued events to discard instead of sharing them: those that no longer fit the events
        of others, or all.
    accept : bool
        Accept that events were taken back at the remote: this clone forgets them.
    on_event : callable
        Called with ``taken back``, ``discarded``, ``pushed`` or ``recorded``, and the event, as
        soon as it is done: a later step may fail.

    Returns
    -------
    SyncResult
        What was done.

    Raises
    ------
    LedgerConflict
        If a queued event became impossible after the events of others.
    LedgerTampered
        If what the remote has is not valid, or events were taken back and `accept` is not set.
    RemoteUnavailable
        If the remote cannot be reached.

    """
    check_drop(drop)
    ledger = Ledger.of(ledger)
    taken_back, dropped = list[Event](), list[Event]()
    if accept:
        taken_back, dropped = accept_rewritten(
            ledger.writer, drop_impossible=drop == "impossible", drop_all=drop == "all"
        )
    _announce(on_event, "taken back", taken_back)
    if drop is not None:
        dropped += discard_queued(ledger, everything=drop == "all")
    _announce(on_event, "discarded", dropped)
    pushed = push_queued(ledger)
    _announce(on_event, "pushed", pushed)
    recorded = [] if directory is None else record_rollbacks(ledger, Path(directory))
    _announce(on_event, "recorded", recorded)
    repaired, note = repair_tags(ledger)
    return SyncResult(
        taken_back=tuple(taken_back),
        pushed=tuple(pushed),
        dropped=tuple(dropped),
        recorded=tuple(recorded),
        repaired_tags=tuple(repaired),
        note=note,
    )


def _announce(on_event: Callable[[str, Event], None], change: str, events: list[Event]) -> None:
    for event in events:
        on_event(change, event)
