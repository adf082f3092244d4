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
from lockgate.registry.ledger.signing import signature
from lockgate.registry.ledger.state import State
from lockgate.registry.ledger.trust import SIGNERS, signers_of
from lockgate.registry.provenance.commits import Commit
from lockgate.registry.provenance.events import Event
from lockgate.registry.provenance.signers import Signers
from lockgate.registry.provenance.sshsig import InvalidSignature

__all__ = ["Draft", "Writer"]

ATTEMPTS = 200
MOST_UNANSWERED = 8
"""Pushes without an answer until it is given up; one in seven may be lost."""

DATE_STEP = 2
"""Seconds between the dates of two events, at least: the tags of each have dates of their own."""


@dataclass(frozen=True)
class Draft:
    """What somebody wants to happen, given what is there.

    Attributes
    ----------
    said : mapping
        Fields of the event: `op`, `name`, and what goes with them.
    attached : mapping of str to bytes
        What it brings along, by path; the paths are those of `rules.attached_paths`.

    """

    said: Mapping[str, object]
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
        self.signers: Callable[[], Signers | None] = lambda: signers_of(repository)
        self.mirror = GtoTags(repository)

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
            looked = repository.store.ref(LEDGER)
            sent, unanswered = False, 0
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
                landed = self._find(tip, looked, id)
                if landed is not None:
                    return landed
                looked = tip
                event, oid, commit = self._made(tip, draft(repository.state(tip)), id)
                try:
                    if self._landed(tip, oid, event, commit, shared=shared):
                        return event
                except PushUnconfirmed as error:
                    unanswered += 1
                    if unanswered == MOST_UNANSWERED:
                        raise RemoteUnavailable(
                            f"{unanswered} pushes were not answered: {error}; whether the event "
                            f"{id} was taken is not known: look with `lockgate history`"
                        ) from None
                sent = sent or shared
            raise LedgerError(f"somebody else was first {ATTEMPTS} times; try again")

    def _landed(
        self, tip: str | None, oid: str, event: Event, commit: Commit, *, shared: bool
    ) -> bool:
        """Put a commit in place, with the remote first; say whether it is there."""
        repository = self.repository
        tags = self.mirror.missing(self.mirror.tags(event, commit))
        if tip is not None:  # those of the event before, if its writer was killed
            last = repository.commit(tip)
            tags = self.mirror.missing(self.mirror.tags(event_of(last, tip), last)) | tags
        if self.remote is not None and shared:
            try:
                self.remote.push(oid, *(f"{made or ''}:{ref}" for ref, made in tags.items()))
            except PushRejected:
                return False
        try:
            repository.point(LEDGER, tip, oid)
        except RefChanged:
            # with a remote it has landed all the same, and the next look brings it here
            return self.remote is not None and shared
        if self.remote is not None and shared:
            self._track(oid)
        self.mirror.write(tags)
        return True

    def _track(self, oid: str) -> None:
        assert self.remote is not None
        name = self.remote.tracking
        try:
            self.repository.point(name, self.repository.store.ref(name), oid)
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
        here = repository.store.ref(LEDGER)
        if self.remote is None:
            return here, False
        try:
            there = self.remote.fetch()
        except RemoteUnavailable as error:
            if self.queue:
                return here, False
            raise RemoteUnavailable(
                f"{error}; nothing was written. --queue keeps the event here until `lockgate sync`"
            ) from None
        if there is None or there == here:
            return here, True
        ahead = self._ahead(here, there)
        if not ahead:
            repository.point(LEDGER, here, there)
            return there, True
        if ahead[0][1].parent == there:  # the next push brings what was queued
            return here, True
        return self._replayed(here, there, ahead), True

    def _ahead(self, here: str | None, there: str) -> list[tuple[str, Commit]]:
        """Return the events that only this clone has, the oldest first."""
        mine: list[tuple[str, Commit]] = []
        mine_at, theirs_at = here, there
        while mine_at is not None and mine_at != theirs_at:
            own, other = (self.repository.commit(oid) for oid in (mine_at, theirs_at))
            own_seq, other_seq = event_of(own, mine_at).seq, event_of(other, theirs_at).seq
            if own_seq >= other_seq:
                mine.append((mine_at, own))
                mine_at = own.parent
            if other_seq >= own_seq:
                if other.parent is None:
                    raise LedgerTampered(
                        "the ledger here and the shared one have no event in common; "
                        f"here: {str(here)[:12]}, shared: {there[:12]}"
                    )
                theirs_at = other.parent
        return mine[::-1]

    def _replayed(self, here: str | None, there: str, queued: list[tuple[str, Commit]]) -> str:
        """Put queued events on top of what the remote has now."""
        tip = there
        fork = queued[0][1].parent
        known = {event_of(one, oid).id for oid, one in self.repository.walk(there, until=fork)}
        for oid, commit in queued:
            event = event_of(commit, oid)
            if event.id in known:  # its push had landed, and nobody had said so
                continue
            state = self.repository.state(oid)
            files = [state.trees.file(state.tree, path) or b"" for path in attached_paths(event)]
            said = {name: getattr(event, name) for name in _REQUESTED_FIELDS}
            try:
                _, tip, _ = self._made(tip, Draft(said, tuple(files)), event.id)
            except LedgerError as error:
                raise LedgerConflict(
                    f"an event that was queued here does not fit any more: {event.subject} "
                    f"({event.at}): {error}; `lockgate sync --drop` gives up what is queued"
                ) from None
        self.repository.point(LEDGER, here, tip)
        return tip

    def _find(self, tip: str | None, until: str | None, id: str) -> Event | None:
        """Look for an event among those that came since the last look."""
        for oid, commit in self.repository.walk(tip, until=until):
            event = event_of(commit, oid)
            if event.id == id:
                return event
        return None

    def _made(self, tip: str | None, asked: Draft, id: str) -> tuple[Event, str, Commit]:
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
            **asked.said,
        }
        event = msgspec.convert(
            {"seq": state.head().seq + 1, "id": id} | _renamed(fields), type=Event
        )
        attached = dict(zip(attached_paths(event), asked.attached, strict=True))
        tree = repository.trees.changed(state.tree, changes(state, event, attached))
        commit = Commit(tree, tip, person, event.message())
        if signed := signature(repository, commit.payload):
            commit = Commit(tree, tip, person, event.message(), signed)
        self._check_right(commit, event)
        return event, repository.store.write("commit", commit.encode()), commit

    def _check_right(self, commit: Commit, event: Event) -> None:
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


def _renamed(fields: Mapping[str, object]) -> dict[str, object]:
    names = {"before": "from", "after": "to"}
    return {names.get(key, key): value for key, value in fields.items()}
