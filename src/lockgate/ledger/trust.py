"""What the main branch says about the ledger: who may sign, and which event it vouches for."""

from __future__ import annotations

import msgspec

from lockgate.errors import LedgerError
from lockgate.ledger.repository import Repository
from lockgate.proof.signers import Signers

__all__ = ["ANCHOR", "SIGNERS", "Anchor", "anchor_of", "signers_of"]

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


def signers_of(repository: Repository) -> Signers | None:
    """Read who may sign; None where nobody says so."""
    raw = _of_main(repository, SIGNERS)
    return None if raw is None else Signers.parse(raw.decode("utf-8", "replace"), SIGNERS)


def anchor_of(repository: Repository) -> Anchor | None:
    """Read which event the main branch vouches for."""
    raw = _of_main(repository, ANCHOR)
    try:
        return None if raw is None else msgspec.json.decode(raw, type=Anchor)
    except msgspec.DecodeError as error:
        raise LedgerError(f"{ANCHOR} of the main branch cannot be read: {error}") from None


def _of_main(repository: Repository, path: str) -> bytes | None:
    """Read a file of the branch whose word counts.

    `git config lockgate.main` names it; otherwise it is the remote's default
    branch, `main` or `master`.
    """
    said = repository.settings.get("lockgate.main")
    remote = repository.settings.get("lockgate.remote", "origin")
    names = [f"refs/remotes/{remote}/HEAD", "refs/heads/main", "refs/heads/master"]
    if said:
        names = [said, f"refs/heads/{said}", f"refs/remotes/{said}"]
    for name in names:
        commit = repository.store.ref(name) if name.startswith("refs/") else None
        if commit is not None:
            _, raw = repository.store.read(commit)
            tree = raw.partition(b"\n")[0].removeprefix(b"tree ").decode()
            return repository.trees.file(tree, path)
    if said:
        raise LedgerError(f"lockgate.main is {said!r}, and there is no such branch")
    return None
