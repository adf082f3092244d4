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
    lineage = _lineage(repository, folder, manifest, outside=outside)
    return BundleSource(folder, sha256_bytes(raw), manifest, raw, lineage)


def check_clean(repository: Repository) -> None:
    """Refuse a work tree that holds more, or something else, than its commit.

    Raises
    ------
    LedgerError
        Naming the first files.

    """
    said = git(["status", "--porcelain", "--untracked-files=normal"], repository.top)
    lines = said.splitlines()
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
    listed = [
        {
            "md5": hashlib.md5((folder / one).read_bytes(), usedforsecurity=False).hexdigest(),
            "relpath": one,
        }
        for one in files
    ]
    text = json.dumps(listed, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"


def _lineage(repository: Repository, folder: Path, manifest: Manifest, *, outside: bool) -> Lineage:
    named = _named(repository, folder)
    if named is None or outside:
        if manifest.hashes.params is not None and not outside:
            raise LedgerError(
                f"{folder} came out of a pipeline, and no dvc.lock of {repository.top} names it; "
                "register it from its project, or --outside to give up its lineage"
            )
        return Lineage("declared" if manifest.hashes.declared else "unknown")
    where, md5 = named
    repository.head()
    done = run_git(["ls-files", "--error-unmatch", str(where)], repository.top)
    if done.returncode:
        raise LedgerError(f"{where} is not in Git: git add -A && git commit")
    check_clean(repository)
    found = directory_md5(folder)
    if md5 != found:
        raise LedgerError(
            f"{where} names another bundle ({md5}) than {folder} is ({found}): "
            "dvc repro, then git commit"
        )
    kind = "pipeline" if manifest.hashes.params is not None else "declared"
    path = folder.relative_to(repository.top.resolve()).as_posix()
    return Lineage(kind, repository.head(), path, md5)


def _named(repository: Repository, folder: Path) -> tuple[Path, str] | None:
    """Find the DVC file that names a bundle, and the name in it."""
    top = repository.top.resolve()
    if not folder.is_relative_to(top):
        return None
    note = folder.with_name(folder.name + ".dvc")
    if note.is_file():
        return note, _out(_loaded(note).get("outs"), folder.name) or ""
    for parent in folder.parents:
        lock = parent / "dvc.lock"
        if lock.is_file():
            path = folder.relative_to(parent).as_posix()
            stages = _loaded(lock).get("stages") or {}
            for stage in stages.values() if isinstance(stages, dict) else ():
                if md5 := _out(stage.get("outs") if isinstance(stage, dict) else None, path):
                    return lock, md5
        if parent == top:
            break
    return None


def _out(outs: Any, path: str) -> str | None:
    listed = [one for one in outs if isinstance(one, dict)] if isinstance(outs, list) else []
    found = [one.get("md5") for one in listed if one.get("path") == path]
    return str(found[0]) if found else None


def _loaded(path: Path) -> dict[str, Any]:
    try:
        made = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  # safe loaders
        return made if isinstance(made, dict) else {}
    except (yaml.YAMLError, TypeError, ValueError, UnicodeError) as error:
        raise LedgerError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}") from None


def record_of(
    state: State, found: BundleSource, *, version: str | None, bump: str | None
) -> VersionRecord:
    """Decide which version a bundle becomes.

    Raises
    ------
    UsageError
        If the version that was asked for cannot be had.

    """
    name = found.manifest.name
    listed = state.versions(name)
    last = listed[0] if listed else None
    raw = state.manifest(name, last) if last else None
    old = msgspec.json.decode(raw, type=Manifest) if raw else None
    made, why = next_version(last, old, found.manifest, bump=bump)
    if version is not None:
        made = _asked(version, made, last, why)
    return VersionRecord(
        name=name,
        version=made,
        digest=found.digest,
        lineage=found.lineage.kind,
        commit=found.lineage.commit,
        path=found.lineage.path,
        tracked=found.lineage.tracked,
        size=sum(path.stat().st_size for path in found.folder.rglob("*") if path.is_file()),
        why=tuple(why),
        figures=_figures(found),
    )


def _asked(version: str, least: str, last: str | None, why: list[str]) -> str:
    if not VERSION.fullmatch(version):
        raise UsageError(f"{version[:80]!r} is no version; expected e.g. {least}")
    if last is not None and newest_first([version, last])[0] == last:
        raise UsageError(f"{version} does not follow {last}; the next is {least}")
    if last is not None and newest_first([version, least])[0] == least != version:
        raise UsageError(f"{version} is too little: it must be {least}, as {'; '.join(why)}")
    return version


def _figures(found: BundleSource) -> dict[str, dict[str, float]]:
    """Read the estimates that lie in the bundle."""
    path = found.folder / "metrics.json"
    if sha256_file(path) != found.manifest.files["metrics.json"]:
        raise LedgerError(f"{path} changed meanwhile")
    return estimates(json.loads(path.read_bytes()))
