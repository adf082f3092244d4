"""What the main branch says about the ledger: who may sign, and which event it vouches for."""

from __future__ import annotations

import msgspec

from lockgate.errors import LedgerError
from lockgate.registry.ledger.remote import TRUSTED
from lockgate.registry.ledger.repository import Repository
from lockgate.registry.provenance.signers import Signers

__all__ = ["ANCHOR", "SIGNERS", "Anchor", "read_anchor", "read_trusted_signers"]

SIGNERS = ".lockgate/allowed_signers"
ANCHOR = ".lockgate/anchor.json"
"""Files of the main branch: who may sign, and an event up to which all is well."""


class Anchor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event that somebody vouched for in the main branch.

    Attributes
    ----------
    seq : int
        Its number.
    commit : str
        Its commit.

    """

    seq: int
    commit: str


def read_trusted_signers(repository: Repository) -> Signers | None:
    """Read who may sign; None where nobody says so."""
    raw = _read_from_main(repository, SIGNERS)
    return None if raw is None else Signers.parse(raw.decode("utf-8", "replace"), SIGNERS)


def read_anchor(repository: Repository) -> Anchor | None:
    """Read which event the main branch vouches for."""
    raw = _read_from_main(repository, ANCHOR)
    try:
        return None if raw is None else msgspec.json.decode(raw, type=Anchor)
    except msgspec.DecodeError as error:
        raise LedgerError(f"{ANCHOR} of the main branch cannot be read: {error}") from None


def _read_from_main(repository: Repository, path: str) -> bytes | None:
    """Read a file of the branch whose word counts.

    `git config lockgate.main` names it; otherwise it is the remote's default
    branch as of the last fetch of the ledger, `main` or `master`, or where there
    is none of these, the one that is checked out.

    Raises
    ------
    LedgerError
        If the branch that was named is not there, or the file is no plain file.

    """
    commit = _main_commit(repository)
    if commit is None:
        return None
    _, raw = repository.store.read(commit)
    tree: str | None = raw.partition(b"\n")[0].removeprefix(b"tree ").decode()
    folder, _, name = path.rpartition("/")
    entry = repository.trees.entries(repository.trees.folder(tree, folder)).get(name)
    if entry is None:
        return None
    if entry.mode not in ("100644", "100755"):
        raise LedgerError(f"{path} of the main branch is no plain file")
    return repository.store.read(entry.oid)[1]


def _main_commit(repository: Repository) -> str | None:
    configured = repository.settings.get("lockgate.main")
    remote = repository.settings.get("lockgate.remote", "origin")
    names = [
        f"{TRUSTED}/{remote}",
        f"refs/remotes/{remote}/HEAD",
        f"refs/remotes/{remote}/main",
        f"refs/remotes/{remote}/master",
        "refs/heads/main",
        "refs/heads/master",
        "HEAD",
    ]
    if configured:
        short = configured.removeprefix("refs/heads/")
        names = [
            f"{TRUSTED}/{remote}",
            f"refs/remotes/{remote}/{short}",
            f"refs/heads/{short}",
            configured,
        ]
        names = [name for name in names if name.startswith("refs/")]
    commit = next((oid for name in names if (oid := repository.store.ref(name))), None)
    if configured and commit is None:
        raise LedgerError(f"lockgate.main is {configured!r}, and there is no such branch")
    return commit
