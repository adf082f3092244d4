"""Files of the prediction log: a folder for each writer, with a series of SQLite files.

::

    log/<writer>/<first id>.db

Every worker process is a writer; its ids consist of its name and a count. So an
id tells which file contains the prediction, no file has two writers, and old
predictions are deleted as whole files.
"""

from __future__ import annotations

import fcntl
import math
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lockgate.errors import LogError

__all__ = [
    "ALIVE",
    "SCHEMA",
    "Segment",
    "delete_old_segments",
    "list_segments",
]

STEADY_SECONDS = 3600.0
"""Time for which the clock must not have jumped before files are deleted for their age."""

MAJORITY_STEADY_SECONDS = 86_400.0
"""The same, where more than half of the log would be deleted."""

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
    """One file of the log.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    writer : str
        Name of its writer.
    first : int
        Count of the first id that it may contain.

    """

    path: Path
    writer: str
    first: int

    @property
    def size(self) -> int:
        """Bytes on disk, including the -wal and -shm files of SQLite."""
        paths = (
            self.path,
            *(self.path.with_name(self.path.name + suffix) for suffix in SQLITE_SUFFIXES),
        )
        return sum(path.stat().st_size for path in paths if path.exists())

    @property
    def modified(self) -> float:
        """Time of the last write, in seconds since 1970."""
        times = [self.path.stat().st_mtime] if self.path.exists() else []
        wal = self.path.with_name(self.path.name + "-wal")
        # readers of a closed file leave an empty -wal, whose time is that of the reading
        if wal.exists() and (wal_stat := wal.stat()).st_size:
            times.append(wal_stat.st_mtime)
        return max(times, default=0.0)

    def connect(self) -> sqlite3.Connection:
        """Open the file for reading, also while it is being written.

        Raises
        ------
        LogError
            If the file cannot be read.

        """
        try:
            connection = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.Error as error:
            raise LogError(str(error)) from None
        if version == 0:  # an empty file, e.g. of a full disk
            connection.close()
            return _open_empty()
        if version != 1:
            connection.close()
            raise LogError(f"it has log schema {version}, expected 1")
        return connection

    def remove(self) -> None:
        """Delete the file, and those of SQLite beside it."""
        self.path.unlink(missing_ok=True)
        for suffix in SQLITE_SUFFIXES:
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)


def _open_empty() -> sqlite3.Connection:
    """Return an empty log in memory."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA)
    return connection


ALIVE = ".alive"
"""File that is locked while its writer runs."""

SQLITE_SUFFIXES = ("-wal", "-shm")
"""Endings of the files that SQLite keeps beside a database."""


def list_segments(folder: Path, writer: str = "*") -> Iterator[Segment]:
    """Yield the files of a log, those of each writer in order."""
    for path in sorted(folder.glob(f"{writer}/*.db")):
        try:
            yield Segment(path, path.parent.name, int(path.stem, 16))
        except ValueError:
            continue  # not a file of the log


def delete_old_segments(
    folder: Path,
    days: float,
    megabytes: int,
    now: float | None = None,
    *,
    steady_seconds: float = math.inf,
) -> int:
    """Delete files older than `days`, and the oldest beyond `megabytes` in total.

    The last file of a running writer is never deleted. Age counts only if the clock has not
    jumped for an hour; if most of the log is old at once, for a day.

    Parameters
    ----------
    folder : pathlib.Path
        The log.
    days : float
        Age at which files are deleted.
    megabytes : int
        Total size beyond which the oldest are deleted.
    now : float, optional
        Seconds since 1970; by default the time.
    steady_seconds : float
        Time for which the clock has not jumped, see `ClockWatch`.

    Returns
    -------
    int
        Number of files deleted.

    """
    now = time.time() if now is None else now
    by_age = _list_deletable(folder)
    total = sum(segment.size for segment in list_segments(folder))
    old = [segment for segment in by_age if now - segment.modified > days * 86_400]
    majority = sum(segment.size for segment in old) > total / 2
    if steady_seconds < (MAJORITY_STEADY_SECONDS if majority else STEADY_SECONDS):
        old = []
    removed = 0
    for segment in by_age:
        if segment in old or total > megabytes << 20:
            total -= segment.size
            segment.remove()
            removed += 1
    _delete_empty_folders(folder, now)
    return removed


def _list_deletable(folder: Path) -> list[Segment]:
    """Return the files, oldest first, without the last of each running writer."""
    segments = list(list_segments(folder))
    last = {segment.writer: segment.path for segment in segments}
    in_use = {path for path in last.values() if _writer_alive(path.parent)}
    deletable = [segment for segment in segments if segment.path not in in_use]
    return sorted(deletable, key=lambda segment: segment.modified)


def _delete_empty_folders(folder: Path, now: float) -> None:
    """Delete the folders of writers that have ended and left no file."""
    for writer_folder in folder.glob("*"):
        empty = writer_folder.is_dir() and {path.name for path in writer_folder.iterdir()} <= {
            ALIVE
        }
        # a young folder may belong to a writer that has not locked it yet
        if empty and now - writer_folder.stat().st_mtime > 60 and not _writer_alive(writer_folder):
            (writer_folder / ALIVE).unlink(missing_ok=True)
            writer_folder.rmdir()


def _writer_alive(folder: Path) -> bool:
    """Whether the folder's writer is running, and so has locked its file."""
    try:
        with (folder / ALIVE).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
