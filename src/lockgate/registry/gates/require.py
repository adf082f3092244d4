"""Runs the gates of a stage unless a passing verdict covers the version already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lockgate.errors import GateRefused
from lockgate.registry.gates.judge import judge
from lockgate.registry.gates.policy import policy_digest
from lockgate.registry.ledger import rules
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.ledger.state import VersionRecord
from lockgate.registry.provenance.verdict import Verdict

__all__ = ["judge_if_needed"]


def judge_if_needed(
    ledger: EventLog,
    name: str,
    stage: str,
    *,
    version: str | None = None,
    data: Path | None = None,
    today: Path | None = None,
    params: Path | None = None,
    on_status: Callable[[str], None] = lambda _: None,
) -> tuple[VersionRecord, Verdict] | None:
    """Run the gates of a stage on a version, if promoting it needs a new verdict.

    Rows always need one, as the verdict that there is was made on others.

    Parameters
    ----------
    ledger, name, stage, version, data, today, params, on_status
        As for `judge`.

    Returns
    -------
    tuple of (VersionRecord, Verdict) or None
        The version, and the verdict, not yet recorded; None if a passing verdict
        covers this bundle, stage and incumbent, or the version is in the stage.

    """
    ledger.fetch()
    record = rules.find_usable_version(ledger.state, name, version)
    current = ledger.current(name, stage)
    if current is not None and current.slot.version == record.version:
        return None
    if data is None and today is None:
        try:
            gates = policy_digest(ledger.repository, params, stage, record)
            rules.verdict_for(ledger.state, record, stage, gates)
        except GateRefused:
            pass
        else:
            return None
    record, verdict = judge(
        ledger,
        name,
        stage,
        version=record.version,
        data=data,
        today=today,
        params=params,
        on_status=on_status,
    )
    return record, verdict
