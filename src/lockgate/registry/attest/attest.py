"""Builds a version again from its commit, and compares the bundles file by file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from lockgate.data.io.digests import sha256_bytes, sha256_file
from lockgate.data.io.identity import current_user
from lockgate.errors import LedgerError
from lockgate.models.bundle.manifest import MANIFEST, Manifest, read_manifest
from lockgate.plugins.host.params_file import read_params, write_params
from lockgate.registry.attest.environment import recorded_environment
from lockgate.registry.git.commands import git
from lockgate.registry.ledger import rules
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.ledger.state import State, VersionRecord
from lockgate.registry.ledger.writer import Draft
from lockgate.registry.provenance.events import Event

__all__ = ["Attestation", "attest", "record_attestation"]

SECONDS = 6 * 3600.0


@dataclass(frozen=True)
class Attestation:
    """What came of building a version again.

    Attributes
    ----------
    record : VersionRecord
        Which one.
    passed : bool
        Whether every file came out the same, byte for byte.
    differing : mapping of str to str
        What became of each file that did not.
    rebuilt : str
        Digest of the bundle that came out.
    threads : int
        Threads that were allowed; 0 as the project says.
    seconds : float
        Time that it took.

    """

    record: VersionRecord
    passed: bool
    differing: Mapping[str, str]
    rebuilt: str
    threads: int
    seconds: float

    def encode(self) -> bytes:
        """Return the file that the ledger keeps."""
        user, machine = current_user()
        said: dict[str, Any] = {
            "v": 1,
            "name": self.record.name,
            "version": self.record.version,
            "bundle": self.record.digest,
            "rebuilt": self.rebuilt,
            "passed": self.passed,
            "differing": dict(self.differing),
            "threads": self.threads,
            "seconds": round(self.seconds, 1),
            "by": f"{user}@{machine}",
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        return json.dumps(said, indent=1).encode() + b"\n"


def attest(
    ledger: EventLog,
    name: str,
    version: str | None = None,
    *,
    environment: str = "here",
    threads: int = 0,
    said: Callable[[str], None] = lambda _: None,
) -> Attestation:
    """Clone the commit, get the data, run the pipeline, compare.

    Nothing of earlier runs is used but the data: not the run cache, not the
    stored outputs. It holds where the same versions of the libraries run on the
    same kind of processor; other kernels of BLAS change last digits of some
    linear models, and a loader that asks a database may get other rows.

    Parameters
    ----------
    ledger : EventLog
        Where it is registered.
    name, version : str
        Which one; by default the newest.
    environment : {"here", "recorded"}
        Build with the libraries that are installed here, or make a new
        environment with the versions that the bundle records.
    threads : int
        Threads to train with; 0 as the project says.
    said : callable
        Told what is being done.

    Raises
    ------
    LedgerError
        If there is nothing to build, or a step fails.

    """
    record = rules.known(ledger.state, name, version)
    if record.lineage != "pipeline" or record.commit is None or record.path is None:
        raise LedgerError(
            f"{name}@{record.version} has lineage {record.lineage}: no commit says how it was made"
        )
    raw = ledger.state.manifest(name, record.version)
    manifest = msgspec.json.decode(raw or b"", type=Manifest)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lockgate-attest-") as scratch:
        python = Path(sys.executable)
        if environment == "recorded":
            said("making the recorded environment")
            python = recorded_environment(manifest, Path(scratch) / "environment")
        clone = _clone(ledger, record, Path(scratch) / "clone", said)
        project = _project_of(clone / record.path)
        if threads:
            _limit(project / "params.yaml", threads)
        _get_data(ledger, clone, project, python, said)
        said("running the pipeline")
        _dvc(python, ["repro", "--force", "--no-run-cache", "--no-commit", "package"], project)
        rebuilt = clone / record.path
        differing = _differing(manifest, read_manifest(rebuilt))
        digest = sha256_file(rebuilt / MANIFEST)
    return Attestation(
        record,
        digest == record.digest,
        differing,
        digest,
        threads,
        time.monotonic() - started,
    )


def record_attestation(ledger: EventLog, found: Attestation) -> Event:
    """Enter what came of it into the ledger."""
    raw, record = found.encode(), found.record

    def draft(_: State) -> Draft:
        said = {
            "op": "attest",
            "name": record.name,
            "after": record.version,
            "digest": record.digest,
            "attached": sha256_bytes(raw),
            "reason": "the same bytes" if found.passed else f"{len(found.differing)} files differ",
        }
        return Draft(said, (raw,))

    return ledger.writer.write(draft)


def _clone(
    ledger: EventLog, record: VersionRecord, place: Path, said: Callable[[str], None]
) -> Path:
    said(f"cloning {str(record.commit)[:12]}")
    top = ledger.repository.top
    git(["clone", "--quiet", "--no-checkout", "--local", str(top), str(place)], top)
    git(["-c", "advice.detachedHead=false", "checkout", "--quiet", str(record.commit)], place)
    return place


def _project_of(bundle: Path) -> Path:
    found = (one for one in bundle.parents if (one / "dvc.yaml").is_file())
    project = next(found, None)
    if project is None:
        raise LedgerError("the commit has no dvc.yaml that makes the bundle")
    return project


def _limit(params: Path, threads: int) -> None:
    raw = read_params(params)
    raw["resources"] = {**(raw.get("resources") or {}), "threads": threads}
    write_params(params, raw)


def _get_data(
    ledger: EventLog, clone: Path, project: Path, python: Path, said: Callable[[str], None]
) -> None:
    """Get what the pipeline starts from: the files that ``*.dvc`` notes name."""
    notes = git(["ls-files", "--", "*.dvc"], project).splitlines()
    if not notes:
        return
    said("getting the data")
    here = ledger.repository.top / project.relative_to(clone)
    cache = _dvc(python, ["cache", "dir"], here).strip()
    _dvc(python, ["cache", "dir", "--local", cache], project)
    try:
        _dvc(python, ["checkout", "--quiet", *notes], project)
    except LedgerError:
        _dvc(python, ["pull", "--quiet", *notes], project)


def _dvc(python: Path, words: list[str], folder: Path) -> str:
    # the environment's own commands come first: dvc.yaml calls `lockgate` by its name
    path = f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(
        [str(python), "-m", "dvc", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment | {"PATH": path, "DVC_NO_ANALYTICS": "1"},
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise LedgerError(f"dvc {words[0]} failed: {said[-600:]}")
    return done.stdout


def _differing(expected: Manifest, found: Manifest) -> dict[str, str]:
    differing = {}
    for name in sorted({*expected.files, *found.files}):
        before, after = expected.files.get(name), found.files.get(name)
        if before != after:
            word = "is new" if before is None else "is missing" if after is None else "is another"
            differing[name] = f"{word}: {str(before)[:12]} -> {str(after)[:12]}"
    for part in ("hashes", "environment", "inputs", "classes", "threshold", "model"):
        if getattr(expected, part) != getattr(found, part):
            differing[f"manifest.json: {part}"] = (
                f"{getattr(expected, part)!s:.200} -> {getattr(found, part)!s:.200}"
            )
    return differing
