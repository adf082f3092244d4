"""Writes events: each exactly once, on top of the shared ledger, whoever else is writing."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from lockgate.errors import LedgerConflict, LedgerError, LedgerTampered, RemoteUnavailable
from lockgate.registry.git.objects import RefChanged
from lockgate.registry.ledger.drafts import Draft, draft_of, write_event
from lockgate.registry.ledger.fetched import check_fetched
from lockgate.registry.ledger.gto_tags import GtoTags
from lockgate.registry.ledger.remote import PushRejected, PushUnconfirmed, Remote
from lockgate.registry.ledger.repository import LEDGER, Repository, event_of
from lockgate.registry.ledger.state import State
from lockgate.registry.ledger.trust import read_trusted_signers
from lockgate.registry.provenance.commits import Commit
from lockgate.registry.provenance.events import Event
from lockgate.registry.provenance.signers import Signers

__all__ = ["Writer"]

ATTEMPTS = 200
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
            unconfirmed = 0
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
                last_tip = tip
                event, oid, commit = write_event(
                    repository, tip, draft(repository.state(tip)), id, self.signers()
                )
                try:
                    if self.publish(tip, oid, event, commit, shared=shared):
                        return event
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
        try:
            repository.update_ref(LEDGER, tip, oid)
        except RefChanged:
            # with a remote the event was pushed all the same, and the next fetch brings it here
            return self.remote is not None and shared
        if self.remote is not None and shared:
            self._track(oid)
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
                try:
                    self.remote.push(tip)
                    self._track(tip)
                    return
                except PushRejected:
                    continue
                except PushUnconfirmed as error:
                    raise RemoteUnavailable(f"the push was not confirmed: {error}") from None
            raise LedgerError(f"other writers were faster {ATTEMPTS} times in a row; try again")

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
            shared_tip = self.remote.fetch()
        except RemoteUnavailable as error:
            if self.queue:
                return local_tip, False
            raise RemoteUnavailable(
                error.problem, "nothing was written; --queue keeps the event until `lockgate sync`"
            ) from None
        if shared_tip is None:
            return local_tip, True
        tracked = repository.store.ref(self.remote.tracking)
        check_fetched(self.remote, shared_tip, tracked, now=time.time())
        self._track(shared_tip)
        if shared_tip == local_tip:
            return local_tip, True
        queued = self._queued_events(local_tip, shared_tip)
        if not queued:
            repository.update_ref(LEDGER, local_tip, shared_tip)
            return shared_tip, True
        if queued[0][1].parent == shared_tip:  # nothing to replay: the next push sends them
            return local_tip, True
        return self._replay(local_tip, shared_tip, queued), True

    def _queued_events(self, local_tip: str | None, shared_tip: str) -> list[tuple[str, Commit]]:
        """Return the events that only this clone has, oldest first."""
        queued: list[tuple[str, Commit]] = []
        local_oid, shared_oid = local_tip, shared_tip
        while local_oid is not None and local_oid != shared_oid:
            local_commit, shared_commit = (
                self.repository.commit(oid) for oid in (local_oid, shared_oid)
            )
            local_seq, shared_seq = (
                event_of(local_commit, local_oid).seq,
                event_of(shared_commit, shared_oid).seq,
            )
            if local_seq >= shared_seq:
                queued.append((local_oid, local_commit))
                local_oid = local_commit.parent
            if shared_seq >= local_seq:
                if shared_commit.parent is None:
                    raise LedgerTampered(
                        f"the local ledger ({str(local_tip)[:12]}) and the shared one "
                        f"({shared_tip[:12]}) have no event in common"
                    )
                shared_oid = shared_commit.parent
        return queued[::-1]

    def _replay(
        self, local_tip: str | None, shared_tip: str, queued: list[tuple[str, Commit]]
    ) -> str:
        """Write queued events again, on top of the shared ledger."""
        tip = shared_tip
        fork = queued[0][1].parent
        shared_ids = {
            event_of(shared_commit, oid).id
            for oid, shared_commit in self.repository.walk(shared_tip, until=fork)
        }
        for oid, commit in queued:
            event = event_of(commit, oid)
            if event.id in shared_ids:  # its push was accepted, but not confirmed
                continue
            draft = draft_of(event, self.repository.state(oid))
            try:
                _, tip, _ = write_event(self.repository, tip, draft, event.id, self.signers())
            except LedgerError as error:
                raise LedgerConflict(
                    f"a queued event became impossible: {event.subject} ({event.at}): {error}; "
                    "`lockgate sync --drop` discards the queued events"
                ) from None
        self.repository.update_ref(LEDGER, local_tip, tip)
        return tip

    def find(self, tip: str | None, until: str | None, id: str) -> Event | None:
        """Find an event by id among those since `until`."""
        for oid, commit in self.repository.walk(tip, until=until):
            event = event_of(commit, oid)
            if event.id == id:
                return event
        return None
