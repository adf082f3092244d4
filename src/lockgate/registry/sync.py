"""Shares queued events, accepts a ledger that was taken back, and repairs the tags for GTO."""

from __future__ import annotations

import contextlib
import time
from typing import Literal

from lockgate.errors import LedgerConflict, LedgerError, LedgerTampered
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.ledger.fetched import check_fetched
from lockgate.registry.ledger.queued import commits_without, replay
from lockgate.registry.ledger.remote import PushRejected, PushUnconfirmed, Remote
from lockgate.registry.ledger.repository import LEDGER, event_of
from lockgate.registry.ledger.trust import ANCHOR, read_anchor
from lockgate.registry.provenance.events import Event

__all__ = ["Drop", "accept_rewritten", "push_queued", "repair_tags"]

Drop = Literal["impossible", "all"]
"""Which queued events to discard: those that no longer fit the events of others, or all."""


def push_queued(ledger: EventLog, *, drop: Drop | None = None) -> tuple[list[Event], list[Event]]:
    """Push the events that are queued in this clone.

    Parameters
    ----------
    ledger : EventLog
        The ledger, with or without a remote.
    drop : {"impossible", "all"}, optional
        Queued events to discard first.

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
    dropped = [] if drop is None else _discard(ledger, everything=drop == "all")
    queued = {event.id for event in ledger.queued()}
    ledger.writer.push()
    pushed = [event for event in ledger.history() if event.id in queued]
    return pushed[::-1], dropped


def _discard(ledger: EventLog, *, everything: bool) -> list[Event]:
    """Discard queued events; return them."""
    assert ledger.remote is not None
    repository = ledger.repository
    with repository.locked():
        shared_tip = ledger.writer.fetch_shared()
        if shared_tip is None:
            raise LedgerConflict(
                f"{ledger.remote.name} has no ledger: all events are here, and none is queued"
            )
        local_tip = repository.store.ref(LEDGER)
        queued = commits_without(repository, local_tip, shared_tip)
        if everything:
            repository.update_ref(LEDGER, local_tip, shared_tip)
            return [event_of(commit, oid) for oid, commit in queued]
        replayed = replay(repository, shared_tip, queued, ledger.writer.signers())
        repository.update_ref(LEDGER, local_tip, replayed.tip)
        return [event for event, _ in replayed.impossible]


def accept_rewritten(
    ledger: EventLog, *, drop: Drop | None = None
) -> tuple[list[Event], list[Event]]:
    """Accept that events which this clone has were taken back at the remote.

    Parameters
    ----------
    ledger : EventLog
        The ledger.
    drop : {"impossible", "all"}, optional
        Queued events to discard; by default all are kept.

    Returns
    -------
    tuple of list of Event
        The events that were taken back, and those discarded; oldest first.

    Raises
    ------
    LedgerConflict
        If a queued event became impossible.
    LedgerTampered
        If the anchor of the main branch names an event that was taken back, or what the remote
        has instead is not valid.
    RemoteUnavailable
        If the remote cannot be reached.

    """
    remote, repository = ledger.remote, ledger.repository
    if remote is None:
        return [], []
    with repository.locked():
        shared_tip = remote.fetch()
        tracked = repository.store.ref(remote.tracking)
        removed = commits_without(repository, tracked, shared_tip)
        if shared_tip is None or not removed:
            return [], []
        _check_anchored(ledger, remote, {oid for oid, _ in removed})
        check_fetched(remote, shared_tip, removed[0][1].parent, now=time.time())
        local_tip = repository.store.ref(LEDGER)
        queued = commits_without(repository, local_tip, tracked)
        kept = [] if drop == "all" else queued
        replayed = replay(repository, shared_tip, kept, ledger.writer.signers())
        if drop is None:
            replayed.require_all()
        taken_back = [(event_of(commit, oid), commit) for oid, commit in removed]
        stale_tags = [ledger.writer.gto_tags.tags(event, commit) for event, commit in taken_back]
        # in this order: events of the ledger that are not tracked would count as queued
        repository.update_ref(LEDGER, local_tip, replayed.tip)
        repository.update_ref(remote.tracking, tracked, shared_tip)
        _remove_tags(ledger, remote, shared_tip, stale_tags)
    discarded = [event for event, _ in replayed.impossible]
    if drop == "all":
        discarded = [event_of(commit, oid) for oid, commit in queued]
    return [event for event, _ in taken_back], discarded


def _remove_tags(
    ledger: EventLog, remote: Remote, shared_tip: str, stale_tags: list[dict[str, str | None]]
) -> None:
    """Remove the tags of events that were taken back, here and at the remote."""
    remote_tags = remote.tags() if any(stale_tags) else {}
    refs = [
        ref
        for tags in stale_tags
        for ref, oid in tags.items()
        if oid is not None and remote_tags.get(ref) == oid
    ]
    if refs:  # another clone may be faster, and the tags may be protected
        with contextlib.suppress(PushRejected, PushUnconfirmed, LedgerError):
            remote.push(shared_tip, *(f":{ref}" for ref in refs))
    for tags in stale_tags:
        ledger.writer.gto_tags.remove(tags)


def _check_anchored(ledger: EventLog, remote: Remote, removed: set[str]) -> None:
    anchor = read_anchor(ledger.repository)
    if anchor is not None and anchor.commit in removed:
        raise LedgerTampered(
            f"event {anchor.seq} was taken back at {remote.name}, and {ANCHOR} of the main branch "
            "names it: change that file first, if this is meant"
        )


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
