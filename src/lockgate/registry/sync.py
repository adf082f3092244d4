"""Pushes queued events, and repairs the tags for GTO."""

from __future__ import annotations

from lockgate.errors import LedgerConflict
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.ledger.repository import LEDGER
from lockgate.registry.provenance.events import Event

__all__ = ["push_queued", "repair_tags"]


def push_queued(ledger: EventLog, *, drop: bool = False) -> tuple[list[Event], list[Event]]:
    """Push the events that are queued in this clone.

    Parameters
    ----------
    ledger : EventLog
        The ledger, with or without a remote.
    drop : bool
        Discard the queued events instead.

    Returns
    -------
    tuple of list of Event
        The events pushed, and those discarded.

    Raises
    ------
    LedgerConflict
        If an event became impossible after the events of others.

    """
    if ledger.remote is None:
        return [], []
    repository = ledger.repository
    if drop:
        with repository.locked():
            shared_tip = ledger.remote.fetch()
            if shared_tip is None:
                raise LedgerConflict(
                    f"{ledger.remote.name} has no ledger: all events are here, and none is queued"
                )
            shared_oids = {oid for oid, _ in repository.walk(shared_tip)}
            dropped = [event for event, _, oid in ledger.commits() if oid not in shared_oids]
            repository.update_ref(LEDGER, ledger.tip, shared_tip)
        return [], dropped[::-1]
    with repository.locked():
        shared_tip = ledger.remote.fetch()
        shared_oids = {oid for oid, _ in repository.walk(shared_tip)}
    queued = {event.id for event, _, oid in ledger.commits() if oid not in shared_oids}
    ledger.writer.push()
    pushed = [event for event in ledger.history() if event.id in queued]
    return pushed[::-1], []


def repair_tags(ledger: EventLog) -> list[str]:
    """Write missing tags for GTO, in this clone and at the remote; return their names."""
    writer = ledger.writer
    events = [(event, commit) for event, commit, _ in ledger.commits()][::-1]
    expected = writer.gto_tags.all_tags(events)
    missing = set(writer.gto_tags.missing(expected))
    with ledger.repository.locked():
        writer.gto_tags.write(expected)
        if ledger.remote is not None and ledger.tip is not None and expected:
            remote_tags = ledger.remote.tags()
            remote_missing = [ref for ref, oid in expected.items() if remote_tags.get(ref) != oid]
            if remote_missing:
                ledger.remote.push(
                    ledger.tip, *(f"{expected[ref] or ''}:{ref}" for ref in remote_missing)
                )
            missing |= set(remote_missing)
    return sorted(ref.removeprefix("refs/tags/") for ref in missing)
