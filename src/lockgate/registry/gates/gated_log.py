"""A ledger that runs the gates of a stage, and records their verdicts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lockgate.errors import UsageError
from lockgate.registry.gates.policy import read_policy_file
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.ledger.state import VersionRecord
from lockgate.registry.provenance.verdict import Verdict

__all__ = ["GatedLog"]


class GatedLog(EventLog):
    """The events of a repository's ledger, and the gates that promotions must pass."""

    def gate(
        self,
        name: str,
        stage: str,
        *,
        version: str | None = None,
        data: str | Path | None = None,
        today: str | Path | None = None,
        policy: str | Path | None = None,
        dry: bool = False,
        on_status: Callable[[str], None] = lambda _: None,
    ) -> tuple[VersionRecord, Verdict]:
        """Run the gates of a stage on a version, and record their verdict.

        Parameters
        ----------
        name, stage, version, data, today, on_status
            As for `Ledger.promote`.
        policy : path-like, optional
            A file with other gates than those of the main branch, to try them; only with `dry`.
        dry : bool
            Do not record the verdict.

        Returns
        -------
        tuple of (VersionRecord, Verdict)
            The version, and the verdict on it, passing or not.

        Raises
        ------
        GateRefused
            If the main branch says nothing about gates.
        UsageError
            If the policy does not declare the stage, or `policy` is given without `dry`.

        """
        # running gates loads pandas, which most commands do not need
        from lockgate.registry.gates.judge import judge
        from lockgate.registry.gates.require import record_verdict

        if policy is not None and not dry:
            raise UsageError("a verdict by other gates than the main branch's needs dry")
        self.fetch()
        in_stage = self.state.stage(name, stage)
        record, verdict = judge(
            self,
            name,
            stage,
            version=version,
            data=None if data is None else Path(data),
            today=None if today is None else Path(today),
            policy=None if policy is None else read_policy_file(Path(policy)).of(name, stage),
            on_status=on_status,
        )
        incumbent = None if verdict.incumbent is None else verdict.incumbent.version
        if incumbent == (None if in_stage is None else in_stage.slot.version):
            self.stages.show({(name, stage): in_stage})
        if not dry:
            record_verdict(self, verdict, record.version)
        return record, verdict
