"""Writes the prediction log, before the response is sent."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lockgate.errors import LogError
from lockgate.prediction_log.entries import LogEntry, Model, key_text, read_models
from lockgate.prediction_log.segments import ALIVE, SCHEMA, SQLITE_SUFFIXES

__all__ = ["LogWriter"]

CHECK_SECONDS = 1.0
"""Seconds between two checks whether the file still exists."""

MAX_AGE = 86_400.0
"""Age in seconds at which a new file is started, so that the old one can be deleted."""

SEGMENT = 64 << 20
"""Bytes of content after which a new file is started."""

encode = msgspec.msgpack.Encoder(enc_hook=str).encode


class LogWriter:
    """The only writer of a folder of the log.

    Parameters
    ----------
    folder : pathlib.Path
        The log; the writer creates a folder with its name in it.
    writer : str
        Name of the writer.
    full : bool
        Whether every commit is flushed to disk (fsync).
    clock : callable
        Nanoseconds since 1970, UTC; the time of batches and labels.
    monotonic : callable
        Seconds, never going back; for the age of a file.

    """

    def __init__(
        self,
        folder: Path,
        writer: str,
        *,
        full: bool = False,
        clock: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.writer, self.full = folder / writer, writer, full
        self._clock, self._monotonic = clock, monotonic
        self.path: Path | None = None
        self._connection: sqlite3.Connection | None = None
        self._models: dict[Model, int] = {}
        self._written = 0
        self._retired: list[sqlite3.Connection] = []
        self._next_check = self._segment_deadline = 0.0
        self._inode = 0
        self._lock_file: Any = None

    def write(self, batches: Sequence[tuple[Model, Sequence[LogEntry]]]) -> int:
        """Write batches in one transaction.

        Parameters
        ----------
        batches : sequence of (Model, sequence of LogEntry)
            Entries by model, each batch in the order of their counts.

        Returns
        -------
        int
            Bytes of content written.

        Raises
        ------
        LogError
            If writing failed; then no batch is written.

        """
        batches = [batch for batch in batches if batch[1]]
        if not batches:
            return 0
        timestamp = self._clock() // 1000
        size = 0
        try:
            encoded_batches = [
                (model, entries, _encode_entries(entries)) for model, entries in batches
            ]
            connection = self._open_connection(encoded_batches[0][1][0].count)
            single_statement = len(encoded_batches) == 1 and encoded_batches[0][0] in self._models
            if not single_statement:  # a single statement is a transaction by itself
                connection.execute("BEGIN")
            for model, entries, content in encoded_batches:
                size += len(content)
                number = self._models.get(model)
                if number is None:
                    number = self._insert_model(connection, model)
                connection.execute(
                    "INSERT INTO batches VALUES (?, ?, ?, ?, ?)",
                    (entries[0].count, entries[-1].count, timestamp, number, content),
                )
            if not single_statement:
                connection.execute("COMMIT")
        except Exception as error:  # of any kind: no transaction may stay open
            self._rollback()
            raise LogError(f"the prediction log cannot be written: {error}") from None
        self._written += size
        return size

    def write_labels(self, labels: Iterable[tuple[str, int, int, Any, Any, str]]) -> int:
        """Write labels in one transaction and return their number.

        Parameters
        ----------
        labels : iterable of tuple
            Writer, count and row of the prediction id, or the client's key; the label;
            and the user who sent it.

        Raises
        ------
        LogError
            If writing failed; then no label is written.

        """
        timestamp = self._clock() // 1000
        rows = [
            (
                writer,
                count,
                row,
                None if key is None else key_text(key),
                _to_json(label),
                timestamp,
                by,
            )
            for writer, count, row, key, label, by in labels
        ]
        try:
            connection = self._open_connection(0)
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO labels VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self._rollback()
            raise LogError(f"the labels cannot be written: {error}") from None
        return len(rows)

    def checkpoint(self) -> None:
        """Move committed data from the write-ahead log to the file; safe beside `write`."""
        while self._retired:
            self._retired.pop().close()
        path = self.path
        if path is None:
            return
        with contextlib.suppress(sqlite3.Error):
            # "rw": do not create the file again if it was deleted
            connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)
            with contextlib.closing(connection) as open_connection:
                open_connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close the file and release the lock."""
        self._retire()
        if self._lock_file is not None:
            self._lock_file.close()
        while self._retired:
            self._retired.pop().close()

    def _open_connection(self, first: int) -> sqlite3.Connection:
        """Return the connection; to a new file if the last is full, old or deleted."""
        now = self._monotonic()
        if now > self._next_check:
            self._next_check = now + CHECK_SECONDS
            if self._connection is not None and not self._is_same_file():
                self._retire()
        full = self._written > SEGMENT or now > self._segment_deadline
        if self._connection is None or full:
            self._start_segment(first)
        assert self._connection is not None
        return self._connection

    def _is_same_file(self) -> bool:
        """Whether the path is still the file that was opened."""
        try:
            return self.path is not None and self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def _start_segment(self, first: int) -> None:
        self._retire()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._lock_file is None or not (self.folder / ALIVE).exists():
            self._lock_file = os.fdopen(
                os.open(self.folder / ALIVE, os.O_CREAT | os.O_RDWR, 0o600), "w"
            )
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path = self._next_path(first)
        temporary_path = path.with_suffix(".new")
        for leftover in (
            temporary_path,
            *(temporary_path.with_name(temporary_path.name + suffix) for suffix in SQLITE_SUFFIXES),
        ):
            leftover.unlink(missing_ok=True)
        os.close(os.open(temporary_path, os.O_CREAT | os.O_WRONLY, 0o600))
        with contextlib.closing(
            sqlite3.connect(temporary_path, isolation_level=None)
        ) as new_connection:
            new_connection.executescript(SCHEMA)
            # before the rename: readers cannot open a file whose writer was killed
            # while switching the mode
            new_connection.execute("PRAGMA journal_mode = WAL")
        temporary_path.rename(path)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA synchronous = {'FULL' if self.full else 'NORMAL'}")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # done by `checkpoint`
        self.path, self._connection, self._models, self._written = path, connection, {}, 0
        self._inode, self._segment_deadline = path.stat().st_ino, self._monotonic() + MAX_AGE

    def _next_path(self, first: int) -> Path:
        """Return a path that sorts after the existing files."""
        used = [int(path.stem, 16) for path in self.folder.glob("*.db")]
        number = max([first, *(first_id + 1 for first_id in used if first_id >= first)])
        return self.folder / f"{number:012x}.db"

    def _insert_model(self, connection: sqlite3.Connection, model: Model) -> int:
        number = len(self._models) + 1
        columns = msgspec.json.encode(model.columns).decode()
        connection.execute(
            "INSERT INTO models VALUES (?, ?, ?, ?, ?, ?)",
            (number, model.digest, model.name, model.version, model.stage, columns),
        )
        self._models[model] = number
        return number

    def _rollback(self) -> None:
        """Roll back after a failure, and read again which models the file has."""
        connection = self._connection
        if connection is None:
            return
        self._models = {}
        with contextlib.suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._models = {model: number for number, model in read_models(connection).items()}

    def _retire(self) -> None:
        if self._connection is not None:
            self._retired.append(self._connection)
            self._connection = None


def _encode_entries(entries: Sequence[LogEntry]) -> bytes:
    try:
        return encode(entries)
    except (OverflowError, RecursionError):  # an integer of more than 64 bits, deep nesting
        return encode(
            [
                msgspec.structs.replace(
                    entry, inputs=_to_text(entry.inputs), key=_to_text(entry.key)
                )
                for entry in entries
            ]
        )


def _to_text(value: object) -> object:
    """Return a value as text, in lists element by element."""
    if isinstance(value, list):
        return [_to_text(element) for element in value]
    return None if value is None else str(value)[:1000]


def _to_json(value: object) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()
