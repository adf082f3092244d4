"""Shares queued events, and repairs the tags for GTO."""

from __future__ import annotations

from typing import Literal, get_args

from lockgate.errors import LedgerConflict, LedgerError, UsageError
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.ledger.queued import queued_after, replay
from lockgate.registry.ledger.remote import PushRejected, PushUnconfirmed, Remote
from lockgate.registry.ledger.repository import event_of
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
        queued = queued_after(repository, shared_tip)
        if everything:
            ledger.writer.replace_queued(queued, shared_tip)
            return [event_of(commit, oid) for oid, commit in queued]
        replayed = replay(repository, shared_tip, queued, ledger.writer.signers())
        ledger.writer.replace_queued(queued, replayed.tip)
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
    present: dict[str, str] | None = None
    if ledger.remote is not None and ledger.tip is not None and tags.enabled:
        present = ledger.remote.tags()
        ledger.fetch()  # after the tags: each event that they are of is known now
    events = [(event, commit) for event, commit, _ in ledger.commits()][::-1]
    stale = tags.stale(event for event, _ in events)
    expected: dict[str, str | None] = dict.fromkeys(stale)
    expected |= tags.all_tags(events)
    repaired, problem = set(tags.missing(expected)), ""
    with ledger.repository.locked():
        if ledger.remote is not None and present is not None:
            try:
                repaired |= _repair_remote_tags(ledger, ledger.remote, present, expected)
            except (PushRejected, PushUnconfirmed, LedgerError) as error:
                problem = f"the tags for GTO at {ledger.remote.name} are not repaired: {error}"
        tags.write(expected)
    return sorted(ref.removeprefix("refs/tags/") for ref in repaired), problem


def _repair_remote_tags(
    ledger: EventLog, remote: Remote, present: dict[str, str], expected: dict[str, str | None]
) -> set[str]:
    """Make a remote's tags what they should be; return those that were not.

    By force only what a ledger wrote: those of users stay.
    """
    tags = ledger.writer.gto_tags
    names = {event.name for event in ledger.history()}
    other = {
        ref: oid
        for ref, oid in present.items()
        if expected.get(ref) != oid and (ref in expected or tags.may_be_written(ref, names))
    }
    remote.fetch_tags(list(other))
    written = {ref for ref, oid in other.items() if tags.is_written(oid)}
    expected |= dict.fromkeys(written.difference(expected))
    changes = [ref for ref, oid in expected.items() if present.get(ref) != oid]
    refspecs = [f"{'+' if ref in written else ''}{expected[ref] or ''}:{ref}" for ref in changes]
    if changes and ledger.tip is not None:
        remote.push(ledger.tip, *refspecs)
    return set(changes)
