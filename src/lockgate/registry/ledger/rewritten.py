"""Accepts that events were taken back at the remote, by a forced push."""

from __future__ import annotations

import time

from lockgate.errors import LedgerTampered
from lockgate.registry.ledger.fetched import LedgerRewritten, check_fetched
from lockgate.registry.ledger.queued import Queued, commits_without, replay
from lockgate.registry.ledger.remote import Remote
from lockgate.registry.ledger.repository import LEDGER, Repository, event_of
from lockgate.registry.ledger.trust import ANCHOR, read_anchor
from lockgate.registry.ledger.writer import Writer
from lockgate.registry.provenance.events import Event

__all__ = ["accept_rewritten"]


def accept_rewritten(
    writer: Writer, *, drop_impossible: bool = False, drop_all: bool = False
) -> tuple[list[Event], list[Event]]:
    """Accept that events which this clone has were taken back at the remote.

    Parameters
    ----------
    writer : Writer
        The writer of the ledger.
    drop_impossible, drop_all : bool
        Discard queued events that became impossible, or all of them.

    Returns
    -------
    tuple of list of Event
        The events that were taken back, and those discarded; oldest first.

    Raises
    ------
    ImpossibleEvent
        If a queued event became impossible, and is not to be discarded.
    LedgerTampered
        If the anchor of the main branch names an event that was taken back, or what the remote
        has instead is not valid.
    RemoteUnavailable
        If the remote cannot be reached.

    """
    remote, repository = writer.remote, writer.repository
    if remote is None:
        return [], []
    with repository.locked():
        try:
            writer.fetch_shared()
        except LedgerRewritten as error:
            removed = error.removed
        else:
            return [], []
        shared_tip = repository.store.ref(remote.incoming)
        tracked = repository.store.ref(remote.tracking)
        assert shared_tip is not None
        _check_anchor(repository, remote, shared_tip)
        check_fetched(remote, shared_tip, removed[0][1].parent, now=time.time())
        local_tip = repository.store.ref(LEDGER)
        queued = _without_shared(
            repository, commits_without(repository, local_tip, tracked), shared_tip
        )
        kept = [] if drop_all else queued
        replayed = replay(repository, shared_tip, kept, writer.signers())
        if not drop_impossible:
            replayed.require_all("lockgate sync --accept")
        # in this order: events of the ledger that are not tracked would count as queued
        writer.replace_queued(queued, replayed.tip)
        repository.update_ref(remote.tracking, tracked, shared_tip)
    discarded = [event for event, _ in replayed.impossible]
    return _events(removed), _events(queued) if drop_all else discarded


def _without_shared(repository: Repository, queued: Queued, shared_tip: str) -> Queued:
    """Leave out what is shared already: this command was killed before."""
    shared = {oid for oid, _ in repository.walk(shared_tip)} if queued else set()
    return [(oid, commit) for oid, commit in queued if oid not in shared]


def _events(commits: Queued) -> list[Event]:
    return [event_of(commit, oid) for oid, commit in commits]


def _check_anchor(repository: Repository, remote: Remote, shared_tip: str) -> None:
    anchor = read_anchor(repository)
    if anchor is None or any(oid == anchor.commit for oid, _ in repository.walk(shared_tip)):
        return
    raise LedgerTampered(
        f"{remote.name} no longer has event {anchor.seq}, which {ANCHOR} of the main branch names: "
        "change that file first, if it was taken back on purpose"
    )
