"""The report of a version: origin, changes since the version before, verdicts, history."""

from __future__ import annotations

from typing import Any

import msgspec
import yaml

from lockgate.errors import LedgerError
from lockgate.models.bundle.manifest import CONTRACT, Manifest
from lockgate.registry.git.commands import run_git
from lockgate.registry.ledger import rules
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.ledger.state import State, VersionRecord
from lockgate.registry.provenance.sshsig import InvalidSignature

__all__ = ["find_version_by_digest", "version_report"]

MAX_FILES = 200


def find_version_by_digest(
    state: State, digest: str, name: str | None = None
) -> VersionRecord | None:
    """Find the version of a bundle by its digest, or the beginning of it."""
    for model_name in [name] if name else state.names():
        for version in state.versions(model_name):
            record = state.version(model_name, version)
            if record is not None and record.digest.startswith(digest):
                return record
    return None


def version_report(ledger: EventLog, name: str, version: str | None = None) -> dict[str, Any]:
    """Return the report of a version as plain data.

    Parameters
    ----------
    ledger : EventLog
        The ledger.
    name : str
        Name of the model.
    version : str, optional
        The version; by default the newest that is not retired.

    Returns
    -------
    dict
        `version`, `commit`, `made_with` (hashes, environment, files), `changes` since
        the version before, `gates` (all verdicts), `attestations`, `stages` that it is
        in now, and `events`, oldest first.

    Raises
    ------
    LedgerError
        If the version is not registered.

    """
    state = ledger.state
    record = rules.find_version(state, name, version)
    manifest = _manifest(state, name, record.version)
    versions = state.versions(name)
    previous_index = versions.index(record.version) + 1
    before = (
        state.version(name, versions[previous_index]) if previous_index < len(versions) else None
    )
    stage_records = (state.stage(name, stage) for stage in state.stages(name))
    return {
        "version": {
            **msgspec.to_builtins(record),
            "retired": state.is_retired(name, record.version),
        },
        "commit": _commit(ledger, record.commit),
        "made_with": {
            "hashes": msgspec.to_builtins(manifest.hashes),
            "environment": msgspec.to_builtins(manifest.environment),
            "files": manifest.files,
        },
        "changes": None if before is None else _changes(ledger, before, record),
        "gates": [
            msgspec.to_builtins(verdict)
            for verdict in sorted(
                state.verdicts(name, record.version), key=lambda verdict: verdict.at
            )
        ],
        "attestations": state.attestations(name, record.version),
        "stages": [
            stage_record.slot.stage
            for stage_record in stage_records
            if stage_record and stage_record.slot.version == record.version
        ],
        "events": _events(ledger, record),
    }


def _manifest(state: State, name: str, version: str) -> Manifest:
    raw = state.manifest(name, version)
    if raw is None:
        raise LedgerError(f"the ledger does not have the manifest of {name}@{version}")
    return msgspec.json.decode(raw, type=Manifest)


def _commit(ledger: EventLog, commit: str | None) -> dict[str, str] | None:
    if commit is None:
        return None
    arguments = [
        "show",
        "--no-patch",
        "--no-show-signature",
        "--no-color",
        "--format=%an <%ae>%n%aI%n%s",
    ]
    completed = run_git([*arguments, commit], ledger.repository.top)
    if completed.returncode:
        return {"id": commit, "note": "not in this clone; run git fetch"}
    author, date, subject = (completed.stdout.decode("utf-8", "replace") + "\n\n").split("\n")[:3]
    return {"id": commit, "author": author, "date": date, "subject": subject}


def _changes(ledger: EventLog, old: VersionRecord, new: VersionRecord) -> dict[str, Any]:
    """Compare a version with the one before it."""
    state = ledger.state
    before, after = (_manifest(state, record.name, record.version) for record in (old, new))
    changes: dict[str, Any] = {"since": old.version, "why": list(new.why)}
    if old.commit and new.commit:
        changes["code"] = _changed_files(ledger, old.commit, new.commit)
        changes["parameters"] = _changed_parameters(ledger, old, new)
    changes["data"] = _pair(before.hashes.data, after.hashes.data)
    changes["data contract"] = _pair(before.files.get(CONTRACT), after.files.get(CONTRACT))
    changes["environment"] = _differences(
        {**before.environment.training, **before.environment.answers},
        {**after.environment.training, **after.environment.answers},
    )
    flattened = [
        {
            f"{evaluator}.{key}": value
            for evaluator, metrics in record.figures.items()
            for key, value in metrics.items()
        }
        for record in (old, new)
    ]
    changes["figures"] = _differences(*flattened)
    return changes


def _changed_files(ledger: EventLog, old: str, new: str) -> list[str]:
    """Return the files in which two commits differ, at most `MAX_FILES`."""
    completed = run_git(["diff", "--name-status", "--no-renames", old, new], ledger.repository.top)
    lines = completed.stdout.decode("utf-8", "replace").splitlines()
    return [line.replace("\t", " ") for line in lines][:MAX_FILES]


def _changed_parameters(
    ledger: EventLog, old: VersionRecord, new: VersionRecord
) -> dict[str, list[Any]]:
    return _differences(*(_flatten(_read_params(ledger, record)) for record in (old, new)))


def _read_params(ledger: EventLog, record: VersionRecord) -> object:
    """Read the params.yaml of a version's project, as of its commit."""
    folder = (record.path or "").rpartition("/")[0]
    path = f"{folder}/params.yaml" if folder else "params.yaml"
    completed = run_git(["show", f"{record.commit}:{path}"], ledger.repository.top)
    try:
        return yaml.safe_load(completed.stdout) if completed.returncode == 0 else {}
    except yaml.YAMLError:
        return {}


def _flatten(value: object, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, dict) and value:
        flattened: dict[str, Any] = {}
        for key, child in value.items():
            flattened |= _flatten(child, f"{prefix}.{key}" if prefix else str(key))
        return flattened
    return {prefix: value} if prefix else {}


def _differences(old: dict[str, Any], new: dict[str, Any]) -> dict[str, list[Any]]:
    keys = sorted(old.keys() | new.keys())
    return {key: [old.get(key), new.get(key)] for key in keys if old.get(key) != new.get(key)}


def _pair(old: object, new: object) -> list[object] | None:
    return None if old == new else [old, new]


def _events(ledger: EventLog, record: VersionRecord) -> list[dict[str, Any]]:
    """Return the events of a version with their signers, oldest first."""
    events = []
    for event, commit, oid in ledger.commits():
        if event.name != record.name or record.version not in (event.before, event.after):
            continue
        entry: dict[str, Any] = {"commit": oid, **msgspec.to_builtins(event)}
        try:
            signer = ledger.signer(event, commit)
        except InvalidSignature as error:
            signer = f"not valid: {error}"
        if signer is not None:
            entry["signed_by"] = signer
        events.append(entry)
    return events[::-1]
