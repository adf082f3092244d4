"""Looks up many predictions at once, without decoding what they hold."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from lockgate.prediction_log.entries import Model, read_models
from lockgate.prediction_log.reader import OnDamaged, read_segments
from lockgate.prediction_log.segments import Segment, list_segments

__all__ = ["LoggedRows", "count_matching_keys", "find_rows"]


class LoggedRows(NamedTuple):
    """A predict request in the log.

    Attributes
    ----------
    rows : int
        Number of its rows, at least 1.
    many : bool
        Whether it has several rows, so that an id must say which is meant.
    model : Model
        The model that predicted.

    """

    rows: int
    many: bool
    model: Model


class _EntryRows(msgspec.Struct, array_like=True):
    """The start of a `LogEntry`; what follows is not decoded."""

    count: int
    rows: int


class _EntryKey(msgspec.Struct, array_like=True):
    """The key of a `LogEntry`, and what precedes it as it is written."""

    count: int
    rows: int
    inputs: msgspec.Raw
    label: msgspec.Raw
    score: msgspec.Raw
    margin: msgspec.Raw
    key: Any = None


decode_rows = msgspec.msgpack.Decoder(list[_EntryRows]).decode
decode_keys = msgspec.msgpack.Decoder(list[_EntryKey]).decode


def find_rows(
    folder: Path, ids: Iterable[tuple[str, int]], on_damaged: OnDamaged | None = None
) -> dict[tuple[str, int], LoggedRows]:
    """Return those predictions that the log contains, each file being opened once.

    Parameters
    ----------
    folder : pathlib.Path
        The log.
    ids : iterable of (writer, count)
        Prediction ids.
    on_damaged : callable, optional
        Called with damaged files, which are left out; without it they raise an error.

    Raises
    ------
    LogError
        If a file is damaged, and `on_damaged` is not passed.

    """
    counts_by_writer: dict[str, set[int]] = {}
    for writer, count in ids:
        counts_by_writer.setdefault(writer, set()).add(count)
    logged_rows = {}
    for writer, counts in counts_by_writer.items():
        for segment, wanted in _by_segment(list(list_segments(folder, writer)), sorted(counts)):

            def read(_: Segment, connection: sqlite3.Connection, wanted: list[int] = wanted) -> Any:
                return _read_rows(connection, wanted)

            for count, logged in read_segments([segment], read, on_damaged):
                logged_rows[writer, count] = logged
    return logged_rows


def _by_segment(
    segments: list[Segment], counts: Sequence[int]
) -> Iterator[tuple[Segment, list[int]]]:
    """Yield the file that contains each count, which is the last that starts before it."""
    ordered = sorted(segments, key=lambda segment: segment.first)
    starts = [bisect_left(counts, segment.first) for segment in ordered] + [len(counts)]
    for segment, start, end in zip(ordered, starts, starts[1:], strict=False):
        if start < end:
            yield segment, list(counts[start:end])


def _read_rows(
    connection: sqlite3.Connection, counts: Sequence[int]
) -> Iterator[tuple[int, LoggedRows]]:
    models = read_models(connection)
    last, entries, model = -1, {}, None
    for count in counts:
        if count > last:  # a batch is decoded once for all of its predictions
            row = connection.execute(
                "SELECT last, model, content FROM batches WHERE first <= ? AND last >= ? "
                "ORDER BY first DESC LIMIT 1",
                (count, count),
            ).fetchone()
            if row is None:
                continue
            last, model = row[0], models[row[1]]
            entries = {entry.count: entry.rows for entry in decode_rows(row[2])}
        if count in entries and model is not None:
            rows = entries[count]
            yield count, LoggedRows(max(rows, 1), rows > 1, model)


def count_matching_keys(folder: Path, keys: set[str], on_damaged: OnDamaged | None = None) -> int:
    """Return how many of these keys a logged row has.

    Raises
    ------
    LogError
        If a file is damaged, and `on_damaged` is not passed.

    """

    def read(_: Segment, connection: sqlite3.Connection) -> Iterator[set[str]]:
        for (content,) in connection.execute("SELECT content FROM batches"):
            for entry in decode_keys(content):
                logged = entry.key if isinstance(entry.key, list) else [entry.key]
                yield keys.intersection(key for key in logged if key is not None)

    matching: set[str] = set()
    for part in read_segments(list_segments(folder), read, on_damaged):
        matching |= part
    return len(matching)
