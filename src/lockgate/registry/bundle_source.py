"""Checks a bundle on disk that is to be registered, and finds its lineage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from lockgate.data.io.digests import sha256_bytes
from lockgate.errors import LedgerError
from lockgate.models.bundle.check import check_in_subprocess
from lockgate.models.bundle.manifest import MANIFEST, Manifest, read_manifest, verify_files
from lockgate.plugins.config.stamp import is_edited
from lockgate.plugins.host.params_file import read_params
from lockgate.registry.bundle_store import has_dvc_remote, unpushed
from lockgate.registry.git.commands import git, run_git
from lockgate.registry.ledger.remote import is_pushed
from lockgate.registry.ledger.repository import Repository

__all__ = [
    "BundleSource",
    "Lineage",
    "check_clean",
    "check_pushed",
    "directory_md5",
    "find_named_digest",
    "inspect_bundle",
]


@dataclass(frozen=True)
class Lineage:
    """Where a bundle comes from.

    Attributes
    ----------
    kind : {"pipeline", "declared", "unknown"}
        See `VersionRecord.lineage`.
    commit, path, tracked, params_edited
        See the attributes of `VersionRecord` with these names.

    """

    kind: str
    commit: str | None = None
    path: str | None = None
    tracked: str | None = None
    params_edited: bool = False


@dataclass(frozen=True)
class BundleSource:
    """A complete bundle that can be opened.

    Attributes
    ----------
    folder : pathlib.Path
        Folder of the bundle.
    digest : str
        sha256 of the manifest.
    manifest : Manifest
        The manifest, decoded.
    raw : bytes
        The manifest, byte for byte.
    lineage : Lineage
        Where the bundle comes from.

    """

    folder: Path
    digest: str
    manifest: Manifest
    raw: bytes
    lineage: Lineage


def inspect_bundle(repository: Repository, folder: Path, *, outside: bool = False) -> BundleSource:
    """Check a bundle and find its lineage.

    Parameters
    ----------
    repository : Repository
        The repository with the ledger.
    folder : pathlib.Path
        Folder of the bundle.
    outside : bool
        Accept a pipeline's bundle although no ``dvc.lock`` here names it.

    Raises
    ------
    BundleError
        If it is incomplete, or cannot be opened.
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


def check_pushed(repository: Repository, lineage: Lineage, *, required: bool, shared: bool) -> str:
    """Return what other clones would lack of a bundle; empty if nothing.

    Parameters
    ----------
    repository : Repository
        The repository.
    lineage : Lineage
        Where the bundle comes from.
    required : bool
        Raise if the commit is not pushed, or DVC's remote does not have everything.
    shared : bool
        Whether the ledger is shared with other clones.

    Raises
    ------
    LedgerError
        If something is not pushed, or DVC cannot say, and `required` is set.

    """
    notes = [_unpushed_data(repository, lineage)]
    commit = lineage.commit if shared or required else None
    if commit is not None and not is_pushed(repository, commit):
        notes.append(f"the commit {commit[:12]} is not pushed: run git push")
    note = "; ".join(filter(None, notes))
    if required and note:
        raise LedgerError(note)
    return note if shared or required else ""


def _unpushed_data(repository: Repository, lineage: Lineage) -> str:
    """Return what DVC's remote lacks; empty if nothing."""
    if lineage.path is None or lineage.tracked is None:
        return "it is not tracked by DVC: only this clone has the bundle"
    if not has_dvc_remote(repository, lineage.path):
        return "DVC has no default remote here: only this clone has bundle and data"
    try:
        missing = unpushed(repository, lineage.path)
    except LedgerError as error:
        return str(error)
    shown = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
    return f"not pushed to DVC's remote: {shown}: run dvc push" if missing else ""


