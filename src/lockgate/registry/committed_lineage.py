"""Checks that the commit of a version names its bundle, as its registration claims."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from lockgate.errors import LedgerError
from lockgate.registry.bundle_source import directory_md5, output_md5
from lockgate.registry.ledger.repository import Repository
from lockgate.registry.ledger.state import VersionRecord
from lockgate.registry.ledger.trust import read_from_commit

__all__ = ["lineage_problem"]


def lineage_problem(repository: Repository, record: VersionRecord, folder: Path) -> str:
    """Return why a commit does not name a version's bundle; empty if it does, or need not.

    Parameters
    ----------
    repository : Repository
        The repository.
    record : VersionRecord
        The version.
    folder : pathlib.Path
        Its bundle.

    """
    if record.commit is None or record.path is None or record.tracked is None:
        return "" if record.lineage != "pipeline" else "its registration names no commit"
    if directory_md5(folder) != record.tracked:
        return "its bundle has another digest than its registration says"
    commit = record.commit[:12]
    try:
        named = _named_digests(repository, record.commit, record.path)
    except LedgerError as error:
        return f"commit {commit} cannot be read here: {error}"
    if record.tracked not in named:
        return f"the files of DVC in commit {commit} do not name its bundle"
    return ""


def _named_digests(repository: Repository, commit: str, path: str) -> set[str | None]:
    """Return the digests that a commit's ``dvc.lock`` and ``.dvc`` files name for a path."""
    bundle = PurePosixPath(path)
    file = _read(repository, commit, f"{path}.dvc")
    digests = {output_md5(file.get("outs"), bundle.name)}
    for parent in bundle.parents:
        stages = _read(repository, commit, str(parent / "dvc.lock")).get("stages")
        for stage in stages.values() if isinstance(stages, dict) else ():
            outs = stage.get("outs") if isinstance(stage, dict) else None
            digests.add(output_md5(outs, str(bundle.relative_to(parent))))
    return digests


def _read(repository: Repository, commit: str, path: str) -> dict[str, Any]:
    raw = read_from_commit(repository, commit, path)
    try:
        root = None if raw is None else yaml.safe_load(raw)
    except (yaml.YAMLError, ValueError, RecursionError):
        root = None
    return root if isinstance(root, dict) else {}
