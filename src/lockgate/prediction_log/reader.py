"""Reads the prediction log: one prediction by its id, or all of them in order."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from lockgate.errors import LogError
from lockgate.prediction_log.entries import LogEntry, Model, key_text, read_models
from lockgate.prediction_log.segments import Segment, list_segments

__all__ = [
    "Label",
    "LabelIndex",
    "LoggedPrediction",
    "OnDamaged",
    "find_labels",
    "find_prediction",
    "list_models",
    "read_labels",
    "read_predictions",
    "read_segments",
]

T = TypeVar("T")

decode = msgspec.msgpack.Decoder(list[LogEntry]).decode


class LoggedPrediction(msgspec.Struct, frozen=True):
    """A predict request in the log.

    Attributes
    ----------
    writer : str
        Name of the worker that wrote it.
    at : int
        When it was written, in microseconds since 1970, UTC.
    model : Model
        The model that predicted.
    entry : LogEntry
        Its rows and predictions.

    """

    writer: str
    at: int
    model: Model
    entry: LogEntry

    @property
    def id(self) -> str:
        """The prediction id in the response."""
        return f"{self.writer}-{self.entry.count:x}"

    @property
    def time(self) -> datetime:
        """When it was written."""
        return datetime.fromtimestamp(self.at / 1e6, UTC)

    def rows(self) -> Iterator[tuple[dict[str, Any], Any, Any, Any]]:
        """Yield inputs, label, score and key of each row."""
        entry = self.entry
        names = self.model.columns
        if not entry.rows:
            yield dict(zip(names, entry.inputs, strict=True)), entry.label, entry.score, entry.key
            return
        keys = entry.key if isinstance(entry.key, list) else [entry.key] * entry.rows
        for row in range(entry.rows):
            inputs = {name: entry.inputs[i][row] for i, name in enumerate(names)}
            yield (
                inputs,
                entry.label[row],
                None if entry.score is None else entry.score[row],
                keys[row],
            )


class Label(msgspec.Struct, frozen=True):
    """A label that came after the prediction.

    Attributes
    ----------
    writer, count, row
        Prediction id; `writer` is empty if the label was given by key.
    key : str or None
        The client's key.
    label : object
        The true class or value.
    at : int
        When it was written, in microseconds since 1970, UTC.
    by : str
        User who sent it.

    """

    writer: str
    count: int
    row: int
    key: str | None
    label: Any
    at: int
    by: str


class LabelIndex:
    """Labels by id and by key, the latest of each; of several targets the latest of each target."""

    def __init__(self, known_labels: Iterator[Label]) -> None:
        self.by_id: dict[tuple[str, int, int], Label] = {}
        self.by_key: dict[str, Label] = {}
        for label in sorted(known_labels, key=lambda label: label.at):
            if label.writer:
                row = label.writer, label.count, label.row
                self.by_id[row] = _merge(self.by_id.get(row), label)
            elif label.key is not None:
                self.by_key[label.key] = _merge(self.by_key.get(label.key), label)

    def find(self, prediction: LoggedPrediction, row: int, key: object) -> Label | None:
        """Return the label of a row; one given by id takes precedence over one by key."""
        label = self.by_id.get((prediction.writer, prediction.entry.count, row))
        by_key = None if key is None else self.by_key.get(key_text(key))
        return by_key if label is None else _merge(by_key, label)


def _merge(before: Label | None, label: Label) -> Label:
    """Return a label with the values of targets that only the one before it has."""
    if before is None or not (isinstance(before.label, dict) and isinstance(label.label, dict)):
        return label
    return msgspec.structs.replace(label, label={**before.label, **label.label})


OnDamaged = Callable[[str], object]
"""Called with the name of a file that cannot be read and why; then it is left out."""


def find_prediction(
    folder: Path, writer: str, count: int, on_damaged: OnDamaged | None = None
) -> LoggedPrediction | None:
    """Return the prediction with this id, None if the log does not contain it.

    Raises
    ------
    LogError
        If a file is damaged, and `on_damaged` is not passed.

    """

    def read(_: Segment, connection: sqlite3.Connection) -> Iterator[LoggedPrediction]:
        row = connection.execute(
            "SELECT at, model, content FROM batches WHERE first <= ? AND last >= ? "
            "ORDER BY first DESC LIMIT 1",
            (count, count),
        ).fetchone()
        if row is not None:
            models = read_models(connection)
            for entry in decode(row[2]):
                if entry.count == count:
                    yield LoggedPrediction(writer, row[0], models[row[1]], entry)

    candidates = [segment for segment in list_segments(folder, writer) if segment.first <= count]
    return next(read_segments(reversed(candidates), read, on_damaged), None)


def read_predictions(
    folder: Path, since: int = 0, until: int = 1 << 62, on_damaged: OnDamaged | None = None
) -> Iterator[LoggedPrediction]:
    """Yield all predictions between two times, by writer, in the order of their ids.

    Raises
    ------
    LogError
        If a file is damaged, and `on_damaged` is not passed.

    """

    def read(segment: Segment, connection: sqlite3.Connection) -> Iterator[LoggedPrediction]:
        if segment.modified * 1e6 + 1e6 < since:
            return
        models = read_models(connection)
        rows = connection.execute(
            "SELECT at, model, content FROM batches WHERE at >= ? AND at < ? ORDER BY first",
            (since, until),
        )
        for at, number, content in rows:
            if number not in models:  # added by the writer since the models were read
                models = read_models(connection)
            for entry in decode(content):
                yield LoggedPrediction(segment.writer, at, models[number], entry)

    yield from read_segments(list_segments(folder), read, on_damaged)


def list_models(folder: Path, on_damaged: OnDamaged | None = None) -> list[Model]:
    """Return all models in the log, in the order of its files."""

    def read(_: Segment, connection: sqlite3.Connection) -> Iterator[Model]:
        yield from read_models(connection).values()

    return list(dict.fromkeys(read_segments(list_segments(folder), read, on_damaged)))


def read_labels(folder: Path, on_damaged: OnDamaged | None = None) -> Iterator[Label]:
    """Yield all labels, in no particular order."""
    yield from _query_labels(folder, "", (), on_damaged)


def find_labels(
    folder: Path,
    writer: str,
    count: int,
    key: object = None,
    on_damaged: OnDamaged | None = None,
) -> list[Label]:
    """Return the labels of one prediction, given by id or by key, the latest last."""
    by_id = "WHERE writer = ? AND count = ?"
    matching = list(_query_labels(folder, by_id, (writer, count), on_damaged))
    if key is not None:
        by_key = "WHERE writer = '' AND key = ?"
        matching += _query_labels(folder, by_key, (key_text(key),), on_damaged)
    return sorted(matching, key=lambda label: label.at)


def _query_labels(
    folder: Path, condition: str, values: tuple[Any, ...], on_damaged: OnDamaged | None
) -> Iterator[Label]:
    def read(_: Segment, connection: sqlite3.Connection) -> Iterator[Label]:
        query = f"SELECT writer, count, row, key, label, at, by FROM labels {condition}"  # noqa: S608  # the condition is a constant
        for writer, count, row, key, label, at, by in connection.execute(query, values):
            yield Label(writer, count, row, key, msgspec.json.decode(label), at, by)

    return read_segments(list_segments(folder), read, on_damaged)


def read_segments(
    segments: Iterable[Segment],
    read: Callable[[Segment, sqlite3.Connection], Iterator[T]],
    on_damaged: OnDamaged | None,
) -> Iterator[T]:
    """Yield what is read from each file; name those that are damaged."""
    for segment in segments:
        try:
            with contextlib.closing(segment.connect()) as connection:
                yield from read(segment, connection)
        except (LogError, OSError, sqlite3.Error, msgspec.DecodeError, KeyError) as error:
            if not segment.path.exists():
                continue  # deleted for its age in the meantime
            message = f"{segment.path} cannot be read: {error}"
            if on_damaged is None:
                raise LogError(message) from None
            on_damaged(message)
