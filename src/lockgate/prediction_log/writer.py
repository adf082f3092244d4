"""Writes the prediction log: what an answer was made of, before the answer leaves."""

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
from lockgate.prediction_log.entries import LogEntry, Model, key_text, models_of
from lockgate.prediction_log.segments import AFTER, ALIVE, SCHEMA

__all__ = ["LogWriter"]

LOOK = 1.0
"""Seconds between two looks whether the file is still there."""

AGE = 86_400.0
"""Seconds after which a new file begins, so that retention can remove the old one."""

SEGMENT = 64 << 20
"""Bytes of content after which a new file begins."""


encode = msgspec.msgpack.Encoder(enc_hook=str).encode


class LogWriter:
    """The one writer of a folder of the log.

    Parameters
    ----------
    folder : pathlib.Path
        The log; the writer makes a folder of its name in it.
    writer : str
        Its name.
    full : bool
        Whether every commit is flushed to disk.
    clock : callable
        Nanoseconds since 1970, UTC: when a batch or a label was written.
    monotonic : callable
        Seconds that never go back: the age of a file.

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
        self._look = self._until = 0.0
        self._inode = 0
        self._alive: Any = None

    def write(self, batches: Sequence[tuple[Model, Sequence[LogEntry]]]) -> int:
        """Write batches and commit them together; return how many bytes of content there were.

        Raises
        ------
        LogError
            If they could not be written, all of them.

        """
        at = self._clock() // 1000
        size = 0
        try:
            packed = [(model, entries, _encoded(entries)) for model, entries in batches]
            connection = self._ready(packed[0][1][0].count)
            alone = len(packed) == 1 and packed[0][0] in self._models
            if not alone:  # a single statement is a transaction by itself
                connection.execute("BEGIN")
            for model, entries, content in packed:
                size += len(content)
                number = self._models.get(model)
                if number is None:
                    number = self._introduce(connection, model)
                connection.execute(
                    "INSERT INTO batches VALUES (?, ?, ?, ?, ?)",
                    (entries[0].count, entries[-1].count, at, number, content),
                )
            if not alone:
                connection.execute("COMMIT")
        except Exception as error:  # whatever it is, no transaction is left open
            self._undo()
            raise LogError(f"the prediction log cannot be written: {error}") from None
        self._written += size
        return size

    def label(self, labels: Iterable[tuple[str, int, int, Any, Any, str]]) -> int:
        """Write labels, given as writer, count, row, key, label, and who says so.

        Raises
        ------
        LogError
            If they could not be written, all of them.

        """
        at = self._clock() // 1000
        rows = [
            (writer, count, row, None if key is None else key_text(key), _json(label), at, by)
            for writer, count, row, key, label, by in labels
        ]
        try:
            connection = self._ready(0)
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO labels VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self._undo()
            raise LogError(f"the labels cannot be written: {error}") from None
        return len(rows)

    def tidy(self) -> None:
        """Move what was committed out of the write-ahead log; from another thread than `write`."""
        while self._retired:
            self._retired.pop().close()
        path = self.path
        if path is None:
            return
        with contextlib.suppress(sqlite3.Error):
            # "rw": a file that somebody deleted is not made again
            made = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)
            with contextlib.closing(made) as one:
                one.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close the file."""
        self._retire()
        if self._alive is not None:
            self._alive.close()
        while self._retired:
            self._retired.pop().close()

    def _ready(self, first: int) -> sqlite3.Connection:
        """Return the open file; begin a new one where there is none, or it is full, old or gone."""
        now = self._monotonic()
        if now > self._look:
            self._look = now + LOOK
            if self._connection is not None and not self._is_there():
                self._retire()
        full = self._written > SEGMENT or now > self._until
        if self._connection is None or full:
            self._begin(first)
        assert self._connection is not None
        return self._connection

    def _is_there(self) -> bool:
        """Whether the file is still the one that was opened."""
        try:
            return self.path is not None and self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def _begin(self, first: int) -> None:
        self._retire()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._alive is None or not (self.folder / ALIVE).exists():
            self._alive = os.fdopen(
                os.open(self.folder / ALIVE, os.O_CREAT | os.O_RDWR, 0o600), "w"
            )
            fcntl.flock(self._alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path = self._free(first)
        beside = path.with_suffix(".new")
        for left in (beside, *(beside.with_name(beside.name + end) for end in AFTER)):
            left.unlink(missing_ok=True)
        os.close(os.open(beside, os.O_CREAT | os.O_WRONLY, 0o600))
        with contextlib.closing(sqlite3.connect(beside, isolation_level=None)) as made:
            made.executescript(SCHEMA)
            made.execute("PRAGMA journal_mode = WAL")  # before it has its name: readers never see
            # a file that was killed between the two modes, which only a writer can mend
        beside.rename(path)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA synchronous = {'FULL' if self.full else 'NORMAL'}")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # `tidy` does it, beside the requests
        self.path, self._connection, self._models, self._written = path, connection, {}, 0
        self._inode, self._until = path.stat().st_ino, self._monotonic() + AGE

    def _free(self, first: int) -> Path:
        """Return a name that sorts behind those that are there."""
        known = [int(one.stem, 16) for one in self.folder.glob("*.db")]
        return self.folder / f"{max([first, *(one + 1 for one in known if one >= first)]):012x}.db"

    def _introduce(self, connection: sqlite3.Connection, model: Model) -> int:
        number = len(self._models) + 1
        columns = msgspec.json.encode(model.columns).decode()
        connection.execute(
            "INSERT INTO models VALUES (?, ?, ?, ?, ?, ?)",
            (number, model.digest, model.name, model.version, model.stage, columns),
        )
        self._models[model] = number
        return number

    def _undo(self) -> None:
        """Leave nothing open behind a failure; a file that cannot be used is begun anew."""
        connection = self._connection
        if connection is None:
            return
        self._models = {}
        with contextlib.suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._models = {one: number for number, one in models_of(connection).items()}

    def _retire(self) -> None:
        if self._connection is not None:
            self._retired.append(self._connection)
            self._connection = None


def _encoded(entries: Sequence[LogEntry]) -> bytes:
    try:
        return encode(entries)
    except (OverflowError, RecursionError):  # a whole number of more than 64 bits, deep nesting
        return encode(
            [
                msgspec.structs.replace(one, inputs=_words(one.inputs), key=_words(one.key))
                for one in entries
            ]
        )


def _words(value: Any) -> Any:
    """Return lists as they are, and everything else as text."""
    if isinstance(value, list):
        return [_words(one) for one in value]
    return None if value is None else str(value)[:1000]


def _json(value: Any) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()
