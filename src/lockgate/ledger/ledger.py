"""The ledger of a repository, as its users see it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lockgate.bundle.choosing import chosen
from lockgate.bundle.copying import copy_bundle
from lockgate.bundle.pointer import Past
from lockgate.errors import DeploymentError, LedgerConflict, LedgerError, UsageError
from lockgate.files.digests import sha256_bytes
from lockgate.host.catalogue import Catalogue
from lockgate.host.host import Host
from lockgate.ledger import rules
from lockgate.ledger.bundles import stored
from lockgate.ledger.registering import found_bundle, record_of
from lockgate.ledger.remote import remote_of
from lockgate.ledger.repository import LEDGER, Repository
from lockgate.ledger.state import StageRecord, State, VersionRecord
from lockgate.ledger.writing import Draft, Writer, event_of
from lockgate.proof.commits import Commit
from lockgate.proof.events import Event
from lockgate.proof.verdict import Verdict
from lockgate.spec.events import Promotion, Registration, Rollback

__all__ = ["Ledger", "address"]


def address(text: str) -> tuple[str, str | None]:
    """Take ``name@version`` apart.

    Examples
    --------
    >>> address("fraud@1.4.0"), address("fraud")
    (('fraud', '1.4.0'), ('fraud', None))

    """
    name, at, version = text.partition("@")
    if not name or (at and not version):
        raise UsageError(f"{text[:80]!r} names no version; write e.g. fraud@1.4.0, or fraud")
    return name, version or None


class Ledger:
    """Versions of models, what is in which stage, and how it came there.

    Everything is kept in the Git repository, one commit an event, on a
    reference of its own; where the repository has a remote, on its branch
    ``lockgate/ledger``, so that everybody who works with it has one ledger.

    Parameters
    ----------
    root : path-like
        A folder of the repository.
    queue : bool
        Keep events here while the remote cannot be reached, instead of refusing.

    Raises
    ------
    LedgerError
        If this is no Git repository.

    """

    def __init__(self, root: str | Path = ".", *, queue: bool = False) -> None:
        self.repository = Repository.find(Path(root))
        self.remote = remote_of(self.repository)
        self.writer = Writer(self.repository, self.remote, queue=queue)

    @functools.cached_property
    def _host(self) -> Host:
        host = Host("ledger")
        host.plug_listeners(Catalogue.installed())
        return host

    # reading ------------------------------------------------------------

    @property
    def tip(self) -> str | None:
        """Commit of the last event that is known here."""
        return self.repository.store.ref(LEDGER)

    @property
    def state(self) -> State:
        """What the ledger says now, as far as it is known here."""
        return self.repository.state(self.tip)

    def fetch(self) -> None:
        """Ask the remote, if there is one, what has happened since.

        Raises
        ------
        RemoteUnavailable
            If it cannot be reached.

        """
        self.writer.latest()

    def current(self, name: str, stage: str) -> StageRecord | None:
        """Return what is in a stage, or None for nothing; as far as it is known here."""
        return self.state.stage(name, stage)

    def version(self, name: str, version: str | None = None) -> VersionRecord:
        """Return what a version is, by default the newest."""
        return rules.known(self.state, name, version)

    def history(self, name: str | None = None, stage: str | None = None) -> Iterator[Event]:
        """Give all events, the newest first, of all models or one, of all stages or one."""
        for event, _, _ in self.commits():
            if name in (None, event.name) and stage in (None, event.stage):
                yield event

    def commits(self) -> Iterator[tuple[Event, Commit, str]]:
        """Give all events with their commits, the newest first."""
        for oid, commit in self.repository.walk(self.tip):
            yield event_of(commit, oid), commit, oid

    # writing ------------------------------------------------------------

    def register(
        self,
        bundle: str | Path,
        *,
        version: str | None = None,
        bump: str | None = None,
        outside: bool = False,
        reason: str = "",
    ) -> VersionRecord:
        """Make a bundle a version; one that is a version already stays that.

        Parameters
        ----------
        bundle : path-like
            The bundle.
        version : str, optional
            Which; by default the one that follows from what changed.
        bump : {"major", "minor", "patch"}, optional
            At least this.
        outside : bool
            Take a pipeline's bundle although no ``dvc.lock`` here names it.
        reason : str
            Why, for the record.

        Raises
        ------
        LedgerError
            If the work tree is not clean or the bundle is not the one that
            ``dvc.lock`` names.

        """
        found = found_bundle(self.repository, Path(bundle), outside=outside)
        name = found.manifest.name
        there: list[VersionRecord] = []

        def draft(state: State) -> Draft:
            there[:] = [
                one for one in (state.version(name, v) for v in state.versions(name))
                if one is not None and one.digest == found.digest
            ]  # fmt: skip
            if there:
                raise _Registered
            made = record_of(state, found, version=version, bump=bump)
            raw = msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n"
            there.append(made)
            return Draft(
                {"op": "register", "name": name, "after": made.version, "digest": found.digest,
                 "attached": sha256_bytes(raw), "reason": reason},
                (raw, found.raw),
            )  # fmt: skip

        copy_bundle(found.folder, stored(self.repository, found.digest), found.digest)
        try:
            self.writer.write(draft)
        except _Registered:
            if version not in (None, there[0].version):
                raise LedgerConflict(f"this bundle is {name}@{there[0].version} already") from None
            return there[0]
        made = there[0]
        self._host.announce("on_registered", Registration(name, made.version, made.digest))
        return made

    def record(self, verdict: Verdict, version: str) -> Event:
        """Enter a verdict, passing or not.

        Raises
        ------
        LedgerConflict
            If another version than its incumbent is in the stage by now.

        """
        rival = None if verdict.incumbent is None else verdict.incumbent.version

        def draft(_: State) -> Draft:
            return Draft(
                {"op": "gate", "name": verdict.name, "stage": verdict.stage, "before": rival,
                 "after": version, "digest": verdict.bundle, "gate": verdict.digest},
                (verdict.encode(),),
            )  # fmt: skip

        return self.writer.write(draft)

    def promote(
        self,
        name: str,
        stage: str,
        *,
        version: str | None = None,
        expect: str | None = None,
        override: bool = False,
        reason: str = "",
    ) -> StageRecord:
        """Put a version into a stage.

        Parameters
        ----------
        name, stage : str
            Which model, and where.
        version : str, optional
            By default the newest.
        expect : str, optional
            The version, or ``nothing``, that must be there now; else nothing is done.
        override : bool
            Do it without a passing verdict; `reason` is needed, and both stay visible.
        reason : str
            Why, for the record.

        Raises
        ------
        GateRefused
            If there is no passing verdict on exactly this bundle against what is there.
        LedgerConflict
            If something else is there than was expected.

        """

        def draft(state: State) -> Draft:
            record = rules.usable(state, name, version)
            now = _expected(state, name, stage, expect)
            gate = None if override else rules.verdict_for(state, record, stage).digest
            return Draft(
                {"op": "promote", "name": name, "stage": stage, "before": now,
                 "after": record.version, "digest": record.digest, "gate": gate,
                 "override": override, "reason": reason}
            )  # fmt: skip

        event = self.writer.write(draft)
        told = Promotion(name, str(event.after), stage, event.actor, reason)
        self._host.announce("on_promoted", told)
        return self._standing(event)

    def rollback(
        self,
        name: str,
        stage: str,
        *,
        to: str | None = None,
        expect: str | None = None,
        reason: str = "",
    ) -> StageRecord:
        """Put an earlier version of a stage there again, by default the one before.

        Raises
        ------
        LedgerError
            If nothing came before.

        """

        def draft(state: State) -> Draft:
            now = _expected(state, name, stage, expect)
            found = state.stage(name, stage)
            if found is None:
                rules.known(state, name, None)
                raise LedgerError(f"{name} has nothing in {stage} to go back from")
            past = _past(found, to)
            return Draft(
                {"op": "rollback", "name": name, "stage": stage, "before": now,
                 "after": past.version, "digest": past.digest, "gate": past.verdict,
                 "reason": reason}
            )  # fmt: skip

        event = self.writer.write(draft)
        told = Rollback(name, str(event.after), stage, event.actor, reason)
        self._host.announce("on_rolled_back", told)
        return self._standing(event)

    def retire(
        self, name: str, *, version: str | None = None, stage: str | None = None, reason: str = ""
    ) -> Event:
        """Withdraw a version for good, or take a model out of a stage."""
        if (version is None) == (stage is None):
            raise UsageError("retire either a version (fraud@1.3.0) or a stage (fraud prod)")

        def draft(state: State) -> Draft:
            now = version
            if stage is not None:
                found = state.stage(name, stage)
                if found is None:
                    rules.known(state, name, None)
                    raise LedgerError(f"{name} has nothing in {stage}")
                now = found.slot.version
            digest = rules.known(state, name, now).digest
            return Draft(
                {"op": "retire", "name": name, "stage": stage, "before": now, "digest": digest,
                 "reason": reason}
            )  # fmt: skip

        return self.writer.write(draft)

    def _standing(self, event: Event) -> StageRecord:
        """Return what an event put into its stage, whatever came after."""
        for oid, commit in self.repository.walk(self.tip):
            if event_of(commit, oid).id == event.id:
                found = self.repository.state(oid).stage(event.name, str(event.stage))
                assert found is not None
                return found
        raise LedgerError(f"{event.subject} is not here; fetch: lockgate sync")


class _Registered(Exception):
    """The bundle is a version already."""


def _expected(state: State, name: str, stage: str, expect: str | None) -> str | None:
    """Return which version is in a stage, if it is the expected one."""
    found = state.stage(name, stage)
    now = None if found is None else found.slot.version
    if expect is not None and expect != (now or "nothing"):
        by = f", since {found.at} by {found.actor}" if found else ""
        raise LedgerConflict(f"{name} in {stage} is {now or 'nothing'} now{by}; expected {expect}")
    return now


def _past(found: StageRecord, to: str | None) -> Past:
    try:
        return chosen(found.slot, to)
    except DeploymentError as error:
        raise LedgerError(str(error)) from None
