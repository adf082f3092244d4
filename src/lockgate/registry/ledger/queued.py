"""Events that only this clone has: recorded while the remote was away, and shared later."""

from __future__ import annotations

import time
from dataclasses import dataclass

from lockgate.errors import GateRefused, LedgerConflict, LedgerError, LedgerTampered
from lockgate.registry.ledger.drafts import draft_of, write_event
from lockgate.registry.ledger.policy_history import PolicyHistory
from lockgate.registry.ledger.remote import Remote
from lockgate.registry.ledger.repository import LEDGER, Repository, event_of
from lockgate.registry.ledger.rules import Expectation
from lockgate.registry.ledger.seen import Seen
from lockgate.registry.provenance.commits import Commit
from lockgate.registry.provenance.events import Event
from lockgate.registry.provenance.signers import Signers

__all__ = [
    "FIRST_QUEUED",
    "ImpossibleEvent",
    "Queued",
    "Replay",
    "check_policy",
    "commits_without",
    "impossible_event",
    "known_tip",
    "queued_after",
    "replay",
]

FIRST_QUEUED = "refs/lockgate/first-queued"
"""Reference to the first event of a ledger that began while its remote was away."""

Queued = list[tuple[str, Commit]]
"""Commits of events with their ids, oldest first."""


class ImpossibleEvent(LedgerConflict):
    """A queued event no longer fits the events of others, or the policy."""


def impossible_event(event: Event, problem: str, command: str = "lockgate sync") -> ImpossibleEvent:
    """Return an error that names a queued event, why it is impossible, and how to go on."""
    return ImpossibleEvent(
        f"a queued event became impossible: {event.subject} ({event.at}): {problem}; "
        f"`{command} --drop impossible` discards it, and shares the others"
    )


@dataclass(frozen=True)
class Replay:
    """Queued events on top of other events.

    Attributes
    ----------
    tip : str or None
        Commit of the last event.
    impossible : tuple of (Event, str)
        Events that were left out, and why.

    """

    tip: str | None
    impossible: tuple[tuple[Event, str], ...] = ()

    def require_all(self, command: str = "lockgate sync") -> None:
        """Raise an `ImpossibleEvent` for the first event that was left out, and how to go on."""
        for event, problem in self.impossible:
            raise impossible_event(event, problem, command)


def known_tip(repository: Repository, remote: Remote | None) -> str | None:
    """Return the last event that a clone may show.

    That is its last one, unless it does not continue what others share: then queued events became
    impossible, or a process was killed between two steps.
    """
    local_tip = repository.store.ref(LEDGER)
    shared_tip = None if remote is None else repository.store.ref(remote.tracking)
    if shared_tip is None or local_tip == shared_tip:
        return local_tip
    queued = commits_without(repository, local_tip, shared_tip)
    return local_tip if queued and queued[0][1].parent == shared_tip else shared_tip


def queued_after(repository: Repository, shared_tip: str) -> Queued:
    """Return the events of this clone that a shared ledger lacks.

    Raises
    ------
    LedgerTampered
        If this clone has another ledger altogether.

    """
    local_tip = repository.store.ref(LEDGER)
    queued = commits_without(repository, local_tip, shared_tip)
    first, began_queued = queued[0][0] if queued else None, repository.store.ref(FIRST_QUEUED)
    if queued and queued[0][1].parent is None and first != began_queued:
        raise LedgerTampered(
            f"the local ledger ({str(local_tip)[:12]}) and the shared one ({shared_tip[:12]}) have "
            "no event in common: this clone began its own without a remote; another clone has "
            "the shared one"
        )
    return queued


def commits_without(repository: Repository, tip: str | None, other: str | None) -> Queued:
    """Return the events up to one commit that another one does not continue.

    Parameters
    ----------
    repository : Repository
        The repository.
    tip : str or None
        The last commit.
    other : str or None
        The other commit: its events, and those before them, are left out.

    """
    missing: Queued = []
    while tip is not None and tip != other:
        commit = repository.commit(tip)
        seq = event_of(commit, tip).seq
        if other is None:
            other_seq, other_parent = 0, None
        else:
            other_commit = repository.commit(other)
            other_seq, other_parent = event_of(other_commit, other).seq, other_commit.parent
        if seq >= other_seq:
            missing.append((tip, commit))
            tip = commit.parent
        if other_seq >= seq:
            other = other_parent
    return missing[::-1]


def check_policy(repository: Repository, oid: str, commit: Commit) -> None:
    """Check a queued event against the policy as it is when the event is shared.

    Raises
    ------
    GateRefused
        If the policy was changed since it was queued.

    """
    event, state = event_of(commit, oid), repository.state(oid)
    problem = PolicyHistory(repository).problem(state, event, commit, after=int(time.time()))
    if problem is not None:
        raise GateRefused(f"the policy is another one now: {problem}")


def replay(
    repository: Repository, tip: str | None, queued: Queued, signers: Signers | None
) -> Replay:
    """Write queued events again, on top of other events.

    An event that changes a stage is impossible if others changed the stage since it was queued,
    even if it has the same version again.

    Parameters
    ----------
    repository : Repository
        The repository.
    tip : str or None
        Commit of the last of the other events.
    queued : list
        The queued events.
    signers : Signers or None
        The allowed signers; None where events need no signature.

    """
    fork = queued[0][1].parent if queued else tip
    shared_ids = {event_of(commit, oid).id for oid, commit in repository.walk(tip, until=fork)}
    impossible: list[tuple[Event, str]] = []
    for oid, commit in queued:
        event = event_of(commit, oid)
        if event.id in shared_ids:  # its push was accepted, but not confirmed
            continue
        try:
            check_policy(repository, oid, commit)
            if event.changes_stage and event.stage is not None:
                record = repository.state(commit.parent).stage(event.name, event.stage)
                expected = Expectation(seen=Seen.of(record))
                expected.check(repository.state(tip), event.name, event.stage)
            draft = draft_of(event, repository.state(oid))
            _, tip, _ = write_event(repository, tip, draft, event.id, signers)
        except LedgerError as error:
            impossible.append((event, str(error)))
    return Replay(tip, tuple(impossible))
