"""Files of the prediction log: one folder for each writer, one SQLite file after the other in it.

::

    log/<writer>/<first id>.db

A writer is a worker's life; its name and a count make the ids that it gives.
So an id says which file to look into, nothing is ever written by two, and what
is too old goes by removing whole files.
"""

from __future__ import annotations

import fcntl
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lockgate.errors import LogError

__all__ = ["ALIVE", "SCHEMA", "Segment", "delete_old_segments", "segments"]

SCHEMA = """
PRAGMA user_version = 1;
CREATE TABLE models (
    number INTEGER PRIMARY KEY, digest TEXT, name TEXT, version TEXT, stage TEXT, columns TEXT
);
CREATE TABLE batches (
    first INTEGER PRIMARY KEY, last INTEGER, at INTEGER, model INTEGER, content BLOB
);
CREATE TABLE labels (
    writer TEXT, count INTEGER, row INTEGER, key TEXT, label TEXT, at INTEGER, by TEXT
);
CREATE INDEX labels_by_id ON labels (writer, count);
CREATE INDEX labels_by_key ON labels (key);
"""
"""Times are microseconds since 1970, UTC; columns, keys and labels are JSON."""


@dataclass(frozen=True)
class Segment:
    """One file.

    Attributes
    ----------
    path : pathlib.Path
        Where it lies.
    writer : str
        Whose it is.
    first : int
        Count of the first id that it may hold.

    """

    path: Path
    writer: str
    first: int

    @property
    def size(self) -> int:
        """Bytes on disk, with what SQLite keeps beside it."""
        beside = (self.path, *(self.path.with_name(self.path.name + end) for end in AFTER))
        return sum(one.stat().st_size for one in beside if one.exists())

    @property
    def changed(self) -> float:
        """When it was last written to, in seconds since 1970."""
        beside = (self.path, self.path.with_name(self.path.name + "-wal"))
        return max((one.stat().st_mtime for one in beside if one.exists()), default=0.0)

    def read(self) -> sqlite3.Connection:
        """Open it for reading, also while its writer goes on.

        Raises
        ------
        LogError
            If it cannot be read.

        """
        try:
            made = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)
            version = made.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.Error as error:
            raise LogError(f"{self.path} cannot be read: {error}") from None
        if version == 0:  # an empty file, e.g. of a full disk
            made.close()
            return _nothing()
        if version != 1:
            made.close()
            raise LogError(f"{self.path} has log schema {version}, this lockgate reads 1")
        return made

    def remove(self) -> None:
        """Delete it."""
        self.path.unlink(missing_ok=True)
        for end in AFTER:
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)


def _nothing() -> sqlite3.Connection:
    """Return a log that holds nothing."""
    made = sqlite3.connect(":memory:")
    made.executescript(SCHEMA)
    return made


ALIVE = ".alive"
"""File that a writer keeps locked while it lives."""

AFTER = ("-wal", "-shm")


def segments(folder: Path, writer: str = "*") -> Iterator[Segment]:
    """Yield the files of a log, each writer's in order."""
    for path in sorted(folder.glob(f"{writer}/*.db")):
        try:
            yield Segment(path, path.parent.name, int(path.stem, 16))
        except ValueError:
            continue  # not ours


def delete_old_segments(folder: Path, days: float, megabytes: int, now: float | None = None) -> int:
    """Delete what is older than `days`, and the oldest beyond `megabytes`; return how many files.

    The last file of a writer that lives is never deleted.
    """
    now = time.time() if now is None else now
    known = sorted(segments(folder), key=lambda one: one.changed)
    last = {one.writer: one.path for one in sorted(known, key=lambda one: one.first)}
    total = sum(one.size for one in known)
    removed = 0
    for one in known:
        old = now - one.changed > days * 86_400
        large = total > megabytes << 20
        in_use = last[one.writer] == one.path and _lives(one.path.parent)
        if (old or large) and not in_use:
            total -= one.size
            one.remove()
            removed += 1
    for place in folder.glob("*"):
        empty = place.is_dir() and {one.name for one in place.iterdir()} <= {ALIVE}
        if empty and now - place.stat().st_mtime > 60 and not _lives(place):
            (place / ALIVE).unlink(missing_ok=True)
            place.rmdir()
    return removed


def _lives(folder: Path) -> bool:
    """Whether the folder's writer still runs: then it holds the lock."""
    try:
        with (folder / ALIVE).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
