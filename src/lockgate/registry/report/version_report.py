"""Everything that is known of a version: where it is from, what changed, who did what with it."""

from __future__ import annotations

from typing import Any

import msgspec
import yaml

from lockgate.errors import LedgerError
from lockgate.models.bundle.manifest import Manifest
from lockgate.registry.git.commands import run_git
from lockgate.registry.ledger import rules
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.ledger.state import State, VersionRecord
from lockgate.registry.ledger.trust import signers_of
from lockgate.registry.provenance.sshsig import InvalidSignature

__all__ = ["version_of", "version_report"]

MOST_FILES = 200


def version_of(state: State, digest: str, name: str | None = None) -> VersionRecord | None:
    """Find the version that a bundle is, by its digest or the beginning of it."""
    for one in [name] if name else state.names():
        for version in state.versions(one):
            record = state.version(one, version)
            if record is not None and record.digest.startswith(digest):
                return record
    return None


def version_report(ledger: EventLog, name: str, version: str | None = None) -> dict[str, Any]:
    """Return all about a version as plain data.

    Returns
    -------
    dict
        `version`, `commit`, `made_with` (data, parameters, environment, files),
        `changes` since the version before, `gates`, `attestations`, `stages`
        where it is now, and `events`, the oldest first.

    Raises
    ------
    LedgerError
        If there is no such version.

    """
    state = ledger.state
    record = rules.known(state, name, version)
    manifest = _manifest(state, name, record.version)
    earlier = state.versions(name)
    place = earlier.index(record.version) + 1
    before = state.version(name, earlier[place]) if place < len(earlier) else None
    stages = (state.stage(name, one) for one in state.stages(name))
    return {
        "version": {**msgspec.to_builtins(record), "retired": state.retired(name, record.version)},
        "commit": _commit(ledger, record.commit),
        "made_with": {
            "hashes": msgspec.to_builtins(manifest.hashes),
            "environment": msgspec.to_builtins(manifest.environment),
            "files": manifest.files,
        },
        "changes": None if before is None else _changes(ledger, before, record),
        "gates": [
            msgspec.to_builtins(one)
            for one in sorted(state.verdicts(name, record.version), key=lambda one: one.at)
        ],
        "attestations": state.attestations(name, record.version),
        "stages": [one.slot.stage for one in stages if one and one.slot.version == record.version],
        "events": _events(ledger, record),
    }


def _manifest(state: State, name: str, version: str) -> Manifest:
    raw = state.manifest(name, version)
    if raw is None:
        raise LedgerError(f"the ledger has no manifest of {name}@{version}")
    return msgspec.json.decode(raw, type=Manifest)


def _commit(ledger: EventLog, commit: str | None) -> dict[str, str] | None:
    if commit is None:
        return None
    words = [
        "show",
        "--no-patch",
        "--no-show-signature",
        "--no-color",
        "--format=%an <%ae>%n%aI%n%s",
    ]
    done = run_git([*words, commit], ledger.repository.top)
    if done.returncode:
        return {"id": commit, "note": "not in this clone; git fetch"}
    author, date, subject = (done.stdout.decode("utf-8", "replace") + "\n\n").split("\n")[:3]
    return {"id": commit, "author": author, "date": date, "subject": subject}


def _changes(ledger: EventLog, old: VersionRecord, new: VersionRecord) -> dict[str, Any]:
    """Compare a version with the one before it."""
    state = ledger.state
    before, after = (_manifest(state, one.name, one.version) for one in (old, new))
    made: dict[str, Any] = {"since": old.version, "why": list(new.why)}
    if old.commit and new.commit:
        made["code"] = _files(ledger, old.commit, new.commit)
        made["parameters"] = _parameters(ledger, old, new)
    made["data"] = _pair(before.hashes.data, after.hashes.data)
    made["environment"] = _between(
        {**before.environment.training, **before.environment.answers},
        {**after.environment.training, **after.environment.answers},
    )
    flat = [
        {
            f"{e}.{key}": value
            for e, figures in one.figures.items()
            for key, value in figures.items()
        }
        for one in (old, new)
    ]
    made["figures"] = _between(*flat)
    return made


def _files(ledger: EventLog, old: str, new: str) -> list[str]:
    """Return the files of which the commits differ, but for what the pipeline writes."""
    done = run_git(["diff", "--name-status", "--no-renames", old, new], ledger.repository.top)
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return [line.replace("\t", " ") for line in lines][:MOST_FILES]


def _parameters(ledger: EventLog, old: VersionRecord, new: VersionRecord) -> dict[str, list[Any]]:
    return _between(*(_flat(_params(ledger, one)) for one in (old, new)))


def _params(ledger: EventLog, record: VersionRecord) -> Any:
    """Read params.yaml as of a version's commit, beside its bundle."""
    folder = (record.path or "").rpartition("/")[0]
    path = f"{folder}/params.yaml" if folder else "params.yaml"
    done = run_git(["show", f"{record.commit}:{path}"], ledger.repository.top)
    try:
        return yaml.safe_load(done.stdout) if done.returncode == 0 else {}
    except yaml.YAMLError:
        return {}


def _flat(value: Any, at: str = "") -> dict[str, Any]:
    if isinstance(value, dict) and value:
        found: dict[str, Any] = {}
        for key, one in value.items():
            found |= _flat(one, f"{at}.{key}" if at else str(key))
        return found
    return {at: value} if at else {}


def _between(old: dict[str, Any], new: dict[str, Any]) -> dict[str, list[Any]]:
    keys = sorted(old.keys() | new.keys())
    return {key: [old.get(key), new.get(key)] for key in keys if old.get(key) != new.get(key)}


def _pair(old: Any, new: Any) -> list[Any] | None:
    return None if old == new else [old, new]


def _events(ledger: EventLog, record: VersionRecord) -> list[dict[str, Any]]:
    """Return all that was done with a version, and who signed it."""
    signers = signers_of(ledger.repository)
    found = []
    for event, commit, oid in ledger.commits():
        if event.name != record.name or record.version not in (event.before, event.after):
            continue
        said: dict[str, Any] = {"commit": oid, **msgspec.to_builtins(event)}
        if signers is not None:
            try:
                said["signed_by"] = signers.check(commit, event).principal
            except InvalidSignature as error:
                said["signed_by"] = f"nobody: {error}"
        found.append(said)
    return found[::-1]
