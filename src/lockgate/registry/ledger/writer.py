"""Writes events: each exactly once, on top of the shared ledger, whoever else is writing."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from lockgate.errors import GateRefused, LedgerError, LedgerTampered, RemoteUnavailable
from lockgate.registry.git.objects import RefChanged
from lockgate.registry.ledger.drafts import Draft, write_event
from lockgate.registry.ledger.fetch_times import FetchTimes
from lockgate.registry.ledger.fetched import check_fetched
from lockgate.registry.ledger.gto_tags import GtoTags
from lockgate.registry.ledger.queued import (
    FIRST_QUEUED,
    ImpossibleEvent,
    Queued,
    check_policy,
    commits_without,
    impossible_event,
    known_tip,
    queued_after,
    replay,
)
from lockgate.registry.ledger.remote import PushRejected, PushUnconfirmed, Remote, TagExists
from lockgate.registry.ledger.repository import LEDGER, Repository, event_of
from lockgate.registry.ledger.state import State
from lockgate.registry.ledger.trust import read_trusted_signers
from lockgate.registry.provenance.commits import Commit
from lockgate.registry.provenance.events import Event
from lockgate.registry.provenance.signers import Signers

__all__ = ["Writer"]

ATTEMPTS = 200
MAX_TAGS_FIRST = 3
"""Pushes refused for a tag, with no new event behind it, until it is taken for a user's tag."""

MAX_UNCONFIRMED = 8
"""Unconfirmed pushes until the writer gives up; enough where one push in seven is lost."""


