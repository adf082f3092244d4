"""Shares queued events, and repairs the tags for GTO."""

from __future__ import annotations

from typing import Literal, get_args

from lockgate.errors import LedgerConflict, LedgerError, UsageError
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.ledger.queued import queued_after, replay
from lockgate.registry.ledger.remote import PushRejected, PushUnconfirmed
from lockgate.registry.ledger.repository import LEDGER, event_of
from lockgate.registry.provenance.events import Event

__all__ = ["Drop", "check_drop", "discard_queued", "push_queued", "repair_tags"]

Drop = Literal["impossible", "all"]
"""Which queued events to discard: those that no longer fit the events of others, or all."""


def check_drop(drop: object) -> None:
    """Raise a `UsageError` unless it is a `Drop`, or None."""
    if drop is not None and drop not in get_args(Drop):
        allowed = " or ".join(map(repr, get_args(Drop)))
        raise UsageError(f"drop is {drop!r}, expected None, {allowed}")


def push_queued(ledger: EventLog) -> list[Event]:
    """Push the events that are queued in this clone, and return them.

    Parameters
    ----------
    ledger : EventLog
        The ledger, with or without a remote.

    Raises
    ------
    LedgerConflict
        If an event became impossible after the events of others.
    RemoteUnavailable
        If the remote cannot be reached.

    """
    if ledger.remote is None:
        return []
    queued = {event.id for event in ledger.queued()}
    ledger.writer.push()
    pushed = [event for event in ledger.history() if event.id in queued]
    return pushed[::-1]


def discard_queued(ledger: EventLog, *, everything: bool) -> list[Event]:
    """Discard events that are queued in this clone, and return them.

    Parameters
    ----------
    ledger : EventLog
        The ledger, with or without a remote.
    everything : bool
        Discard all of them; otherwise those that no longer fit the events of others.

    Raises
    ------
    LedgerConflict
        If the remote has no ledger.
    LedgerTampered
        If what the remote has is not valid.
    RemoteUnavailable
        If the remote cannot be reached.

    """
    if ledger.remote is None:
        return []
    repository = ledger.repository
    with repository.locked():
        shared_tip = ledger.writer.fetch_shared()
        if shared_tip is None:
            raise LedgerConflict(
                f"{ledger.remote.name} has no ledger: all events are here, and none is queued"
            )
        local_tip = repository.store.ref(LEDGER)
        queued = queued_after(repository, shared_tip)
        if everything:
            repository.update_ref(LEDGER, local_tip, shared_tip)
            return [event_of(commit, oid) for oid, commit in queued]
        replayed = replay(repository, shared_tip, queued, ledger.writer.signers())
        repository.update_ref(LEDGER, local_tip, replayed.tip)
        return [event for event, _ in replayed.impossible]


def repair_tags(ledger: EventLog) -> tuple[list[str], str]:
    """Write missing tags for GTO, and remove those of events that were taken back.

    Both in this clone and at the remote.

    Returns
    -------
    tuple of list of str, and str
        The tags that were missing or stale, and why the remote's could not be repaired; empty if
        they could.

    """
    tags = ledger.writer.gto_tags
    events = [(event, commit) for event, commit, _ in ledger.commits()][::-1]
    stale = tags.stale(event for event, _ in events)
    expected: dict[str, str | None] = dict.fromkeys(stale)
    expected |= tags.all_tags(events)
    repaired = set(tags.missing(expected))
    problem = ""
    with ledger.repository.locked():
        if ledger.remote is not None and ledger.tip is not None and expected:
            present = ledger.remote.tags()
            changes = [ref for ref, oid in expected.items() if present.get(ref) != oid]
            # by force only what this ledger wrote itself
            forced = {ref for ref in changes if present.get(ref) == stale.get(ref, "")}
            refspecs = [
                f"{'+' if ref in forced else ''}{expected[ref] or ''}:{ref}" for ref in changes
            ]
            try:
                if changes:
                    ledger.remote.push(ledger.tip, *refspecs)
                    repaired |= set(changes)
            except (PushRejected, PushUnconfirmed, LedgerError) as error:
                problem = f"the tags for GTO at {ledger.remote.name} are not repaired: {error}"
        tags.write(dict.fromkeys(stale))
        tags.write(expected)
    return sorted(ref.removeprefix("refs/tags/") for ref in repaired), problem
