"""Pushes events that were queued here, and repairs the tags for GTO."""

from __future__ import annotations

from lockgate.errors import LedgerConflict
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.ledger.repository import LEDGER
from lockgate.registry.provenance.events import Event

__all__ = ["push_queued", "repair_tags"]


def push_queued(ledger: EventLog, *, drop: bool = False) -> tuple[list[Event], list[Event]]:
    """Push events that were queued here.

    Parameters
    ----------
    ledger : EventLog
        With or without a remote.
    drop : bool
        Give them up instead.

    Returns
    -------
    tuple of list of Event
        Those pushed, and those given up.

    Raises
    ------
    LedgerConflict
        If one does not fit what others have done since.

    """
    if ledger.remote is None:
        return [], []
    repository = ledger.repository
    if drop:
        with repository.locked():
            there = ledger.remote.fetch()
            if there is None:
                raise LedgerConflict(
                    f"{ledger.remote.name} has no ledger: all of it is here, and nothing is queued"
                )
            known = {oid for oid, _ in repository.walk(there)}
            gone = [event for event, _, oid in ledger.commits() if oid not in known]
            repository.point(LEDGER, ledger.tip, there)
        return [], gone[::-1]
    with repository.locked():
        there = ledger.remote.fetch()
        known = {oid for oid, _ in repository.walk(there)}
    queued = {event.id for event, _, oid in ledger.commits() if oid not in known}
    ledger.writer.push()
    pushed = [event for event in ledger.history() if event.id in queued]
    return pushed[::-1], []


def repair_tags(ledger: EventLog) -> list[str]:
    """Write the tags for GTO that are not there, here and at the remote; return their names."""
    writer = ledger.writer
    events = [(event, commit) for event, commit, _ in ledger.commits()][::-1]
    wanted = writer.mirror.all(events)
    lacking = set(writer.mirror.missing(wanted))
    with ledger.repository.locked():
        writer.mirror.write(wanted)
        if ledger.remote is not None and ledger.tip is not None and wanted:
            there = ledger.remote.tags()
            away = [ref for ref, oid in wanted.items() if there.get(ref) != oid]
            if away:
                ledger.remote.push(ledger.tip, *(f"{wanted[ref] or ''}:{ref}" for ref in away))
            lacking |= set(away)
    return sorted(ref.removeprefix("refs/tags/") for ref in lacking)
