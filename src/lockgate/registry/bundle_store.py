"""Files of registered bundles: kept beside the ledger, or fetched from DVC."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from lockgate.data.io.digests import sha256_bytes
from lockgate.data.io.dvc_settings import find_dvc_repository, read_dvc_setting
from lockgate.data.io.visible import visible
from lockgate.errors import BundleError, LedgerError
from lockgate.models.bundle.copy import copy_bundle, is_complete
from lockgate.models.bundle.manifest import MANIFEST
from lockgate.registry.ledger.repository import Repository
from lockgate.registry.ledger.state import VersionRecord

__all__ = ["bundle_at_commit", "bundle_of", "has_dvc_remote", "store_path", "unpushed"]

SECONDS = 1800.0


def store_path(repository: Repository, digest: str) -> Path:
    """Return the path where this clone keeps a bundle; it need not exist."""
    return repository.folder / "lockgate" / "bundles" / digest


def bundle_of(repository: Repository, record: VersionRecord) -> Path:
    """Return a folder with a version's bundle, every file checked against its digest.

    It is searched for in this clone's store, in the work tree, in DVC's cache and,
    through DVC, in its remotes. DVC may deliver other bytes than were stored without
    an error, so that everything from it is checked, too.

    Raises
    ------
    LedgerError
        If it is not found, or the files found are not those of the bundle.

    """
    target = store_path(repository, record.digest)
    if target.is_dir() and is_complete(target, record.digest):
        return target
    failure = ""
    if record.path is not None and is_complete(repository.top / record.path, record.digest):
        copy_bundle(repository.top / record.path, target, record.digest)
        return target
    if record.tracked is not None:
        try:
            return _fetch(repository, _tracked(record), record.digest)
        except LedgerError as error:
            failure = str(error)
    raise LedgerError(
        f"the bundle of {record.name}@{record.version} ({record.digest[:12]}) is not here: "
        f"{_reason(repository, record, failure)}"
    )


def bundle_at_commit(repository: Repository, path: str, md5: str, commit: str) -> Path:
    """Return a folder with the bundle that the files of DVC in a commit name.

    Parameters
    ----------
    repository : Repository
        The repository.
    path : str
        Path of the bundle from its top.
    md5 : str
        Digest of the directory, as DVC records it.
    commit : str
        The commit.

    Raises
    ------
    LedgerError
        If DVC has its files neither in the cache nor in a remote.

    """
    try:
        return _fetch(repository, TrackedBundle(path, md5, commit))
    except LedgerError as error:
        reason = _find_reason(str(error))
        raise LedgerError(f"the bundle of {commit[:12]} is not here: {reason}") from None


def _fetch(repository: Repository, tracked: TrackedBundle, digest: str | None = None) -> Path:
    """Fetch a bundle into this clone's store; the digest is what it is checked against."""
    failure = ""
    with tempfile.TemporaryDirectory(prefix="lockgate-") as scratch:
        folder = Path(scratch) / "bundle"
        for fetch in (_copy_from_cache, _get_from_remote):
            try:
                fetch(repository, tracked, folder)
                expected = digest or sha256_bytes((folder / MANIFEST).read_bytes())
                target = store_path(repository, expected)
                if not is_complete(target, expected):
                    copy_bundle(folder, target, expected)
                return target
            except (BundleError, LedgerError, OSError) as error:
                failure = str(error)
            except (ValueError, KeyError, TypeError, subprocess.TimeoutExpired) as error:
                failure = f"DVC's list of files is not valid: {error}"
    raise LedgerError(failure)


class TrackedBundle(NamedTuple):
    """A bundle that DVC tracks.

    Attributes
    ----------
    path : str
        Its path from the top of the repository.
    md5 : str
        Digest of its directory, as DVC records it.
    commit : str
        A commit whose files of DVC name it.

    """

    path: str
    md5: str
    commit: str


def _tracked(record: VersionRecord) -> TrackedBundle:
    return TrackedBundle(str(record.path), str(record.tracked), str(record.commit))


REASONS = (
    (
        r"no remote|remote .* doesn.t exist|no default remote",
        "DVC knows no remote to get it from; add the one that it was pushed to: dvc remote add",
    ),
    (
        r"timed? ?out|connection|unreachable|resolve host|credentials|denied|forbidden|401|403",
        "DVC cannot reach its remote",
    ),
    (
        r"missing|not exist|no such file|404|not found|unable to find",
        "DVC's remote does not have it; run dvc push where it was registered, then try again",
    ),
)
"""What DVC prints where it cannot get a bundle, and what that means."""


