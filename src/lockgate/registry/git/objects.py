"""Objects and references of a Git repository, through pygit2 or Git commands."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any, Protocol

from lockgate.errors import LedgerError, MissingExtra
from lockgate.registry.git.commands import git, run_git

__all__ = ["CommandStore", "LibraryStore", "RefChanged", "Store", "free_lock", "open_store"]

STALE_SECONDS = 1.0
"""Age from which the lock of a reference is taken for a killed process's: lockgate holds such
locks for milliseconds, and whoever checks holds the lock of the ledger."""


class RefChanged(LedgerError):
    """A reference does not have the expected value."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} was changed by another process; repeat the command")


class Store(Protocol):
    """Access to objects and references, as the ledger needs it."""

    def read(self, oid: str) -> tuple[str, bytes]:
        """Return an object's type and content."""

    def write(self, kind: str, content: bytes) -> str:
        """Store an object and return its id."""

    def ref(self, name: str) -> str | None:
        """Return the object id of a reference, None where it does not exist."""

    def compare_and_set(self, name: str, old: str | None, new: str | None) -> None:
        """Set a reference if its value is still `old`; `RefChanged` otherwise."""

    def list_refs(self, prefix: str) -> dict[str, str]:
        """Return the object ids of all references with a prefix."""


class LibraryStore:
    """Access through libgit2."""

    def __init__(self, folder: Path) -> None:
        import pygit2

        self.git2: Any = pygit2
        pygit2.settings.enable_fsync_gitdir(True)
        self.repo = pygit2.Repository(str(folder), pygit2.enums.RepositoryOpenFlag.NO_SEARCH)
        self.kinds = {
            "blob": pygit2.enums.ObjectType.BLOB,
            "tree": pygit2.enums.ObjectType.TREE,
            "commit": pygit2.enums.ObjectType.COMMIT,
            "tag": pygit2.enums.ObjectType.TAG,
        }
        self.names = {int(value): key for key, value in self.kinds.items()}

    def read(self, oid: str) -> tuple[str, bytes]:
        """Return an object's type and content."""
        try:
            kind, content = self.repo.read(oid)
        except (KeyError, ValueError, self.git2.GitError):
            raise _missing(oid) from None
        return self.names[int(kind)], content

    def write(self, kind: str, content: bytes) -> str:
        """Store an object and return its id."""
        try:
            return str(self.repo.write(self.kinds[kind], content))
        except (self.git2.GitError, OSError) as error:
            raise LedgerError(f"the repository cannot be written: {error}") from None

    def ref(self, name: str) -> str | None:
        """Return the object id of a reference, None where it does not exist."""
        reference = self._reference(name)
        try:
            return None if reference is None else str(reference.resolve().target)
        except (KeyError, self.git2.GitError):  # symbolic, and its target does not exist
            return None

    def compare_and_set(self, name: str, old: str | None, new: str | None) -> None:
        """Set a reference if its value is still `old`."""
        reference = self._reference(name)
        if (None if reference is None else str(reference.target)) != old:
            raise RefChanged(name)
        try:
            if reference is None and new is not None:
                self.repo.references.create(name, new)
            elif reference is not None and new is None:
                reference.delete()
            elif reference is not None and new is not None:
                reference.set_target(new)
        except (self.git2.AlreadyExistsError, ValueError):
            raise RefChanged(name) from None
        except (self.git2.GitError, KeyError, OSError) as error:
            if "failed to lock" not in str(error) and "modified" not in str(error):
                raise LedgerError(f"{name} cannot be written: {error}") from None
            raise RefChanged(name) from None

    def _reference(self, name: str) -> Any:
        try:
            return self.repo.references.get(name)
        except self.git2.GitError as error:
            raise LedgerError(
                f"the reference {name} is damaged ({error}); remove the file "
                f"{Path(self.repo.path) / name}, and fetch it again: lockgate sync"
            ) from None

    def list_refs(self, prefix: str) -> dict[str, str]:
        """Return the object ids of all references with a prefix."""
        names = [name for name in self.repo.listall_references() if name.startswith(prefix)]
        references = ((name, self.ref(name)) for name in names)
        return {name: oid for name, oid in references if oid is not None}


class CommandStore:
    """Access through Git commands, where libgit2 cannot open the repository (SHA-256, reftable)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.empty = "0" * len(git(["hash-object", "-t", "tree", "/dev/null"], folder))

    def read(self, oid: str) -> tuple[str, bytes]:
        """Return an object's type and content."""
        completed = run_git(["cat-file", "--batch"], self.folder, stdin=f"{oid}\n".encode())
        head, _, rest = completed.stdout.partition(b"\n")
        fields = head.split()
        if completed.returncode or len(fields) != 3:
            raise _missing(oid)
        return fields[1].decode(), rest[: int(fields[2])]

    def write(self, kind: str, content: bytes) -> str:
        """Store an object and return its id."""
        return git(["hash-object", "-w", "-t", kind, "--stdin"], self.folder, stdin=content)

    def ref(self, name: str) -> str | None:
        """Return the object id of a reference, None where it does not exist."""
        completed = run_git(["rev-parse", "--verify", "--quiet", name], self.folder)
        return completed.stdout.decode().strip() or None

    def compare_and_set(self, name: str, old: str | None, new: str | None) -> None:
        """Set a reference if its value is still `old`."""
        change = ["-d", name, old or ""] if new is None else [name, new, old or self.empty]
        completed = run_git(["update-ref", *change], self.folder)
        if completed.returncode:
            message = completed.stderr.decode("utf-8", "replace")
            if "cannot lock ref" in message or "reference already exists" in message:
                raise RefChanged(name)
            raise LedgerError(f"{name} cannot be written: {' '.join(message.split())[:300]}")

    def list_refs(self, prefix: str) -> dict[str, str]:
        """Return the object ids of all references with a prefix."""
        arguments = ["for-each-ref", "--format=%(objectname) %(refname)", prefix]
        pairs = (line.split(" ", 1) for line in git(arguments, self.folder).splitlines())
        return {name: oid for oid, name in pairs}


def open_store(folder: Path) -> Store:
    """Open the ``.git`` folder of a repository, or a bare one."""
    try:
        import pygit2
    except ModuleNotFoundError:
        raise MissingExtra("ledger", "keeping versions") from None
    try:
        return LibraryStore(folder)
    except pygit2.GitError:
        return CommandStore(folder)


def free_lock(folder: Path, name: str) -> bool:
    """Remove the lock that a killed process left on a reference; return whether there was one.

    Call it while holding the lock of the ledger: no other process of lockgate can be
    writing then.
    """
    lock = folder / f"{name}.lock"
    with contextlib.suppress(FileNotFoundError):
        modified = lock.stat().st_mtime
        if time.time() - modified > STALE_SECONDS:
            lock.unlink()
        else:
            time.sleep(0.05)  # its process finishes, or the lock becomes stale
        return True
    return False


def _missing(oid: str) -> LedgerError:
    return LedgerError(
        f"the object {oid} is missing from this repository, or damaged: the ledger is incomplete "
        "(a shallow or partial clone?); fetch all of it: git fetch --unshallow, or clone again"
    )
