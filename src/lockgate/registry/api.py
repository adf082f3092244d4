"""The ledger of a repository: `lockgate.Ledger`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from lockgate.contract.events import Promotion, Registration, Rollback
from lockgate.errors import UsageError
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.host import Host
from lockgate.registry import actions
from lockgate.registry.bundle_source import check_pushed, inspect_bundle
from lockgate.registry.gates.gated_log import GatedLog
from lockgate.registry.gates.policy import check_promoter, check_retirement, stage_policy
from lockgate.registry.ledger import rules
from lockgate.registry.ledger.state import StageRecord, VersionRecord
from lockgate.registry.provenance.events import Event
from lockgate.registry.provenance.verdict import Verdict
from lockgate.registry.registration import register_source

__all__ = ["Ledger"]


class Ledger(GatedLog):
    """Registered versions of models, the stages that they are in, and their history.

    The ledger is kept in the Git repository, one commit for each event. Where the repository has a
    remote, it is shared on its branch ``lockgate/ledger``.

    Parameters
    ----------
    root : path-like
        A folder of the repository.
    queue : bool
        Queue events in this clone while the remote cannot be reached, instead of raising.

    Raises
    ------
    LedgerError
        If the folder is not in a Git repository.

    """

    @functools.cached_property
    def _host(self) -> Host:
        host = Host("ledger")
        host.register_listeners(Catalogue.installed())
        return host

    def register(
        self,
        bundle: str | Path,
        *,
        version: str | None = None,
        bump: str | None = None,
        outside: bool = False,
        pushed: bool = False,
        reason: str = "",
        on_warning: Callable[[str], None] = lambda _: None,
        on_registered: Callable[[VersionRecord], None] = lambda _: None,
    ) -> VersionRecord:
        """Register a bundle as a version; return the existing one if it is registered.

        Parameters
        ----------
        bundle : path-like
            The bundle.
        version : str, optional
            The version; by default the one that follows from what changed.
        bump : {"major", "minor", "patch"}, optional
            The smallest part of the version to increase.
        outside : bool
            Register a pipeline's bundle although no ``dvc.lock`` here names it.
        pushed : bool
            Register only if the commit is pushed, and bundle and data are in DVC's remote.
        reason : str
            Reason, for the record.
        on_warning : callable
            Called with what other clones would lack.
        on_registered : callable
            Called with the record if it is new.

        Returns
        -------
        VersionRecord
            The record of the version.

        Raises
        ------
        LedgerError
            If the work tree is not clean, ``dvc.lock`` names another bundle, or something must
            be pushed and is not.
        LedgerConflict
            If the bundle is registered as another version.

        """
        source = inspect_bundle(self.repository, Path(bundle), outside=outside)
        shared = self.remote is not None
        if note := check_pushed(self.repository, source.lineage, required=pushed, shared=shared):
            on_warning(note)
        record, new = register_source(self, source, version=version, bump=bump, reason=reason)
        if new:
            on_registered(record)
            notification = Registration(record.name, record.version, record.digest)
            self._host.notify("on_registered", notification)
        return record

    def promote(
        self,
        name: str,
        stage: str,
        *,
        version: str | None = None,
        expect: str | None = None,
        override: bool = False,
        reason: str = "",
        data: str | Path | None = None,
        today: str | Path | None = None,
        on_status: Callable[[str], None] = lambda _: None,
        on_verdict: Callable[[VersionRecord, Verdict], None] = lambda *_: None,
    ) -> StageRecord:
        """Promote a version to a stage, if its gates pass.

        It needs a passing verdict on this bundle against the incumbent, the version that is in the
        stage now, by the gates of the main branch's policy. If there is none, or with `data` or
        `today`, the gates are run first, and their verdict is recorded.

        Parameters
        ----------
        name, stage : str
            The model and the stage.
        version : str, optional
            The version; by default the newest that is not retired.
        expect : str, optional
            The version, or ``nothing``, that must be in the stage now; by default, what was
            shown there last.
        override : bool
            Promote without a passing verdict; needs a `reason`, and both stay visible.
        reason : str
            Reason, for the record.
        data : path-like, optional
            Rows with a known target, for the gates; by default the pipeline's test rows.
        today : path-like, optional
            Recent rows, for the gate ``today``.
        on_status : callable
            Called with what is being done.
        on_verdict : callable
            Called with the version and its new verdict.

        Returns
        -------
        StageRecord
            What is in the stage now.

        Raises
        ------
        GateRefused
            Without a passing verdict on this bundle against the current incumbent, without a
            policy, or if it names others who may promote.
        UsageError
            If the policy does not declare the stage.
        LedgerConflict
            If the stage was changed since it was last shown here, or has another version than
            the expected one.

        """
        expected = self.stages.expectation(name, stage, expect)
        if override and not reason.strip():
            raise UsageError("an override needs a reason: both are recorded in the ledger")
        if override and (data is not None or today is not None):
            raise UsageError("an override runs no gates: leave out data and today")
        self.fetch()  # after the expectation, which is what was seen before
        self.stages.check(expected, name, stage)
        if override:
            check_promoter(self.repository, name, stage)
        else:
            # here, as gates load pandas
            from lockgate.registry.gates.require import require_verdict

            version = require_verdict(
                self,
                name,
                stage,
                version=version,
                data=None if data is None else Path(data),
                today=None if today is None else Path(today),
                on_status=on_status,
                on_verdict=on_verdict,
            )
        draft = functools.partial(
            actions.promotion_draft,
            name=name,
            stage=stage,
            version=version,
            expected=expected,
            override=override,
            reason=reason,
            policy=functools.partial(stage_policy, self.repository, name, stage),
        )
        event, record = self.stages.write(draft, name, stage)
        assert record is not None
        notification = Promotion(name, str(event.after), stage, event.actor, reason)
        self._host.notify("on_promoted", notification)
        return record

    def rollback(
        self,
        name: str,
        stage: str,
        *,
        to: str | None = None,
        expect: str | None = None,
        reason: str = "",
    ) -> StageRecord:
        """Roll a stage back to an earlier version, by default the one before.

        Parameters
        ----------
        name, stage : str
            The model and the stage.
        to : str, optional
            The earlier version, or the beginning of its digest.
        expect : str, optional
            The version that must be in the stage now; by default, what was shown there last.
        reason : str
            Reason, for the record.

        Returns
        -------
        StageRecord
            What is in the stage now.

        Raises
        ------
        LedgerError
            If the stage has not had the version, or is empty.
        LedgerConflict
            If the stage was changed since it was last shown here, or has another version than
            the expected one.

        """
        expected = self.stages.expectation(name, stage, expect)
        draft = functools.partial(
            actions.rollback_draft, name=name, stage=stage, to=to, expected=expected, reason=reason
        )
        event, record = self.stages.write(draft, name, stage)
        assert record is not None
        notification = Rollback(name, str(event.after), stage, event.actor, reason)
        self._host.notify("on_rolled_back", notification)
        return record

    def retire(
        self, name: str, *, version: str | None = None, stage: str | None = None, reason: str = ""
    ) -> Event:
        """Retire a version for good, or remove a model from a stage.

        Parameters
        ----------
        name : str
            The model.
        version, stage : str, optional
            The version to retire, or the stage to remove the model from: exactly one of them.
        reason : str
            Reason, for the record.

        Returns
        -------
        Event
            The event that was written.

        Raises
        ------
        GateRefused
            If the policy of the stage names others who may change it.
        LedgerConflict
            If the version is in a stage, or the stage was changed by others.

        """
        if (version is None) == (stage is None):
            raise UsageError(
                "expected either a version (fraud@1.3.0) or a stage (fraud prod) to retire"
            )
        expected = rules.Expectation()
        if stage is not None:
            expected = self.stages.expectation(name, stage)
            self.fetch()
            self.stages.check(expected, name, stage)
            check_retirement(self.repository, name, stage)
        draft = functools.partial(
            actions.retirement_draft,
            name=name,
            version=version,
            stage=stage,
            expected=expected,
            reason=reason,
        )
        if stage is None:
            return self.writer.write(draft)
        return self.stages.write(draft, name, stage)[0]
