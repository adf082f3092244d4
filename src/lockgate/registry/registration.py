"""From a bundle on disk to what the ledger keeps of it: lineage, version, record."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from lockgate.data.io.digests import sha256_bytes, sha256_file
from lockgate.errors import LedgerError, UsageError
from lockgate.models.bundle.check import check_in_subprocess
from lockgate.models.bundle.evaluation import estimates
from lockgate.models.bundle.manifest import MANIFEST, Manifest, read_manifest, verify_files
from lockgate.registry.git.commands import git, run_git
from lockgate.registry.ledger.repository import Repository
from lockgate.registry.ledger.state import State, VersionRecord, newest_first
from lockgate.registry.provenance.events import VERSION
from lockgate.registry.versioning import next_version

__all__ = ["BundleSource", "Lineage", "check_clean", "directory_md5", "inspect_bundle", "record_of"]


@dataclass(frozen=True)
class Lineage:
    """Where a bundle comes from.

    Attributes
    ----------
    kind : {"pipeline", "declared", "unknown"}
        See `VersionRecord.lineage`.
    commit, path, tracked : str or None
        See there.

    """

    kind: str
    commit: str | None = None
    path: str | None = None
    tracked: str | None = None


@dataclass(frozen=True)
class BundleSource:
    """A bundle that is whole and opens.

    Attributes
    ----------
    folder : pathlib.Path
        Where it lies.
    digest : str
        sha256 of its manifest.
    manifest : Manifest
        The same, read.
    raw : bytes
        The same, byte for byte.
    lineage : Lineage
        Where it comes from.

    """

    folder: Path
    digest: str
    manifest: Manifest
    raw: bytes
    lineage: Lineage


def inspect_bundle(repository: Repository, folder: Path, *, outside: bool = False) -> BundleSource:
    """Read a bundle and find out where it comes from.

    Parameters
    ----------
    repository : Repository
        Where it is to be registered.
    folder : pathlib.Path
        The bundle.
    outside : bool
        Take a pipeline's bundle although no ``dvc.lock`` here names it.

    Raises
    ------
    BundleError
        If it is not whole, or does not open.
    LedgerError
        If the work tree is not clean, or ``dvc.lock`` names another bundle.

    """
    folder = folder.resolve()
    manifest = read_manifest(folder)
    verify_files(folder, manifest)
    raw = (folder / MANIFEST).read_bytes()
    check_in_subprocess(folder, sha256_bytes(raw))
    lineage = _find_lineage(repository, folder, manifest, outside=outside)
    return BundleSource(folder, sha256_bytes(raw), manifest, raw, lineage)


def check_clean(repository: Repository) -> None:
    """Refuse a work tree that holds more, or something else, than its commit.

    Raises
    ------
    LedgerError
        Naming the first files.

    """
    status = git(["status", "--porcelain", "--untracked-files=normal"], repository.top)
    lines = status.splitlines()
    if lines:
        shown = ", ".join(line[3:] for line in lines[:5])
        more = f" and {len(lines) - 5} more" if len(lines) > 5 else ""
        raise LedgerError(
            f"the work tree is not clean: {shown}{more}; a version belongs to a commit: "
            "git add -A && git commit, or a line in .gitignore"
        )


def directory_md5(folder: Path) -> str:
    """Return the name that DVC gives to a directory's content."""
    files = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    entries = [
        {
            "md5": hashlib.md5((folder / file).read_bytes(), usedforsecurity=False).hexdigest(),
            "relpath": file,
        }
        for file in files
    ]
    text = json.dumps(entries, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"


def _find_lineage(
    repository: Repository, folder: Path, manifest: Manifest, *, outside: bool
) -> Lineage:
    dvc_entry = _find_dvc_file(repository, folder)
    if dvc_entry is None or outside:
        if manifest.hashes.params is not None and not outside:
            raise LedgerError(
                f"{folder} came out of a pipeline, and no dvc.lock of {repository.top} names it; "
                "register it from its project, or --outside to give up its lineage"
            )
        return Lineage("declared" if manifest.hashes.declared else "unknown")
    dvc_file, md5 = dvc_entry
    repository.head()
    completed = run_git(["ls-files", "--error-unmatch", str(dvc_file)], repository.top)
    if completed.returncode:
        raise LedgerError(f"{dvc_file} is not in Git: git add -A && git commit")
    check_clean(repository)
    actual_md5 = directory_md5(folder)
    if md5 != actual_md5:
        raise LedgerError(
            f"{dvc_file} names another bundle ({md5}) than {folder} is ({actual_md5}): "
            "dvc repro, then git commit"
        )
    kind = "pipeline" if manifest.hashes.params is not None else "declared"
    path = folder.relative_to(repository.top.resolve()).as_posix()
    return Lineage(kind, repository.head(), path, md5)


def _find_dvc_file(repository: Repository, folder: Path) -> tuple[Path, str] | None:
    """Find the DVC file that names a bundle, and the name in it."""
    top = repository.top.resolve()
    if not folder.is_relative_to(top):
        return None
    dvc_file = folder.with_name(folder.name + ".dvc")
    if dvc_file.is_file():
        return dvc_file, _output_md5(_load_yaml(dvc_file).get("outs"), folder.name) or ""
    for parent in folder.parents:
        lock = parent / "dvc.lock"
        if lock.is_file():
            path = folder.relative_to(parent).as_posix()
            stages = _load_yaml(lock).get("stages") or {}
            for stage in stages.values() if isinstance(stages, dict) else ():
                if md5 := _output_md5(stage.get("outs") if isinstance(stage, dict) else None, path):
                    return lock, md5
        if parent == top:
            break
    return None


def _output_md5(outs: Any, path: str) -> str | None:
    outputs = (
        [output for output in outs if isinstance(output, dict)] if isinstance(outs, list) else []
    )
    digests = [output.get("md5") for output in outputs if output.get("path") == path]
    return str(digests[0]) if digests else None


def _load_yaml(path: Path) -> dict[str, Any]:
    try:
        root = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  # safe loaders
        return root if isinstance(root, dict) else {}
    except (yaml.YAMLError, TypeError, ValueError, UnicodeError) as error:
        raise LedgerError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}") from None


