"""The events of a ledger, and the state that follows from them."""

from __future__ import annotations

import copy
import functools
import os
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from lockgate.errors import RemoteUnavailable, UsageError
from lockgate.registry.ledger import rules
from lockgate.registry.ledger.fetch_times import FetchTimes
from lockgate.registry.ledger.queued import commits_without, known_tip
from lockgate.registry.ledger.remote import remote_of
from lockgate.registry.ledger.repository import LEDGER, ReadOnly, Repository, event_of
from lockgate.registry.ledger.stage_changes import StageChanges
from lockgate.registry.ledger.state import StageRecord, State, VersionRecord
from lockgate.registry.ledger.trust import read_anchor, read_trusted_signers
from lockgate.registry.ledger.verify import Verification, verify
from lockgate.registry.ledger.writer import Writer
from lockgate.registry.provenance.commits import Commit
from lockgate.registry.provenance.events import Event
from lockgate.registry.provenance.signers import Signers
from lockgate.registry.provenance.sshsig import InvalidSignature

__all__ = ["EventLog"]


class EventLog:
    """The events of a Git repository's ledger, one commit each.

    The commits have a reference of their own. Where the repository has a remote,
    they are shared on its branch ``lockgate/ledger``, so that all clones have one ledger.

    Parameters
    ----------
    root : path-like
        A folder of the repository.
    queue : bool
        Queue events in this clone while the remote cannot be reached, instead of raising.

    Attributes
    ----------
    repository : Repository
        The Git repository.
    remote : Remote or None
        The remote that shares the ledger.
    writer : Writer
        Writes events, and checks the rules.
    stages : StageChanges
        Writes events that change a stage, of what was shown of it.

    Raises
    ------
    LedgerError
        If the folder is not in a Git repository.

    """

    _pinned: tuple[str | None, ...] = ()

    def __init__(self, root: str | Path = ".", *, queue: bool = False) -> None:
        self.repository = Repository.find(Path(root))
        self.remote = remote_of(self.repository)
        self.writer = Writer(self.repository, self.remote, queue=queue)
        self.stages = StageChanges(self.repository, self.writer, lambda: self.state)

    @classmethod
    def of(cls, ledger: Self | str | Path) -> Self:
        """Return this ledger, or that of the repository with this folder."""
        if isinstance(ledger, cls):
            return ledger
        if not isinstance(ledger, (str, os.PathLike)):
            raise UsageError(
                f"ledger is {type(ledger).__name__}, expected a lockgate.Ledger or the path of a "
                "folder of its repository"
            )
        return cls(ledger)

    @property
    def tip(self) -> str | None:
        """Commit of the last event that this clone knows.

        Events that are queued here count, unless those of others came before them.
        """
        return self._pinned[0] if self._pinned else known_tip(self.repository, self.remote)

    def at(self, tip: str | None) -> Self:
        """Return this ledger as it was after an event, whatever is fetched meanwhile."""
        other = copy.copy(self)
        other._pinned = (tip,)
        return other

    @property
    def state(self) -> State:
        """State of the ledger after the last event that this clone knows."""
        return self.repository.state(self.tip)

    def fetch(self) -> None:
        """Fetch new events from the remote, if there is one.

        Raises
        ------
        RemoteUnavailable
            If it cannot be reached, or the repository cannot be written here.
        LedgerTampered
            If what came is not valid; the ledger stays as it was.
        LedgerConflict
            If an event that is queued in this clone became impossible. What others share is
            fetched all the same, and the ledger is theirs, without the queued events.

        """
        for known in ("_trusted", "_fetch_times"):  # the main branch may have others now
            self.__dict__.pop(known, None)
        try:
            self.writer.latest()
        except ReadOnly as error:
            raise RemoteUnavailable(f"{error}, so that nothing was fetched") from None

    def current(self, name: str, stage: str) -> StageRecord | None:
        """Return what is in a stage, or None, as far as this clone knows.

        A change of the stage is then refused if others change it first.
        """
        record = self.state.stage(name, stage)
        self.stages.show({(name, stage): record})
        return record

    def queued(self) -> list[Event]:
        """Return the events that only this clone has, oldest first."""
        if self.remote is None:
            return []
        store = self.repository.store
        shared_tip = store.ref(self.remote.tracking)
        queued = commits_without(self.repository, store.ref(LEDGER), shared_tip)
        return [event_of(commit, oid) for oid, commit in queued]

    def version(self, name: str, version: str | None = None) -> VersionRecord:
        """Return the record of a version, by default the newest that is not retired."""
        return rules.find_version(self.state, name, version)

    def history(
        self, name: str | None = None, stage: str | None = None, *, at: datetime | None = None
    ) -> Iterator[Event]:
        """Yield events, the newest first.

        Parameters
        ----------
        name, stage : str, optional
            Only events of this model, of this stage.
        at : datetime.datetime, optional
            Only the last change of each stage up to this time: what was in each
            stage then. UTC if it has no time zone.

        """
        return (event for event, _ in self.entries(name, stage, at=at))

    def entries(
        self, name: str | None = None, stage: str | None = None, *, at: datetime | None = None
    ) -> Iterator[tuple[Event, Commit]]:
        """Yield events with their commits, as `history` yields them."""
        entries = (
            (event, commit)
            for event, commit, _ in self.commits()
            if name in (None, event.name) and stage in (None, event.stage)
        )
        return entries if at is None else _changes_in_force(entries, at)

    def doubt(self, event: Event, commit: Commit) -> str:
        """Return why an event cannot be trusted: its signature; empty where it can be.

        Nothing is in doubt where the main branch lists no allowed signers, nor up to its anchor.
        """
        signers, anchor = self._trusted
        if signers is None or event.seq <= anchor:
            return ""
        try:
            self.signer(event, commit)
        except InvalidSignature as error:
            return str(error)
        return ""

    def signer(self, event: Event, commit: Commit) -> str | None:
        """Return who signed an event; None where the main branch lists no allowed signers.

        Raises
        ------
        InvalidSignature
            If it is not signed by a key that may; the key must not have ended when this clone last
            fetched without the event.

        """
        signers, _ = self._trusted
        if signers is None:
            return None
        written_after = self._fetch_times.written_after(event.seq)
        return signers.check(commit, event, now=max(commit.person.date, written_after)).principal

    def stage_doubt(self, record: StageRecord) -> str:
        """Return why the event that put a version into a stage cannot be trusted."""
        if self._trusted[0] is None:
            return ""
        for event, commit, _ in self.commits():
            if event.seq == record.seq:
                return self.doubt(event, commit)
        return "its event is not in this clone"

    @functools.cached_property
    def _fetch_times(self) -> FetchTimes:
        return FetchTimes(self.repository.folder)

    @functools.cached_property
    def _trusted(self) -> tuple[Signers | None, int]:
        """The allowed signers, and the event up to which the main branch trusts the ledger."""
        signers, anchor = read_trusted_signers(self.repository), read_anchor(self.repository)
        if signers is None or anchor is None:
            return signers, 0
        # an anchor of another ledger says nothing about this one
        covers = any(oid == anchor.commit for _, _, oid in self.commits())
        return signers, anchor.seq if covers else 0

    def commits(self) -> Iterator[tuple[Event, Commit, str]]:
        """Yield all events with their commits and commit ids, newest first."""
        return self.repository.events(self.tip)

    def verify(self) -> Verification:
        """Check all events from the first, and report every problem."""
        return verify(self.repository, self.tip, now=time.time())


def _changes_in_force(
    entries: Iterable[tuple[Event, Commit]], at: datetime
) -> Iterator[tuple[Event, Commit]]:
    """Yield the last change of each stage up to a time; `entries` are the newest first."""
    moment = at if at.tzinfo else at.replace(tzinfo=UTC)
    # as events write it, so that texts compare like times
    latest = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    seen = set()
    for event, commit in entries:
        key = (event.name, event.stage)
        if event.changes_stage and event.at <= latest and key not in seen:
            seen.add(key)
            yield event, commit
