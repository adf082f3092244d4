"""The ledger of a repository, as its users see it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lockgate.contract.events import Promotion, Registration, Rollback
from lockgate.errors import LedgerConflict, LedgerError, UsageError
from lockgate.models.bundle.copy import copy_bundle
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.host import Host
from lockgate.registry import actions
from lockgate.registry.bundle_store import store_path
from lockgate.registry.gates.policy import policy_of
from lockgate.registry.ledger import rules
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.ledger.repository import event_of
from lockgate.registry.ledger.state import StageRecord, VersionRecord
from lockgate.registry.provenance.events import Event
from lockgate.registry.provenance.verdict import Verdict
from lockgate.registry.registration import inspect_bundle

__all__ = ["Ledger"]


class Ledger(EventLog):
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

    @functools.cached_property
    def _host(self) -> Host:
        host = Host("ledger")
        host.plug_listeners(Catalogue.installed())
        return host

    def trace(self, name: str, version: str | None = None) -> dict[str, Any]:
        """Return all that is known of a version, as plain data."""
        from lockgate.registry.report.version_report import version_report

        return version_report(self, name, version)

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
        source = inspect_bundle(self.repository, Path(bundle), outside=outside)
        name = source.manifest.name
        copy_bundle(source.folder, store_path(self.repository, source.digest), source.digest)
        draft = functools.partial(
            actions.registration_draft, source=source, version=version, bump=bump, reason=reason
        )
        try:
            event = self.writer.write(draft)
        except actions.AlreadyRegistered as error:
            if version not in (None, error.record.version):
                raise LedgerConflict(
                    f"this bundle is {name}@{error.record.version} already"
                ) from None
            return error.record
        record = rules.find_version(self.state, name, event.after)
        self._host.notify("on_registered", Registration(name, record.version, record.digest))
        return record

    def record(self, verdict: Verdict, version: str) -> Event:
        """Enter a verdict, passing or not.

        Raises
        ------
        LedgerConflict
            If another version than its incumbent is in the stage by now.

        """
        return self.writer.write(lambda _: actions.verdict_draft(verdict, version))

    def gate(
        self,
        name: str,
        stage: str,
        *,
        version: str | None = None,
        data: Path | None = None,
        params: Path | None = None,
    ) -> Verdict:
        """Run the gates of a stage on a version, and record the verdict."""
        from lockgate.registry.gates.judge import judge

        record, verdict = judge(self, name, stage, version=version, data=data, params=params)
        self.record(verdict, record.version)
        return verdict

    def promote(
        self,
        name: str,
        stage: str,
        *,
        version: str | None = None,
        expect: str | None = None,
        override: bool = False,
        reason: str = "",
        params: Path | None = None,
        run_gates: bool = False,
        data: Path | None = None,
        today: Path | None = None,
        on_status: Callable[[str], None] = lambda _: None,
        on_verdict: Callable[[Verdict, str], None] = lambda *_: None,
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
        params : pathlib.Path, optional
            File that says which gates there are; by default the project's ``params.yaml``.
        run_gates : bool
            Run the gates of the stage, and record their verdict, if no passing
            verdict covers the promotion yet.
        data, today : pathlib.Path, optional
            With `run_gates`: files with labelled rows and with recent rows.
        on_status : callable
            With `run_gates`: called with what is being done.
        on_verdict : callable
            With `run_gates`: called with a new verdict and the version.

        Raises
        ------
        GateRefused
            If there is no passing verdict on exactly this bundle against what is there.
        LedgerConflict
            If something else is there than was expected.

        """
        if run_gates and not override:
            # here, as gates load pandas
            from lockgate.registry.gates.require import judge_if_needed

            judged = judge_if_needed(
                self,
                name,
                stage,
                version=version,
                data=data,
                today=today,
                params=params,
                on_status=on_status,
            )
            if judged is not None:
                verdict, version = judged
                on_verdict(verdict, version)
                self.record(verdict, version)
        draft = functools.partial(
            actions.promotion_draft,
            name=name,
            stage=stage,
            version=version,
            expect=expect,
            override=override,
            reason=reason,
            policy=self._policy(params, stage),
        )
        event = self.writer.write(draft)
        notification = Promotion(name, str(event.after), stage, event.actor, reason)
        self._host.notify("on_promoted", notification)
        return self._stage_record(event)

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
        draft = functools.partial(
            actions.rollback_draft, name=name, stage=stage, to=to, expect=expect, reason=reason
        )
        event = self.writer.write(draft)
        notification = Rollback(name, str(event.after), stage, event.actor, reason)
        self._host.notify("on_rolled_back", notification)
        return self._stage_record(event)

    def retire(
        self, name: str, *, version: str | None = None, stage: str | None = None, reason: str = ""
    ) -> Event:
        """Withdraw a version for good, or take a model out of a stage."""
        if (version is None) == (stage is None):
            raise UsageError("retire either a version (fraud@1.3.0) or a stage (fraud prod)")

        draft = functools.partial(
            actions.retirement_draft, name=name, version=version, stage=stage, reason=reason
        )
        return self.writer.write(draft)

    def _policy(self, params: Path | None, stage: str) -> Callable[[VersionRecord], str]:
        """Return which gates are in force for a version, by their digest."""

        def digest(record: VersionRecord) -> str:
            path = params or self.repository.project(record.path) / "params.yaml"
            return policy_of(path, stage).digest

        return digest

    def _stage_record(self, event: Event) -> StageRecord:
        """Return what an event put into its stage, whatever came after."""
        for oid, commit in self.repository.walk(self.tip):
            if event_of(commit, oid).id == event.id:
                stage_record = self.repository.state(oid).stage(event.name, str(event.stage))
                assert stage_record is not None
                return stage_record
        raise LedgerError(f"{event.subject} is not here; fetch: lockgate sync")
