"""What the main branch says about the ledger: allowed signers, the policy, and the anchor."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from lockgate.errors import LedgerError
from lockgate.registry.git.commands import git
from lockgate.registry.git.trees import EXECUTABLE, FILE, FOLDER
from lockgate.registry.ledger.policy_file import POLICY_FILE, PolicyFile, parse_policy
from lockgate.registry.ledger.remote import branch_name, main_setting, trusted_ref
from lockgate.registry.ledger.repository import Repository
from lockgate.registry.provenance.signers import Signers

__all__ = [
    "ANCHOR",
    "SIGNERS",
    "Anchor",
    "MainBranch",
    "anchored_after",
    "main_branch",
    "main_commit",
    "read_anchor",
    "read_from_commit",
    "read_from_main",
    "read_policy",
    "read_trusted_signers",
]

SIGNERS = ".lockgate/allowed_signers"
ANCHOR = ".lockgate/anchor.json"
"""Files of the main branch: the allowed signers, and the event up to which all is trusted."""


GATE_KEY = re.compile(r"(?m)^[\"']?gate[\"']?\s*:")
"""The key of a ``params.yaml`` that makes it a policy."""

ANCHOR_SECONDS = 7 * 24 * 3600
"""How long an anchor may take from when it is written until it is on the main branch."""


class Anchor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The event up to which the main branch trusts the ledger.

    Attributes
    ----------
    seq : int
        Number of the event.
    commit : str
        Commit of the event.

    """

    seq: int
    commit: str


class MainBranch(NamedTuple):
    """The branch whose files say who may do what.

    Attributes
    ----------
    label : str
        Which branch it is, and of which repository.
    commit : str
        Its last commit.

    """

    label: str
    commit: str


def read_trusted_signers(repository: Repository) -> Signers | None:
    """Read the allowed signers; None where none are configured."""
    raw = read_from_main(repository, SIGNERS)
    return None if raw is None else Signers.parse(raw.decode("utf-8", "replace"), SIGNERS)


def read_anchor(repository: Repository) -> Anchor | None:
    """Read the anchor; None where there is none."""
    return _parse_anchor(read_from_main(repository, ANCHOR))


def _parse_anchor(raw: bytes | None) -> Anchor | None:
    try:
        return None if raw is None else msgspec.json.decode(raw, type=Anchor)
    except msgspec.DecodeError as error:
        raise LedgerError(f"{ANCHOR} of the main branch cannot be read: {error}") from None


def anchored_after(repository: Repository) -> int:
    """Return a time after which events were written that the anchor does not cover.

    Returns
    -------
    int
        Seconds since 1970: when the main branch got the anchor, less `ANCHOR_SECONDS`; 0 without
        an anchor.

    """
    commit = main_commit(repository)
    if commit is None:
        return 0
    arguments = ["log", "--first-parent", "--format=%H %ct", commit, "--", ANCHOR]
    first = 0
    anchor = read_anchor(repository)
    for line in git(arguments, repository.top).splitlines():  # the newest first
        oid, date = line.split()
        if _parse_anchor(read_from_commit(repository, oid, ANCHOR)) != anchor:
            break
        first = int(date)  # the file may have been reformatted since
    return first - ANCHOR_SECONDS if first else 0


def read_policy(repository: Repository, commit: str | None = None) -> PolicyFile | None:
    """Read the policy of the main branch; None where it says nothing.

    Without a policy file, the gates of the topmost ``params.yaml``, or of the only one that has
    some, are the policy.

    Parameters
    ----------
    repository : Repository
        The repository.
    commit : str, optional
        A commit of the main branch; by default its last.

    Raises
    ------
    LedgerError
        If the file is not valid, or several ``params.yaml`` have gates.

    """
    commit = commit or main_commit(repository)
    if commit is None:
        return None
    if read_from_commit(repository, commit, POLICY_FILE.replace(".yaml", ".yml")) is not None:
        raise LedgerError(f"the main branch has policy.yml; the policy is read from {POLICY_FILE}")
    raw = read_from_commit(repository, commit, POLICY_FILE)
    if raw is not None:
        return parse_policy(raw.decode("utf-8", "replace"), POLICY_FILE)
    return _read_params(repository, commit)