def _reason(repository: Repository, record: VersionRecord, failure: str) -> str:
    """Return why a bundle cannot be had, and what to do."""
    if record.tracked is None:
        return (
            "it was registered without DVC, so only the clone that registered it has it; copy its "
            "folder here, and register it again: its digest is recognized"
        )
    if record.commit is not None and not _has_commit(repository, record.commit):
        return f"its commit {record.commit[:12]} is not in this clone; run git fetch"
    return _find_reason(failure)


def _find_reason(failure: str) -> str:
    """Return what a failure of DVC means, and its own message."""
    known = (text for pattern, text in REASONS if re.search(pattern, failure, re.IGNORECASE))
    return f"{next(known, 'DVC cannot get it')} (DVC: {visible(failure, limit=300)})"


def _has_commit(repository: Repository, commit: str) -> bool:
    try:
        repository.store.read(commit)
    except LedgerError:
        return False
    return True


def unpushed(repository: Repository, path: str) -> list[str]:
    """Return what DVC's remote does not have of the project that a bundle's path belongs to.

    Raises
    ------
    LedgerError
        If DVC cannot say, e.g. because it knows no remote.

    """
    project = _dvc_project(repository, path)
    argv = [sys.executable, "-P", "-m", "dvc", "status", "--cloud", "--json"]
    try:
        completed = subprocess.run(
            argv, cwd=project, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        answer = json.loads(completed.stdout) if completed.returncode == 0 else None
    except (ValueError, subprocess.TimeoutExpired) as error:
        raise LedgerError(f"DVC does not say what is pushed: {error}") from None
    if not isinstance(answer, dict):
        message = " ".join((completed.stderr or completed.stdout).split())
        raise LedgerError(f"DVC does not say what is pushed: {visible(message, limit=300)}")
    return sorted(str(path) for path, state in answer.items() if state != "deleted")


def has_dvc_remote(repository: Repository, path: str) -> bool:
    """Whether the DVC project that a path belongs to names a remote to use by default."""
    try:
        project = _dvc_project(repository, path)
    except LedgerError:
        return False
    return read_dvc_setting(project, "core", "remote") is not None


def _copy_from_cache(repository: Repository, tracked: TrackedBundle, folder: Path) -> None:
    """Copy a directory out of DVC's local cache, without starting DVC."""
    cache = _cache_folder(repository, tracked) / "files" / "md5"
    entries = json.loads(_cache_path(cache, tracked.md5).read_bytes())
    for entry in entries:
        # a cache is untrusted input: no path may leave the folder
        path, md5 = str(entry["relpath"]), str(entry["md5"])
        if (
            path.startswith("/")
            or ".." in Path(path).parts
            or not re.fullmatch("[0-9a-f]{32}", md5)
        ):
            raise LedgerError(f"DVC's cache lists a file outside the bundle: {path[:80]!r}")
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_cache_path(cache, md5).read_bytes())
    if not (folder / MANIFEST).is_file():
        raise LedgerError("DVC's cache does not have the bundle")


def _cache_folder(repository: Repository, tracked: TrackedBundle) -> Path:
    project = _dvc_project(repository, tracked.path)
    setting = read_dvc_setting(project, "cache", "dir")
    if setting is None:
        return project / ".dvc" / "cache"
    folder, file = setting
    return (file.parent / folder).resolve()


def _cache_path(cache: Path, md5: str) -> Path:
    return cache / md5[:2] / md5[2:]


def _dvc_project(repository: Repository, path: str) -> Path:
    """Return the DVC project that a bundle's path belongs to."""
    start = repository.top / path
    project = find_dvc_repository(start.parent)
    if project is None or not project.is_relative_to(repository.top):
        raise LedgerError(f"{repository.top} is not a DVC project")
    return project


def _get_from_remote(repository: Repository, tracked: TrackedBundle, folder: Path) -> None:
    """Let DVC get the bundle, as of a commit that names it."""
    project = _dvc_project(repository, tracked.path)
    path = (repository.top / tracked.path).relative_to(project).as_posix()
    argv = [sys.executable, "-P", "-m", "dvc", "get", str(project), path]
    completed = subprocess.run(
        [*argv, "--rev", tracked.commit, "-o", str(folder), "--quiet"],
        cwd=folder.parent,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if completed.returncode:
        raise LedgerError(" ".join((completed.stderr or completed.stdout).split())[-300:])
