"""Makes sure of a passing verdict for a promotion: one that there is, or a new one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lockgate.errors import GateRefused
from lockgate.registry.gates.judge import judge
from lockgate.registry.gates.policy import check_promoter, stage_policy
from lockgate.registry.ledger import rules
from lockgate.registry.ledger.drafts import Draft
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.ledger.state import VersionRecord
from lockgate.registry.provenance.events import Event
from lockgate.registry.provenance.policy import StagePolicy
from lockgate.registry.provenance.verdict import Verdict

__all__ = ["record_verdict", "require_verdict", "verdict_draft"]


def require_verdict(
    ledger: EventLog,
    name: str,
    stage: str,
    *,
    version: str | None = None,
    data: Path | None = None,
    today: Path | None = None,
    on_status: Callable[[str], None] = lambda _: None,
    on_verdict: Callable[[VersionRecord, Verdict], None] = lambda *_: None,
) -> str:
    """Run the gates of a stage on a version, if promoting it needs a new verdict, and record it.

    The ledger must have been fetched. Rows always need a new verdict, as any other was made on
    others.

    Parameters
    ----------
    ledger, name, stage, version, data, today, on_status
        As for `judge`.
    on_verdict : callable
        Called with the version and its new verdict, passing or not.

    Returns
    -------
    str
        The version.

    Raises
    ------
    GateRefused
        If the main branch says nothing about gates, or the user may not promote to the stage.

    """
    record = rules.find_usable_version(ledger.state, name, version)
    policy = stage_policy(ledger.repository, name, stage)
    check_promoter(ledger.repository, name, stage)
    current = ledger.state.stage(name, stage)
    if current is not None and current.slot.version == record.version:
        return record.version  # writing the promotion says so
    if data is None and today is None:
        try:
            verdict = rules.verdict_for(ledger.state, record, stage, policy.digest)
            rules.check_fresh(ledger.history(name, stage), verdict, record.version)
        except GateRefused:
            pass
        else:
            return record.version
    record, verdict = judge(
        ledger,
        name,
        stage,
        version=record.version,
        data=data,
        today=today,
        policy=policy,
        on_status=on_status,
    )
    on_verdict(record, verdict)
    record_verdict(ledger, verdict, record.version)
    return record.version


def record_verdict(ledger: EventLog, verdict: Verdict, version: str) -> Event:
    """Record a verdict in the ledger, passing or not.

    Raises
    ------
    GateRefused
        If it was made by another policy than that of the main branch.
    LedgerConflict
        If the stage no longer has the incumbent of the verdict.

    """
    policy = stage_policy(ledger.repository, verdict.name, verdict.stage)
    if policy.digest != verdict.policy:
        raise GateRefused(
            f"the verdict on {verdict.name}@{version} was made by other gates than those of the "
            "main branch"
        )
    return ledger.writer.write(lambda _: verdict_draft(verdict, policy, version))


def verdict_draft(verdict: Verdict, policy: StagePolicy, version: str) -> Draft:
    """Draft the record of a verdict, and of the policy that it was made by."""
    incumbent_version = None if verdict.incumbent is None else verdict.incumbent.version
    fields = {
        "op": "gate",
        "name": verdict.name,
        "stage": verdict.stage,
        "before": incumbent_version,
        "after": version,
        "digest": verdict.bundle,
        "gate": verdict.digest,
    }
    return Draft(fields, (verdict.encode(), policy.encode()))