def _read_params(repository: Repository, commit: str) -> PolicyFile | None:
    """Read the gates of a commit's ``params.yaml``; None if none has any."""

    def gates_of(path: str) -> PolicyFile | None:
        raw = read_from_commit(repository, commit, path) or b""
        text = raw.decode("utf-8", "replace")
        return parse_policy(text, path) if GATE_KEY.search(text) else None

    policy = gates_of("params.yaml")  # of the whole repository
    if policy is not None:
        return policy
    lines = git(["ls-tree", "-r", "-z", commit], repository.folder).split("\0")
    entries = (line.partition("\t") for line in lines if line.endswith("/params.yaml"))
    files = [path for details, _, path in entries if details.split()[0] in (FILE, EXECUTABLE)]
    below = {path: gates_of(path) for path in files}
    policies = {path: policy for path, policy in below.items() if policy is not None}
    if len(policies) > 1:
        paths = ", ".join(sorted(policies)[:5])
        raise LedgerError(
            f"several params.yaml of the main branch have gates: {paths}; which of them counts "
            "must not be up to whoever registers a version: commit "
            f"{POLICY_FILE} (`lockgate policy --write` makes it)"
        )
    return next(iter(policies.values()), None)


def read_from_main(repository: Repository, path: str) -> bytes | None:
    """Read a file of the main branch, as `read_from_commit` does."""
    commit = main_commit(repository)
    return None if commit is None else read_from_commit(repository, commit, path)


def main_branch(repository: Repository) -> MainBranch | None:
    """Return the main branch; None where there is none.

    `git config lockgate.main` names it; the default is the remote's default branch as of the last
    fetch of the ledger, else `main` or `master`, else the one that is checked out.

    Raises
    ------
    LedgerError
        If the configured branch does not exist.

    """
    configured = main_setting(repository)
    remote = repository.settings.get("lockgate.remote", "origin")
    candidates = {
        trusted_ref(remote, None): f"the default branch of {remote}",
        f"refs/remotes/{remote}/HEAD": f"the default branch of {remote}",
        f"refs/remotes/{remote}/main": f"main of {remote}",
        f"refs/remotes/{remote}/master": f"master of {remote}",
        "refs/heads/main": "main of this clone",
        "refs/heads/master": "master of this clone",
        "HEAD": "the branch that is checked out",
    }
    if configured:
        short = branch_name(configured)
        candidates = {
            trusted_ref(remote, short): f"{short} of {remote}",
            f"refs/remotes/{remote}/{short}": f"{short} of {remote}",
            f"refs/heads/{short}": f"{short} of this clone",
        }
    for ref, label in candidates.items():
        commit = repository.store.ref(ref)
        if commit is not None:
            return MainBranch(label, commit)
    if configured:
        raise LedgerError(f"lockgate.main is {configured!r}, which is not an existing branch")
    return None


def main_commit(repository: Repository) -> str | None:
    """Return the last commit of the main branch, as `main_branch` does."""
    branch = main_branch(repository)
    return None if branch is None else branch.commit


def read_from_commit(repository: Repository, commit: str, path: str) -> bytes | None:
    """Read a file of a commit; None where it does not have it.

    Raises
    ------
    LedgerError
        If the path is not a regular file.

    """
    kind, raw = repository.store.read(commit)
    if kind != "commit":
        raise LedgerError(f"the main branch is a {kind}, expected a commit")
    tree = raw.partition(b"\n")[0].removeprefix(b"tree ").decode()
    *folders, name = path.split("/")
    for folder in folders:
        entry = repository.trees.entries(tree).get(folder)
        if entry is None:
            return None
        if entry.mode != FOLDER:  # a link to somewhere else would switch the policy off
            raise LedgerError(f"{folder} of the main branch is not a folder; {path} is read there")
        tree = entry.oid
    entry = repository.trees.entries(tree).get(name)
    if entry is None:
        return None
    if entry.mode not in (FILE, EXECUTABLE):
        raise LedgerError(f"{path} of the main branch is not a regular file")
    return repository.store.read(entry.oid)[1]
