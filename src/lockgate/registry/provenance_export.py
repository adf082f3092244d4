"""Collects the provenance of what is in a stage, for a server without Git."""

from __future__ import annotations

from lockgate.errors import LedgerError
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.ledger.state import StageRecord, VersionRecord
from lockgate.registry.provenance.commits import Commit
from lockgate.registry.provenance.events import Event
from lockgate.registry.provenance.provenance import Provenance

__all__ = ["collect_provenance", "find_registration"]


def collect_provenance(
    ledger: EventLog, record: VersionRecord, stage_record: StageRecord
) -> Provenance:
    """Collect the commits and the verdict by which a version is in its stage.

    Parameters
    ----------
    ledger : EventLog
        The ledger.
    record : VersionRecord
        The version.
    stage_record : StageRecord
        The stage that it is in.

    """
    slot = stage_record.slot
    placed = judged = promoted = registered = ""
    for event, commit, _ in ledger.commits():
        raw = commit.encode().decode()
        if event.seq == stage_record.seq:
            placed = raw
        if event.name != record.name or event.after != record.version:
            continue
        if event.op == "promote" and event.stage == slot.stage and event.gate == slot.verdict:
            promoted = promoted or raw
        elif event.op == "gate" and event.gate == slot.verdict:
            judged = judged or raw
        elif event.op == "register":
            registered = raw
            break
    verdict = policy = None
    if slot.verdict is not None:
        state = ledger.state
        path = f"verdicts/{record.name}/{record.version}/{slot.verdict}.json"
        content = state.trees.file(state.tree, path)
        verdict = None if content is None else content.decode()
        written = state.policy(record.name, record.version, slot.verdict)
        policy = None if written is None else written.encode().decode()
    return Provenance(
        registered=registered,
        judged=judged or None,
        promoted=promoted or placed,
        placed=placed,
        verdict=verdict,
        policy=policy,
    )


def find_registration(ledger: EventLog, record: VersionRecord) -> tuple[Event, Commit, str]:
    """Find the registration of a version: event, commit and commit id."""
    for event, commit, oid in ledger.commits():
        if (event.op, event.name, event.after) == ("register", record.name, record.version):
            return event, commit, oid
    raise LedgerError(f"the ledger has no registration of {record.name}@{record.version}")
