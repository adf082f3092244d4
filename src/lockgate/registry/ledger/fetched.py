"""Checks what a fetch brought before this clone takes it for the ledger."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence

from lockgate.errors import LedgerTampered
from lockgate.registry.ledger.dates import too_far_ahead
from lockgate.registry.ledger.gto_tags import GtoTags
from lockgate.registry.ledger.queued import Queued
from lockgate.registry.ledger.reader import EventReader
from lockgate.registry.ledger.remote import BRANCH, Remote
from lockgate.registry.ledger.repository import Repository, event_of
from lockgate.registry.provenance.commits import Commit

__all__ = ["LedgerRewritten", "check_fetched"]


class LedgerRewritten(LedgerTampered):
    """The shared ledger lacks events that this clone has.

    Parameters
    ----------
    message : str
        What is missing, and how to go on.
    removed : sequence
        The commits that are missing with their ids, oldest first.

    """

    def __init__(self, message: str, removed: Queued) -> None:
        super().__init__(message)
        self.removed = removed


def check_fetched(remote: Remote, tip: str, tracked: str | None, *, now: float) -> None:
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
    now : float
        Current time in seconds since 1970.

    Raises
    ------
    LedgerRewritten
        If it lacks events that this clone has.
    LedgerTampered
        If a commit is not an event, not what its event makes, or dated
        too far ahead. The message names the commit, and says how the branch is repaired.

    """
    repository = remote.repository
    if tip == tracked:
        return
    chain = _new_commits(remote, tip, tracked)
    reader = EventReader(repository, len(tip))
    before = reader.state(None if tracked is None else repository.commit(tracked).tree)
    last_good = tracked
    for index, (oid, commit) in enumerate(chain):
        try:
            event = event_of(commit, oid)
        except LedgerTampered as error:
            raise _invalid(remote, chain[index:], last_good, str(error)) from None
        ahead = too_far_ahead(commit.person.date, now)
        problems = reader.problems(event, commit, before) if ahead is None else [ahead]
        if problems:
            raise _invalid(remote, chain[index:], last_good, f"{event.subject}: {problems[0]}")
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
            raise _invalid(remote, [(oid, None)], tracked, str(error)) from None
        chain.append((oid, commit))
        oid = commit.parent
    if tracked is not None and oid is None:
        raise _rewritten(remote, [oid for oid, _ in chain], tracked)
    return chain[::-1]


def _rewritten(remote: Remote, commits: Sequence[str], tracked: str) -> LedgerRewritten:
    """Return an error that names the events that are missing and new, and how to go on.

    `commits` are those of the remote, newest first.
    """
    present = set(commits)
    repository = remote.repository
    walk = repository.walk(tracked)
    removed = list(itertools.takewhile(lambda entry: entry[0] not in present, walk))[::-1]
    first = event_of(removed[0][1], removed[0][0])
    base = removed[0][1].parent
    others = len(list(itertools.takewhile(lambda oid: oid != base, commits)))
    instead = f", and has {others} others instead" if others else ""
    lease = f"--force-with-lease={BRANCH}:{commits[0][:12]}"
    return LedgerRewritten(
        f"the ledger of {remote.name} was rewritten: it does not continue {tracked[:12]}, which is "
        f"kept here as {remote.tracking}; it lacks {len(removed)} events, from event {first.seq} "
        f"({first.subject}) on{instead}; find out who rewrote it, and why; if those were taken "
        "back on purpose, accept that in this clone: lockgate sync --accept; to restore them"
        f"{', which removes the others' * bool(others)}: git push {lease} {remote.name} "
        f"{remote.tracking}:{BRANCH}",
        removed,
    )


def _invalid(
    remote: Remote,
    wrong: Sequence[tuple[str, Commit | None]],
    last_good: str | None,
    problem: str,
) -> LedgerTampered:
    """Return an error that names the first wrong commit, and the command that takes all back."""
    oid = wrong[0][0]
    author = _author(remote.repository, oid)
    repair = ""
    if last_good is not None:
        tags = " ".join(f":{tag}" for tag in _tags(remote.repository, wrong))
        repair = (
            f"; whoever may force pushes to it takes it back: git push --force {remote.name} "
            f"{last_good[:12]}:{BRANCH} {tags}".rstrip()
        )
    return LedgerTampered(
        f"{remote.name} has the commit {oid[:12]}{author} on {BRANCH}, which is not valid: "
        f"{problem}; this clone goes on with the events before it, and writes none until the "
        f"branch is repaired{repair}"
    )


def _tags(repository: Repository, wrong: Sequence[tuple[str, Commit | None]]) -> list[str]:
    """Return the tags for GTO that belong to wrong events."""
    names: list[str] = []
    for oid, commit in wrong:
        if commit is not None:
            with contextlib.suppress(LedgerTampered):  # not an event
                tags = GtoTags(repository).tags(event_of(commit, oid), commit)
                names += [name for name, target in tags.items() if target is not None]
    return names


def _author(repository: Repository, oid: str) -> str:
    """Return who wrote a commit, and its first line, as far as it can be read."""
    _, raw = repository.store.read(oid)
    head, _, message = raw.decode("utf-8", "replace").partition("\n\n")
    authors = [line for line in head.split("\n") if line.startswith("author ")]
    name = authors[0].removeprefix("author ").partition(" <")[0] if authors else "unknown"
    return f" ({message.partition(chr(10))[0][:60]!r} by {name[:60]})"