class Writer:
    """Writes events.

    Parameters
    ----------
    repository : Repository
        The repository with the ledger.
    remote : Remote or None
        The remote that shares it; None for a ledger of this clone only.
    queue : bool
        Whether events are queued in this clone while the remote cannot be reached.

    """

    def __init__(self, repository: Repository, remote: Remote | None, *, queue: bool) -> None:
        self.repository, self.remote, self.queue = repository, remote, queue
        self.signers: Callable[[], Signers | None] = lambda: read_trusted_signers(repository)
        self.gto_tags = GtoTags(repository)

    def write(self, draft: Callable[[State], Draft], *, id: str | None = None) -> Event:
        """Write an event.

        Parameters
        ----------
        draft : callable
            From the current state of the ledger to the event; called again whenever
            another writer was first. It raises if the event became impossible.
        id : str, optional
            Id of the event; an event with the same id is never written twice.

        Returns
        -------
        Event
            The event, or the existing one with that id.

        Raises
        ------
        LedgerConflict
            If the state of the ledger is not the expected one.
        RemoteUnavailable
            If the shared ledger cannot be reached; the message says whether the event
            may have been written.

        """
        id = id or secrets.token_hex(16)
        repository = self.repository
        with repository.locked():
            last_tip = repository.store.ref(LEDGER)
            unconfirmed = tags_first = 0
            for _ in range(ATTEMPTS):
                try:
                    tip, shared = self._latest()
                except (RemoteUnavailable, LedgerTampered) as error:
                    if not unconfirmed:
                        raise
                    problem = error.problem if isinstance(error, RemoteUnavailable) else str(error)
                    raise RemoteUnavailable(
                        problem,
                        f"the event {id} was sent, and it is unknown whether it was accepted: "
                        "check with `lockgate history` before trying again",
                    ) from None
                existing = self.find(tip, last_tip, id)
                if existing is not None:
                    return existing
                tags_first = tags_first if tip == last_tip else 0
                last_tip = tip
                event, oid, commit = write_event(
                    repository, tip, draft(repository.state(tip)), id, self.signers()
                )
                try:
                    if self.publish(tip, oid, event, commit, shared=shared):
                        return event
                except TagExists:
                    tags_first += 1
                    if tags_first == MAX_TAGS_FIRST:
                        raise
                except PushUnconfirmed as error:
                    unconfirmed += 1
                    if unconfirmed == MAX_UNCONFIRMED:
                        raise RemoteUnavailable(
                            f"{unconfirmed} pushes were not confirmed: {error}; it is unknown "
                            f"whether the event {id} was accepted: check with `lockgate history`"
                        ) from None
            raise LedgerError(f"other writers were faster {ATTEMPTS} times in a row; try again")

    def publish(
        self, tip: str | None, oid: str, event: Event, commit: Commit, *, shared: bool
    ) -> bool:
        """Publish a commit, at the remote first; return whether it is in the ledger."""
        repository = self.repository
        tags = self.gto_tags.missing(self.gto_tags.tags(event, commit))
        if tip is not None:  # a writer that was killed may not have written its tags
            last = repository.commit(tip)
            tags = self.gto_tags.missing(self.gto_tags.tags(event_of(last, tip), last)) | tags
        if self.remote is not None and shared:
            try:
                self.remote.push(oid, *(f"{target or ''}:{ref}" for ref, target in tags.items()))
            except PushRejected:
                return False
        if self.remote is not None and shared:
            self._track(oid)  # first: what is tracked is never taken for a queued event
        elif self.remote is not None and tip is None:
            repository.update_ref(FIRST_QUEUED, repository.store.ref(FIRST_QUEUED), oid)
        try:
            repository.update_ref(LEDGER, tip, oid)
        except RefChanged:
            # with a remote the event was pushed all the same, and the next fetch brings it here
            return self.remote is not None and shared
        self.gto_tags.write(tags)
        return True

    def _track(self, oid: str) -> None:
        assert self.remote is not None
        name = self.remote.tracking
        try:
            self.repository.update_ref(name, self.repository.store.ref(name), oid)
        except RefChanged:
            return  # a fetch was faster

    def push(self) -> None:
        """Push the events that are queued in this clone.

        Raises
        ------
        RemoteUnavailable, LedgerTampered, LedgerConflict
            As `write` does.

        """
        with self.repository.locked():
            for _ in range(ATTEMPTS):
                tip, shared = self._latest()
                assert self.remote is not None
                if tip is None or not shared:
                    return
                self._check_queued(tip)
                try:
                    self.remote.push(tip)
                    self._track(tip)
                    return
                except PushRejected:
                    continue
                except PushUnconfirmed as error:
                    raise RemoteUnavailable(f"the push was not confirmed: {error}") from None
            raise LedgerError(f"other writers were faster {ATTEMPTS} times in a row; try again")

    def _check_queued(self, tip: str) -> None:
        """Raise an `ImpossibleEvent` if the policy has changed since an event was queued."""
        assert self.remote is not None
        repository = self.repository
        tracked = repository.store.ref(self.remote.tracking)
        for oid, commit in commits_without(repository, tip, tracked) if tracked else ():
            try:
                check_policy(repository, oid, commit)
            except GateRefused as error:
                raise impossible_event(event_of(commit, oid), str(error)) from None

    def latest(self) -> str | None:
        """Fetch, and return the tip, with queued events on top.

        Raises
        ------
        RemoteUnavailable, LedgerTampered, LedgerConflict
            As `write` does.

        """
        with self.repository.locked():
            return self._latest()[0]

    def _latest(self) -> tuple[str | None, bool]:
        """Return the tip, and whether the remote was reached."""
        repository = self.repository
        local_tip = repository.store.ref(LEDGER)
        if self.remote is None:
            return local_tip, False
        try:
            shared_tip = self.fetch_shared()
        except RemoteUnavailable as error:
            if self.queue:
                return self._tip_without_remote(), False
            raise RemoteUnavailable(
                error.problem,
                "nothing was written; register, gate, promote, rollback and retire take --queue, "
                "which keeps the event until `lockgate sync`",
            ) from None
        if shared_tip is None or shared_tip == local_tip:
            return local_tip, True
        queued = queued_after(repository, shared_tip)
        if queued and queued[0][1].parent == shared_tip:
            return local_tip, True  # nothing to replay: the next push sends them
        replayed = replay(repository, shared_tip, queued, self.signers())
        replayed.require_all()
        self.replace_queued(queued, replayed.tip)
        return replayed.tip, True

    def replace_queued(self, queued: Queued, tip: str | None) -> None:
        """Set the ledger to a tip that has queued events otherwise, or not at all."""
        for oid, commit in reversed(queued):  # first: tags name commits, which are others now
            self.gto_tags.remove(self.gto_tags.tags(event_of(commit, oid), commit))
        self.repository.update_ref(LEDGER, self.repository.store.ref(LEDGER), tip)

    def _tip_without_remote(self) -> str | None:
        """Return the tip to queue an event on."""
        repository = self.repository
        local_tip, tip = repository.store.ref(LEDGER), known_tip(repository, self.remote)
        if tip == local_tip:
            return tip
        if commits_without(repository, local_tip, tip):
            raise ImpossibleEvent(
                "an event that is queued here became impossible, and nothing can be queued after "
                "it: when the remote is back, `lockgate sync --drop impossible` discards it"
            )
        repository.update_ref(LEDGER, local_tip, tip)  # a process was killed before it did that
        return tip

    def fetch_shared(self) -> str | None:
        """Fetch, check and track the shared ledger; return its tip, None where there is none.

        Raises
        ------
        RemoteUnavailable
            If it cannot be reached.
        LedgerTampered
            If it does not continue what this clone has checked before.

        """
        assert self.remote is not None
        shared_tip = self.remote.fetch()
        if shared_tip is not None:
            tracked = self.repository.store.ref(self.remote.tracking)
            check_fetched(self.remote, shared_tip, tracked, now=time.time())
            self._track(shared_tip)
            last = event_of(self.repository.commit(shared_tip), shared_tip)
            FetchTimes(self.repository.folder).record(last.seq)
        return shared_tip

    def find(self, tip: str | None, until: str | None, id: str) -> Event | None:
        """Find an event by id among those since `until`."""
        for oid, commit in self.repository.walk(tip, until=until):
            event = event_of(commit, oid)
            if event.id == id:
                return event
        return None
