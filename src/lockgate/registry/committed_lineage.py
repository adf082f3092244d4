"""Checks that the commit of a version names its bundle, as its registration claims."""

from __future__ import annotations

from pathlib import Path

from lockgate.errors import LedgerError
from lockgate.registry.bundle_source import directory_md5, find_named_digest
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
    commit = record.commit
    try:
        named = find_named_digest(
            lambda path: read_from_commit(repository, commit, path), record.path
        )
    except LedgerError as error:
        return f"commit {commit[:12]} cannot be read here: {error}"
    if named is None or named[1] != record.tracked:
        return f"the files of DVC in commit {commit[:12]} do not name its bundle"
    return ""