def check_clean(repository: Repository) -> None:
    """Refuse a work tree with changes or untracked files.

    Raises
    ------
    LedgerError
        If it is not clean; the message names the first files.

    """
    status = git(["status", "--porcelain", "--untracked-files=normal"], repository.top)
    lines = status.splitlines()
    if lines:
        shown = ", ".join(line[3:] for line in lines[:5])
        more = f" and {len(lines) - 5} more" if len(lines) > 5 else ""
        raise LedgerError(
            f"the work tree is not clean: {shown}{more}; a version records a commit: "
            "git add -A && git commit, or add the files to .gitignore"
        )


def directory_md5(folder: Path) -> str:
    """Return DVC's digest of a directory."""
    files = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    # as DVC writes a directory's listing; integrity rests on the sha256 of the manifest
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
                f"{folder} is the output of a pipeline, and no dvc.lock of {repository.top} names "
                "it; register it from its project, or without lineage with --outside"
            )
        return Lineage("declared" if manifest.hashes.declared else "unknown")
    dvc_file, md5 = dvc_entry
    repository.head()
    completed = run_git(["ls-files", "--error-unmatch", str(dvc_file)], repository.top)
    if completed.returncode:
        raise LedgerError(f"{dvc_file} is not in Git; run git add -A && git commit")
    check_clean(repository)
    actual_md5 = directory_md5(folder)
    if md5 != actual_md5:
        raise LedgerError(
            f"{dvc_file} names the bundle {md5}, and {folder} is {actual_md5}; run dvc repro, "
            "then git commit"
        )
    path = folder.relative_to(repository.top.resolve()).as_posix()
    if manifest.hashes.params is None:
        return Lineage("declared", repository.head(), path, md5)
    params = dvc_file.with_name("params.yaml")
    edited = params.is_file() and is_edited(params.parent, read_params(params))
    return Lineage("pipeline", repository.head(), path, md5, edited)


def _find_dvc_file(repository: Repository, folder: Path) -> tuple[Path, str] | None:
    """Return the DVC file that names a bundle, and the digest that it records."""
    top = repository.top.resolve()
    if not folder.is_relative_to(top):
        return None

    def read(path: str) -> bytes | None:
        return (top / path).read_bytes() if (top / path).is_file() else None

    named = find_named_digest(read, folder.relative_to(top).as_posix())
    return None if named is None else (top / named[0], named[1])


def find_named_digest(read: Callable[[str], bytes | None], path: str) -> tuple[str, str] | None:
    """Return the file of DVC that names a bundle, and the digest that it records.

    Parameters
    ----------
    read : callable
        Returns the content of a file of the repository by its path; None where there is none.
    path : str
        Path of the bundle from the top of the repository.

    Raises
    ------
    LedgerError
        If a file cannot be read.

    """
    bundle = PurePosixPath(path)
    raw = read(f"{path}.dvc")
    if raw is not None:
        outs = _load_yaml(raw, f"{path}.dvc").get("outs")
        return f"{path}.dvc", _output_md5(outs, bundle.name) or ""
    for parent in bundle.parents:
        lock = str(parent / "dvc.lock")
        raw = read(lock)
        stages = {} if raw is None else _load_yaml(raw, lock).get("stages")
        for stage in stages.values() if isinstance(stages, dict) else ():
            outs = stage.get("outs") if isinstance(stage, dict) else None
            if md5 := _output_md5(outs, str(bundle.relative_to(parent))):
                return lock, md5
    return None


def _output_md5(outs: object, path: str) -> str | None:
    outputs = (
        [output for output in outs if isinstance(output, dict)] if isinstance(outs, list) else []
    )
    digests = [output.get("md5") for output in outputs if output.get("path") == path]
    return str(digests[0]) if digests else None


def _load_yaml(raw: bytes, source: str) -> dict[str, Any]:
    # the parser in C: a lock file may have thousands of lines, and both parsers are safe
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        root = yaml.load(raw, Loader=loader)  # noqa: S506
        return root if isinstance(root, dict) else {}
    except (yaml.YAMLError, TypeError, ValueError, UnicodeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise LedgerError(f"{source} cannot be read: {reason}") from None
