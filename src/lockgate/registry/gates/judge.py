"""Runs the gates of a stage on a registered version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.contract.gates import BundleOrigin
from lockgate.contract.tables import Schema
from lockgate.data.io.frames import read_frame
from lockgate.models.bundle.copy import is_complete
from lockgate.models.bundle.labelled_rows import read_rows, read_test_rows
from lockgate.models.bundle.open import open_bundle
from lockgate.registry.bundle_store import bundle_of
from lockgate.registry.committed_lineage import lineage_problem
from lockgate.registry.gates.policy import load_policy, stage_policy
from lockgate.registry.gates.verdicts import run_gates
from lockgate.registry.ledger import rules
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.ledger.state import StageRecord, State, VersionRecord
from lockgate.registry.provenance.policy import StagePolicy
from lockgate.registry.provenance.sshsig import InvalidSignature
from lockgate.registry.provenance.verdict import Incumbent, Verdict
from lockgate.registry.provenance_export import find_registration

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["judge"]


def judge(
    ledger: EventLog,
    name: str,
    stage: str,
    *,
    version: str | None = None,
    data: Path | None = None,
    today: Path | None = None,
    policy: StagePolicy | None = None,
    on_status: Callable[[str], None] = lambda _: None,
) -> tuple[VersionRecord, Verdict]:
    """Run the gates of a stage on a version; the verdict is not recorded.

    Parameters
    ----------
    ledger : EventLog
        The ledger.
    name, stage : str
        The model and the stage.
    version : str, optional
        The version; by default the newest that is not retired.
    data : pathlib.Path, optional
        CSV or Parquet file of evaluation rows with a known target; by default the test
        rows of the pipeline, if it made this very bundle.
    today : pathlib.Path, optional
        CSV or Parquet file of recent rows.
    policy : StagePolicy, optional
        The gates; by default those of the main branch's policy.
    on_status : callable
        Called with a description of each step.

    Returns
    -------
    tuple of VersionRecord and Verdict
        The version, and the verdict on it.

    Raises
    ------
    NotMeasured
        If a gate needs rows, and there are none.

    """
    state = ledger.state
    record = rules.find_usable_version(state, name, version)
    project = ledger.repository.project(record.path)
    loaded = load_policy(policy or stage_policy(ledger.repository, name, stage))
    stage_record = state.stage(name, stage)
    on_status("opening the bundles")
    candidate = open_bundle(bundle_of(ledger.repository, record))
    incumbent, compared = None, _reference_version(ledger, state, record, loaded.written)
    if compared is not None:
        if stage_record is None or compared != stage_record.slot.version:
            on_status(f"comparing with {compared}, the last in {stage} that passed its gates")
        incumbent_record = rules.find_version(state, name, compared)
        incumbent = open_bundle(bundle_of(ledger.repository, incumbent_record))
    versions = (record.version, compared)
    schema = candidate.manifest.schema
    rows = _rows(schema, data, project, record)
    verdict = run_gates(
        candidate,
        incumbent,
        loaded,
        stage=stage,
        versions=versions,
        in_stage=_incumbent(stage_record),
        origin=_origin(ledger, record, candidate.path),
        rows=rows,
        without_rows=_without_rows(record),
        today=_read(today, schema),
        on_status=on_status,
    )
    return record, verdict


def _incumbent(in_stage: StageRecord | None) -> Incumbent | None:
    """Return what a verdict records of the version in its stage."""
    return None if in_stage is None else Incumbent(in_stage.slot.version, in_stage.slot.digest)


def _reference_version(
    ledger: EventLog, state: State, candidate: VersionRecord, policy: StagePolicy
) -> str | None:
    """Return the version to compare with: the last in the stage that passed its gates.

    An override lowers no gate, neither does emptying the stage, nor a rollback to what passed
    other gates. Where none passed yet, it is what is in the stage.
    """
    name, stage = candidate.name, policy.stage
    for event in ledger.history(name, stage):
        if event.gate is None or event.override:
            continue
        if event.op == "promote":
            return event.after
        if event.op == "rollback":
            verdict = state.verdict(name, str(event.after), event.gate)
            if verdict is not None and verdict.policy == policy.digest:
                return event.after
    in_stage = state.stage(name, stage)
    if in_stage is None or in_stage.slot.version == candidate.version:
        return None
    return in_stage.slot.version


def _rows(
    schema: Schema, data: Path | None, project: Path, record: VersionRecord
) -> pd.DataFrame | None:
    if data is not None:
        return read_rows(data, schema)
    made_here = record.path is not None and is_complete(project / "bundle", record.digest)
    return read_test_rows(project, schema) if made_here else None


def _without_rows(record: VersionRecord) -> str:
    """Return why evaluation rows are missing, and where they can come from."""
    if record.lineage != "pipeline":
        return "no evaluation rows: pass --data FILE"
    return (
        f"the test rows of the pipeline that made {record.version} are not here: pass --data FILE, "
        f"or fetch them: git switch --detach {str(record.commit)[:12]}, then dvc pull"
    )


def _read(path: Path | None, schema: Schema) -> pd.DataFrame | None:
    return None if path is None else read_frame(path, schema.columns, schema.csv)


def _origin(ledger: EventLog, record: VersionRecord, folder: Path) -> BundleOrigin:
    event, commit, _ = find_registration(ledger, record)
    try:
        signer = ledger.signer(event, commit)
    except InvalidSignature:
        signer = None
    attestations = ledger.state.attestations(record.name, record.version)
    attested = (attestations[-1].get("passed") is True) if attestations else None
    problem = lineage_problem(ledger.repository, record, folder)
    return BundleOrigin(
        lineage="unknown" if problem else record.lineage,
        commit=None if problem else record.commit,
        signed_by=signer,
        attested=attested,
        params_edited=record.params_edited,
        problem=problem,
    )
