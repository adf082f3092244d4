"""The one writer: an event is written once, on top of what everybody else wrote."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from lockgate.errors import LedgerConflict, LedgerError, LedgerTampered, RemoteUnavailable
from lockgate.registry.git.objects import RefChanged
from lockgate.registry.ledger.gto_tags import GtoTags
from lockgate.registry.ledger.remote import PushRejected, PushUnconfirmed, Remote
from lockgate.registry.ledger.repository import LEDGER, Repository, event_of
from lockgate.registry.ledger.rules import attached_paths, changes
from lockgate.registry.ledger.signing import sign
from lockgate.registry.ledger.state import State
from lockgate.registry.ledger.trust import SIGNERS, read_trusted_signers
from lockgate.registry.provenance.commits import Commit
from lockgate.registry.provenance.events import Event
from lockgate.registry.provenance.signers import Signers
from lockgate.registry.provenance.sshsig import InvalidSignature

__all__ = ["Draft", "Writer"]

ATTEMPTS = 200
MAX_UNCONFIRMED = 8
"""Pushes without an answer until it is given up; one in seven may be lost."""

DATE_STEP = 2
"""Seconds between the dates of two events, at least: the tags of each have dates of their own."""


@dataclass(frozen=True)
class Draft:
    """What somebody wants to happen, given what is there.

    Attributes
    ----------
    fields : mapping
        Fields of the event: `op`, `name`, and what goes with them.
    attached : mapping of str to bytes
        What it brings along, by path; the paths are those of `rules.attached_paths`.

    """

    fields: Mapping[str, object]
    attached: tuple[bytes, ...] = field(default=())


class Writer:
    """Writes events.

    Parameters
    ----------
    repository : Repository
        Where.
    remote : Remote or None
        Where it is shared.
    queue : bool
        Whether events are kept here while the remote cannot be reached.

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
            From what the ledger says now to what is to happen; called again when
            somebody else was first. It raises if it cannot happen any more.
        id : str, optional
            Of the event; the same id is never written twice.

        Raises
        ------
        LedgerConflict
            If what is there is not what was expected.
        RemoteUnavailable
            If the shared ledger cannot be reached; nothing was written.

        """
        id = id or secrets.token_hex(16)
        repository = self.repository
        with repository.locked():
            last_tip = repository.store.ref(LEDGER)
            sent, unconfirmed = False, 0
            for _ in range(ATTEMPTS):
                try:
                    tip, shared = self._latest()
                except RemoteUnavailable as error:
                    if sent:
                        raise RemoteUnavailable(
                            f"{error}; the event {id} was sent, and whether it was taken is not "
                            "known: look with `lockgate history` before you do it again"
                        ) from None
                    raise
                existing = self._find(tip, last_tip, id)
                if existing is not None:
                    return existing
                last_tip = tip
                event, oid, commit = self._write_objects(tip, draft(repository.state(tip)), id)
                try:
                    if self._publish(tip, oid, event, commit, shared=shared):
                        return event
                except PushUnconfirmed as error:
                    unconfirmed += 1
                    if unconfirmed == MAX_UNCONFIRMED:
                        raise RemoteUnavailable(
                            f"{unconfirmed} pushes were not answered: {error}; whether the event "
                            f"{id} was taken is not known: look with `lockgate history`"
                        ) from None
                sent = sent or shared
            raise LedgerError(f"somebody else was first {ATTEMPTS} times; try again")

    def _publish(
        self, tip: str | None, oid: str, event: Event, commit: Commit, *, shared: bool
    ) -> bool:
        """Put a commit in place, with the remote first; say whether it is there."""
        repository = self.repository
        tags = self.gto_tags.missing(self.gto_tags.tags(event, commit))
        if tip is not None:  # those of the event before, if its writer was killed
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
            # with a remote it has landed all the same, and the next look brings it here
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
        """Bring what was queued here to the remote.

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
                    raise RemoteUnavailable(f"the push was not answered: {error}") from None
            raise LedgerError(f"somebody else was first {ATTEMPTS} times; try again")

    def latest(self) -> str | None:
        """Return the tip, after a look at the remote, with what was queued here on top.

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
                f"{error}; nothing was written. --queue keeps the event here until `lockgate sync`"
            ) from None
        if shared_tip is None or shared_tip == local_tip:
            return local_tip, True
        queued = self._queued_events(local_tip, shared_tip)
        if not queued:
            repository.update_ref(LEDGER, local_tip, shared_tip)
            return shared_tip, True
        if queued[0][1].parent == shared_tip:  # the next push brings what was queued
            return local_tip, True
        return self._replay(local_tip, shared_tip, queued), True

    def _queued_events(self, local_tip: str | None, shared_tip: str) -> list[tuple[str, Commit]]:
        """Return the events that only this clone has, the oldest first."""
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
                        "the ledger here and the shared one have no event in common; "
                        f"here: {str(local_tip)[:12]}, shared: {shared_tip[:12]}"
                    )
                shared_oid = shared_commit.parent
        return queued[::-1]

    def _replay(
        self, local_tip: str | None, shared_tip: str, queued: list[tuple[str, Commit]]
    ) -> str:
        """Put queued events on top of what the remote has now."""
        tip = shared_tip
        fork = queued[0][1].parent
        shared_ids = {
            event_of(shared_commit, oid).id
            for oid, shared_commit in self.repository.walk(shared_tip, until=fork)
        }
        for oid, commit in queued:
            event = event_of(commit, oid)
            if event.id in shared_ids:  # its push had landed, and nobody had said so
                continue
            state = self.repository.state(oid)
            files = [state.trees.file(state.tree, path) or b"" for path in attached_paths(event)]
            fields = {name: getattr(event, name) for name in _REQUESTED_FIELDS}
            try:
                _, tip, _ = self._write_objects(tip, Draft(fields, tuple(files)), event.id)
            except LedgerError as error:
                raise LedgerConflict(
                    f"an event that was queued here does not fit any more: {event.subject} "
                    f"({event.at}): {error}; `lockgate sync --drop` gives up what is queued"
                ) from None
        self.repository.update_ref(LEDGER, local_tip, tip)
        return tip

    def _find(self, tip: str | None, until: str | None, id: str) -> Event | None:
        """Look for an event among those that came since the last look."""
        for oid, commit in self.repository.walk(tip, until=until):
            event = event_of(commit, oid)
            if event.id == id:
                return event
        return None

    def _write_objects(self, tip: str | None, draft: Draft, id: str) -> tuple[Event, str, Commit]:
        """Write the objects of an event; nothing points to them yet."""
        repository = self.repository
        state = repository.state(tip)
        date = int(time.time())
        if tip is not None:
            date = max(date, repository.commit(tip).person.date + DATE_STEP)
        person = repository.person(date)
        fields: dict[str, object] = {
            "actor": f"{person.name} <{person.email}>",
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            **draft.fields,
        }
        event = msgspec.convert(
            {"seq": state.head().seq + 1, "id": id} | _rename_fields(fields), type=Event
        )
        attached = dict(zip(attached_paths(event), draft.attached, strict=True))
        tree = repository.trees.apply_changes(state.tree, changes(state, event, attached))
        commit = Commit(tree, tip, person, event.message())
        if signed := sign(repository, commit.payload):
            commit = Commit(tree, tip, person, event.message(), signed)
        self._check_allowed(commit, event)
        return event, repository.store.write("commit", commit.encode()), commit

    def _check_allowed(self, commit: Commit, event: Event) -> None:
        """Refuse what `verify` would find fault with."""
        signers = self.signers()
        if signers is None:
            return
        try:
            signers.check(commit, event)
        except InvalidSignature as error:
            key = self.repository.settings.get("user.signingkey", "none")
            raise LedgerError(
                f"{SIGNERS} of the main branch lets only signed events in, and {event.subject} "
                f"would not do: {error}; your key is {key[:80]} (git config gpg.format ssh, "
                "user.signingkey)"
            ) from None


_REQUESTED_FIELDS = (
    "op",
    "name",
    "stage",
    "before",
    "after",
    "digest",
    "gate",
    "attached",
    "override",
    "at",
    "reason",
)


def _rename_fields(fields: Mapping[str, object]) -> dict[str, object]:
    names = {"before": "from", "after": "to"}
    return {names.get(key, key): value for key, value in fields.items()}