def record_of(
    state: State, source: BundleSource, *, version: str | None, bump: str | None
) -> VersionRecord:
    """Decide which version a bundle becomes.

    Raises
    ------
    UsageError
        If the version that was asked for cannot be had.

    """
    name = source.manifest.name
    versions = state.versions(name)
    last = versions[0] if versions else None
    raw = state.manifest(name, last) if last else None
    old = msgspec.json.decode(raw, type=Manifest) if raw else None
    new_version, reasons = next_version(last, old, source.manifest, bump=bump)
    if version is not None:
        new_version = _check_requested(version, new_version, last, reasons)
    return VersionRecord(
        name=name,
        version=new_version,
        digest=source.digest,
        lineage=source.lineage.kind,
        commit=source.lineage.commit,
        path=source.lineage.path,
        tracked=source.lineage.tracked,
        size=sum(path.stat().st_size for path in source.folder.rglob("*") if path.is_file()),
        why=tuple(reasons),
        figures=_read_estimates(source),
    )


def _check_requested(version: str, minimum: str, last: str | None, reasons: list[str]) -> str:
    if not VERSION.fullmatch(version):
        raise UsageError(f"{version[:80]!r} is no version; expected e.g. {minimum}")
    if last is not None and newest_first([version, last])[0] == last:
        raise UsageError(f"{version} does not follow {last}; the next is {minimum}")
    if last is not None and newest_first([version, minimum])[0] == minimum != version:
        raise UsageError(f"{version} is too little: it must be {minimum}, as {'; '.join(reasons)}")
    return version


def _read_estimates(source: BundleSource) -> dict[str, dict[str, float]]:
    """Read the estimates that lie in the bundle."""
    path = source.folder / "metrics.json"
    if sha256_file(path) != source.manifest.files["metrics.json"]:
        raise LedgerError(f"{path} changed meanwhile")
    return estimates(json.loads(path.read_bytes()))
