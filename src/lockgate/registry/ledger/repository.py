"""A Git repository with a ledger: its folders, settings, user, objects and lock."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lockgate.data.io.identity import current_user
from lockgate.errors import LedgerError, LedgerTampered
from lockgate.registry.git.commands import git, run_git
from lockgate.registry.git.objects import RefChanged, Store, free_lock, open_store
from lockgate.registry.git.trees import Trees
from lockgate.registry.ledger.state import State
from lockgate.registry.provenance.commits import Commit, InvalidCommit, Person
from lockgate.registry.provenance.events import Event, InvalidEvent

__all__ = ["LEDGER", "ReadOnly", "Repository", "event_of"]

LEDGER = "refs/lockgate/ledger"
"""Reference to the last event that this clone knows."""

LOCK_SECONDS = 120.0


class ReadOnly(LedgerError):
    """The repository cannot be written here; it can be read."""


@dataclass(frozen=True)
class Repository:
    """A Git repository.

    Attributes
    ----------
    top : pathlib.Path
        The work tree, or the repository itself where it is bare.
    folder : pathlib.Path
        The ``.git`` folder that all of its work trees share.

    """

    top: Path
    folder: Path

    @classmethod
    def find(cls, start: Path) -> Repository:
        """Find the repository that a folder belongs to.

        Raises
        ------
        LedgerError
            If there is none, with Git's reason.

        """
        arguments = [
            "rev-parse",
            "--path-format=absolute",
            "--git-common-dir",
            "--is-bare-repository",
        ]
        completed = run_git(arguments, start)
        if completed.returncode:
            message = " ".join(completed.stderr.decode("utf-8", "replace").split())
            if "not a git repository" in message:
                raise LedgerError(
                    f"{start.absolute()} is not in a Git repository; create one: git init"
                )
            raise LedgerError(f"{start}: {message[:300]}")
        folder, bare = os.fsdecode(completed.stdout).splitlines()[:2]
        if bare == "true":
            return cls(Path(folder), Path(folder))
        return cls(Path(git(["rev-parse", "--show-toplevel"], start)), Path(folder))

    @functools.cached_property
    def store(self) -> Store:
        """Objects and references."""
        return open_store(self.folder)

    @functools.cached_property
    def trees(self) -> Trees:
        """Trees of files."""
        return Trees(self.store.read, self.store.write)

    @functools.cached_property
    def settings(self) -> dict[str, str]:
        """Git's configuration, with lower-case names; of several values the last."""
        raw = git(["config", "--list", "--null"], self.top)
        pairs = (entry.partition("\n") for entry in raw.split("\0") if entry)
        return {key: value for key, _, value in pairs}

    def project(self, path: str | None) -> Path:
        """Return the folder of the ``params.yaml`` that applies to a bundle, or the top."""
        start = self.top / (path or "bundle")
        projects = (parent for parent in start.parents if (parent / "params.yaml").is_file())
        project = next(projects, self.top)
        return project if project.is_relative_to(self.top) else self.top

    def head(self) -> str:
        """Return the commit that is checked out.

        Raises
        ------
        LedgerError
            If the repository has no commit yet.

        """
        completed = run_git(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], self.top)
        if completed.returncode:
            raise LedgerError(f"{self.top} has no commit yet; create one: git add -A && git commit")
        return completed.stdout.decode().strip()

    def person(self, date: int) -> Person:
        """Return the committer by Git's configuration, or else the user of this machine."""
        user, machine = current_user()
        name = os.environ.get("GIT_COMMITTER_NAME") or self.settings.get("user.name") or user
        email = (
            os.environ.get("GIT_COMMITTER_EMAIL")
            or self.settings.get("user.email")
            or f"{user}@{machine}"
        )
        name, email = (_clean_name(text) for text in (name, email))
        return Person(name or user, email, date)

    def commit(self, oid: str) -> Commit:
        """Read an event's commit.

        Raises
        ------
        LedgerTampered
            If the object is not the commit of an event.

        """
        kind, raw = self.store.read(oid)
        try:
            if kind != "commit":
                raise InvalidCommit(f"expected a commit, got a {kind}")
            return Commit.decode(raw)
        except InvalidCommit as error:
            raise LedgerTampered(f"the commit {oid[:12]} is not an event: {error}") from None

    def state(self, tip: str | None) -> State:
        """Return the state of the ledger at a commit."""
        return State(self.trees, None if tip is None else self.commit(tip).tree)

    def walk(self, tip: str | None, *, until: str | None = None) -> Iterator[tuple[str, Commit]]:
        """Yield commits from `tip` back to the first, or to `until`, which is left out."""
        while tip is not None and tip != until:
            commit = self.commit(tip)
            yield tip, commit
            tip = commit.parent

    def events(self, tip: str | None) -> Iterator[tuple[Event, Commit, str]]:
        """Yield all events with their commits, the newest first."""
        for oid, commit in self.walk(tip):
            yield event_of(commit, oid), commit, oid

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock with which one process of this clone at a time changes the ledger."""
        path = self.folder / "lockgate" / "lock"
        deadline = time.monotonic() + LOCK_SECONDS
        try:
            path.parent.mkdir(exist_ok=True)
            lock = path.open("w")
        except OSError as error:
            raise ReadOnly(f"{self.folder} cannot be written ({error.strerror})") from None
        with lock as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise LedgerError(
                            f"another command has held the lock {path} for {LOCK_SECONDS:g} s"
                        ) from None
                    time.sleep(0.002)  # writing takes some 10 ms; a blocking flock has no timeout
            yield

    def update_ref(self, name: str, old: str | None, new: str | None) -> None:
        """Compare and set a reference of the ledger, past the lock of a killed process.

        Raises
        ------
        RefChanged
            If another process changed it.

        """
        for _ in range(60):
            try:
                self.store.compare_and_set(name, old, new)
                return
            except RefChanged:
                if self.store.ref(name) != old:
                    raise
                free_lock(self.folder, name)  # it may be gone already
        raise LedgerError(
            f"{self.folder / name}.lock stays locked; find the process that holds it, or remove it"
        )


def _clean_name(text: str) -> str:
    """Return a name without the characters that a commit cannot hold."""
    plain = text.encode("utf-8", "replace").decode()
    return plain.translate(str.maketrans("", "", "<>\n\0")).strip()


def event_of(commit: Commit, oid: str) -> Event:
    """Read the event of a commit.

    Raises
    ------
    LedgerTampered
        If its message is not an event.

    """
    try:
        return Event.parse(commit.message)
    except InvalidEvent as error:
        raise LedgerTampered(f"the commit {oid[:12]} is not an event: {error}") from None
