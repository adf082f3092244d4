"""Writes the prediction log: what an answer was made of, before the answer leaves."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lockgate.errors import LogError
from lockgate.monitoring.entries import Entry, Model, key_text, models_of
from lockgate.monitoring.segments import SCHEMA

__all__ = ["LogWriter"]

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

    """

    def __init__(self, folder: Path, writer: str, *, full: bool = False) -> None:
        self.folder, self.writer, self.full = folder / writer, writer, full
        self.path: Path | None = None
        self._connection: sqlite3.Connection | None = None
        self._models: dict[Model, int] = {}
        self._written = 0
        self._retired: list[sqlite3.Connection] = []

    def write(self, batches: Iterable[tuple[Model, Sequence[Entry]]]) -> int:
        """Write batches and commit them together; return how many bytes of content there were.

        Raises
        ------
        LogError
            If they could not be written, all of them.

        """
        at = time.time_ns() // 1000
        size = 0
        try:
            connection = self._ready(batches)
            connection.execute("BEGIN")
            for model, entries in batches:
                content = _encoded(entries)
                size += len(content)
                number = self._models.get(model)
                if number is None:
                    number = self._introduce(connection, model)
                connection.execute(
                    "INSERT INTO batches VALUES (?, ?, ?, ?, ?)",
                    (entries[0].count, entries[-1].count, at, number, content),
                )
            connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
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
        at = time.time_ns() // 1000
        rows = [
            (writer, count, row, None if key is None else key_text(key), _json(label), at, by)
            for writer, count, row, key, label, by in labels
        ]
        try:
            connection = self._ready(())
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
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as one:
            one.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close the file."""
        self._retire()
        while self._retired:
            self._retired.pop().close()

    def _ready(self, batches: Iterable[Any]) -> sqlite3.Connection:
        """Return the open file; begin a new one where there is none, or it is full."""
        if self._connection is None or self._written > SEGMENT:
            first = next((entries[0].count for _, entries in batches), 0)
            if self._connection is None or first:
                self._begin(first)
        assert self._connection is not None
        return self._connection

    def _begin(self, first: int) -> None:
        self._retire()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / f"{first:012x}.db"
        beside = path.with_suffix(".new")
        beside.unlink(missing_ok=True)
        os.close(os.open(beside, os.O_CREAT | os.O_WRONLY, 0o600))
        with contextlib.closing(sqlite3.connect(beside, isolation_level=None)) as made:
            made.executescript(SCHEMA)
        beside.rename(path)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if self.full else 'NORMAL'}")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # `tidy` does it, beside the requests
        self.path, self._connection, self._models, self._written = path, connection, {}, 0

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


def _encoded(entries: Sequence[Entry]) -> bytes:
    try:
        return encode(entries)
    except (OverflowError, RecursionError):  # a whole number of more than 64 bits, deep nesting
        return encode([msgspec.structs.replace(one, inputs=_words(one.inputs)) for one in entries])


def _words(value: Any) -> Any:
    """Return lists as they are, and everything else as text."""
    return [_words(one) for one in value] if isinstance(value, list) else str(value)[:1000]


def _json(value: Any) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()
