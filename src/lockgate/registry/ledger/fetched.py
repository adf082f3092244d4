"""Checks what a fetch brought before this clone takes it for the ledger."""

from __future__ import annotations

from lockgate.errors import LedgerTampered
from lockgate.registry.ledger.reader import EventReader
from lockgate.registry.ledger.remote import BRANCH, Remote
from lockgate.registry.ledger.repository import Repository, event_of
from lockgate.registry.provenance.commits import Commit

__all__ = ["check_fetched"]


def check_fetched(remote: Remote, tip: str, tracked: str | None) -> None:
    """Check that a remote's ledger continues what this clone has checked before.

    Signatures are not checked here: an event that lacks one is part of the ledger, and `verify`
    and whoever deploys report it.

    Parameters
    ----------
    remote : Remote
        The remote.
    tip : str
        Commit that its branch points to.
    tracked : str or None
        Commit of its last event that was checked.

    Raises
    ------
    LedgerTampered
        If the ledger was rewritten, or a commit is not an event, or not what its event makes. The
        message names the commit, and says how the branch is repaired.

    """
    repository = remote.repository
    if tip == tracked:
        return
    chain = _new_commits(remote, tip, tracked)
    reader = EventReader(repository, len(tip))
    before = reader.state(None if tracked is None else repository.commit(tracked).tree)
    last_good = tracked
    for oid, commit in chain:
        try:
            event = event_of(commit, oid)
        except LedgerTampered as error:
            raise _invalid(remote, oid, last_good, str(error)) from None
        problems = reader.problems(event, commit, before)
        if problems:
            raise _invalid(remote, oid, last_good, f"{event.subject}: {problems[0]}")
        last_good, before = oid, reader.state(commit.tree)


def _new_commits(remote: Remote, tip: str, tracked: str | None) -> list[tuple[str, Commit]]:
    """Return the commits after the tracked one, oldest first."""
    repository = remote.repository
    chain: list[tuple[str, Commit]] = []
    oid: str | None = tip
    while oid is not None and oid != tracked:
        try:
            commit = repository.commit(oid)
        except LedgerTampered as error:  # e.g. a merge
            raise _invalid(remote, oid, tracked, str(error)) from None
        chain.append((oid, commit))
        oid = commit.parent
    if tracked is not None and oid is None:
        raise LedgerTampered(
            f"the ledger of {remote.name} was rewritten: it does not continue {tracked[:12]}, "
            f"which is kept here as {remote.tracking}; find out who rewrote it, and restore it: "
            f"git push --force {remote.name} {remote.tracking}:{BRANCH}"
        )
    return chain[::-1]


def _invalid(remote: Remote, oid: str, last_good: str | None, problem: str) -> LedgerTampered:
    author = _author(remote.repository, oid)
    repair = ""
    if last_good is not None:
        repair = (
            f"; whoever may force pushes to it takes it back: git push --force {remote.name} "
            f"{last_good[:12]}:{BRANCH}"
        )
    return LedgerTampered(
        f"{remote.name} has the commit {oid[:12]}{author} on {BRANCH}, which is not valid: "
        f"{problem}; this clone goes on with the events before it, and writes none until the "
        f"branch is repaired{repair}"
    )


def _author(repository: Repository, oid: str) -> str:
    """Return who wrote a commit, and its first line, as far as it can be read."""
    _, raw = repository.store.read(oid)
    head, _, message = raw.decode("utf-8", "replace").partition("\n\n")
    authors = [line for line in head.split("\n") if line.startswith("author ")]
    name = authors[0].removeprefix("author ").partition(" <")[0] if authors else "unknown"
    return f" ({message.partition(chr(10))[0][:60]!r} by {name[:60]})"
