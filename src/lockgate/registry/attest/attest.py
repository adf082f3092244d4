"""Rebuilds a version from its commit, and compares the bundles file by file."""

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
from lockgate.errors import LedgerError, UsageError
from lockgate.models.bundle.manifest import MANIFEST, Manifest, read_manifest
from lockgate.plugins.host.params_file import edit_params, read_params
from lockgate.registry.attest.environment import create_environment
from lockgate.registry.git.commands import git
from lockgate.registry.ledger import rules
from lockgate.registry.ledger.drafts import Draft
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.ledger.state import State, VersionRecord
from lockgate.registry.provenance.events import Event

__all__ = ["Attestation", "attest", "record_attestation"]

SECONDS = 6 * 3600.0


@dataclass(frozen=True)
class Attestation:
    """The result of rebuilding a version.

    Attributes
    ----------
    record : VersionRecord
        The version.
    passed : bool
        Whether all files are the same, byte for byte.
    differing : mapping of str to str
        How each differing file or part of the manifest differs.
    rebuilt : str
        Digest of the rebuilt bundle.
    threads : int
        Number of training threads; 0 for the project's setting.
    seconds : float
        Duration of the rebuild.

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
        document: dict[str, Any] = {
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
        return json.dumps(document, indent=1).encode() + b"\n"


def attest(
    name: str,
    version: str | None = None,
    *,
    ledger: EventLog | str | Path = ".",
    environment: str = "here",
    threads: int = 0,
    dry: bool = False,
    on_status: Callable[[str], None] = lambda _: None,
) -> Attestation:
    """Rebuild a version from its commit, compare the bundles, and record the result.

    The commit is cloned, its data are pulled, and the pipeline runs in a temporary folder.

    Nothing of earlier runs is used but the data: neither the run cache nor stored
    outputs. The same bytes can be expected with the same library versions on the
    same kind of processor; other BLAS kernels change the last digits of some linear
    models, and a loader that queries a database may get other rows.

    Parameters
    ----------
    name : str
        Name of the model.
    version : str, optional
        The version; by default the newest that is not retired.
    ledger : Ledger or path-like
        The ledger, or a folder of its repository; by default the current one.
    environment : {"here", "recorded"}
        Build with the libraries that are installed here, or in a new environment
        with the versions that the bundle records.
    threads : int
        Number of training threads; 0 for the project's setting.
    dry : bool
        Do not record the result in the ledger.
    on_status : callable
        Called with a description of each step.

    Raises
    ------
    LedgerError
        If the version has no pipeline to run, or a step fails.
    UsageError
        If the environment is unknown.

    """
    if environment not in ("here", "recorded"):
        raise UsageError(f"environment is {environment!r}, expected 'here' or 'recorded'")
    ledger = EventLog.of(ledger)
    record = rules.find_version(ledger.state, name, version)
    if record.lineage != "pipeline" or record.commit is None or record.path is None:
        raise LedgerError(
            f"{name}@{record.version} cannot be rebuilt: expected lineage pipeline, got "
            f"{record.lineage}"
        )
    raw = ledger.state.manifest(name, record.version)
    manifest = msgspec.json.decode(raw or b"", type=Manifest)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lockgate-attest-") as scratch:
        python = Path(sys.executable)
        if environment == "recorded":
            on_status("creating the recorded environment")
            python = create_environment(manifest, Path(scratch) / "environment")
        clone = _clone(ledger, record, Path(scratch) / "clone", on_status)
        project = _find_project(clone / record.path)
        if threads:
            _limit_threads(project / "params.yaml", threads)
        _get_data(ledger, clone, project, python, on_status)
        on_status("running the pipeline")
        _run_dvc(python, ["repro", "--force", "--no-run-cache", "--no-commit", "package"], project)
        rebuilt = clone / record.path
        differing = _compare_manifests(manifest, read_manifest(rebuilt))
        digest = sha256_file(rebuilt / MANIFEST)
    passed, seconds = digest == record.digest, time.monotonic() - started
    attestation = Attestation(record, passed, differing, digest, threads, seconds)
    if not dry:
        record_attestation(ledger, attestation)
    return attestation


def record_attestation(ledger: EventLog, attestation: Attestation) -> Event:
    """Record an attestation in the ledger."""
    raw, record = attestation.encode(), attestation.record

    def draft(_: State) -> Draft:
        fields = {
            "op": "attest",
            "name": record.name,
            "after": record.version,
            "digest": record.digest,
            "attached": sha256_bytes(raw),
            "reason": "the same bytes"
            if attestation.passed
            else f"{len(attestation.differing)} files differ",
        }
        return Draft(fields, (raw,))

    return ledger.writer.write(draft)


def _clone(
    ledger: EventLog, record: VersionRecord, target: Path, on_status: Callable[[str], None]
) -> Path:
    on_status(f"cloning {str(record.commit)[:12]}")
    # from the commit alone: files of the work tree that are not in it must not help
    top = ledger.repository.top
    git(["clone", "--quiet", "--no-checkout", "--local", str(top), str(target)], top)
    git(["-c", "advice.detachedHead=false", "checkout", "--quiet", str(record.commit)], target)
    return target


def _find_project(bundle: Path) -> Path:
    projects = (parent for parent in bundle.parents if (parent / "dvc.yaml").is_file())
    project = next(projects, None)
    if project is None:
        raise LedgerError("the commit has no dvc.yaml in a folder above the bundle")
    return project


def _limit_threads(params: Path, threads: int) -> None:
    resources = read_params(params).get("resources") or {}
    edit_params(params, {"resources": {**resources, "threads": threads}})


def _get_data(
    ledger: EventLog, clone: Path, project: Path, python: Path, on_status: Callable[[str], None]
) -> None:
    """Get the inputs of the pipeline: the files that ``*.dvc`` files name."""
    dvc_files = git(["ls-files", "--", "*.dvc"], project).splitlines()
    if not dvc_files:
        return
    on_status("getting the data")
    local_project = ledger.repository.top / project.relative_to(clone)
    cache = _run_dvc(python, ["cache", "dir"], local_project).strip()
    _run_dvc(python, ["cache", "dir", "--local", cache], project)
    try:
        _run_dvc(python, ["checkout", "--quiet", *dvc_files], project)
    except LedgerError:
        _run_dvc(python, ["pull", "--quiet", *dvc_files], project)


def _run_dvc(python: Path, argv: list[str], folder: Path) -> str:
    # commands of the environment come first, as dvc.yaml calls `lockgate` by name
    path = f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    completed = subprocess.run(
        [str(python), "-P", "-m", "dvc", *argv],
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment | {"PATH": path, "DVC_NO_ANALYTICS": "1"},
        timeout=SECONDS,
        check=False,
    )
    if completed.returncode:
        message = " ".join((completed.stderr or completed.stdout).split())
        raise LedgerError(f"dvc {argv[0]} failed: {message[-600:]}")
    return completed.stdout


def _compare_manifests(expected: Manifest, rebuilt: Manifest) -> dict[str, str]:
    differing = {}
    for name in sorted({*expected.files, *rebuilt.files}):
        before, after = expected.files.get(name), rebuilt.files.get(name)
        if before != after:
            change = "added" if before is None else "missing" if after is None else "changed"
            differing[name] = f"{change}: {str(before)[:12]} -> {str(after)[:12]}"
    for part in ("hashes", "environment", "schema", "classes", "threshold", "model"):
        if getattr(expected, part) != getattr(rebuilt, part):
            differing[f"manifest.json: {part}"] = (
                f"{getattr(expected, part)!s:.200} -> {getattr(rebuilt, part)!s:.200}"
            )
    return differing
