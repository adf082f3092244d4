"""``POST /feedback``: what turned out to be true, by the answer's id or the caller's own key."""

from __future__ import annotations

from typing import Any

import msgspec

from lockgate.errors import LogError
from lockgate.prediction_log.ids import parse_receipt
from lockgate.prediction_log.labels import fitting_label
from lockgate.prediction_log.reader import find
from lockgate.serving.http.messages import HTTPError, Request, Response, json_reply, read_body
from lockgate.serving.prediction.model_store import ModelStore
from lockgate.serving.prediction.recorder import Recorder

__all__ = ["record_feedback"]

EXPECTED = 'expected {"id": ..., "label": ...} or {"key": ..., "label": ...}, or {"labels": [...]}'
MOST = 10_000
"""Most labels of a request."""

Plain = str | int | float | bool


class One(msgspec.Struct, forbid_unknown_fields=True):
    """One label."""

    label: Plain
    id: str | None = None
    key: str | int | float | None = None


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """One label, or several."""

    label: Plain | None = None
    id: str | None = None
    key: str | int | float | None = None
    labels: list[One] | None = None


decode = msgspec.json.Decoder(Body).decode


def record_feedback(recorder: Recorder | None, shelf: ModelStore, request: Request) -> Response:
    """Write labels; they are on disk when the reply leaves.

    Raises
    ------
    Refusal
        If the body makes no sense, an id is unknown, or there is no log.

    """
    if recorder is None:
        raise HTTPError(409, "this server keeps no prediction log: it was started with --log off")
    given = _read(request)
    if not 0 < len(given) <= MOST:
        raise HTTPError(422, f"{len(given)} labels came, expected 1 to {MOST}")
    rows = []
    problems = []
    books = _Books(recorder, shelf)
    for k, one in enumerate(given):
        try:
            rows.append((*books.row(one), request.who or "api"))
        except ValueError as error:
            problems.append(f"label {k}: {error}")
    if problems:
        raise HTTPError(422, "labels do not belong to answers of this log", problems[:20])
    try:
        taken = recorder.labels.label(rows)
    except LogError as error:
        raise HTTPError(503, str(error), headers={b"retry-after": b"5"}) from None
    recorder.counts.once("labels", taken)
    return json_reply({"taken": taken})


def _read(request: Request) -> list[One]:
    body = read_body(decode, request.body, EXPECTED)
    if body.labels is not None:
        return body.labels
    if body.label is None:
        raise HTTPError(400, f"no label came; {EXPECTED}")
    return [One(body.label, body.id, body.key)]


class _Books:
    """Looks up what labels are about; each request of the log is read once."""

    def __init__(self, recorder: Recorder, shelf: ModelStore) -> None:
        self.recorder, self.shelf = recorder, shelf
        self.found: dict[tuple[str, int], Any] = {}

    def row(self, one: One) -> tuple[str, int, int, Any, Any]:
        """Return writer, count, row, key and label; ValueError says what is wrong."""
        if (one.id is None) == (one.key is None):
            raise ValueError("expected an id or a key")
        if one.id is None:
            return "", 0, 0, one.key, self.label(one.label, None)
        writer, count, row = parse_receipt(one.id)
        found = self.answer(writer, count)
        if found is None and self.recorder.settings.durability != "sampled":
            raise ValueError(f"no answer {one.id!r} in the log")
        if found is not None and row >= max(found.entry.rows, 1):
            raise ValueError(f"no answer {one.id!r} in the log: the request had fewer rows")
        model = found.model.name if found is not None else None
        return writer, count, row, None, self.label(one.label, model)

    def answer(self, writer: str, count: int) -> Any:
        """Return the log's answer."""
        if (writer, count) not in self.found:
            try:
                self.found[writer, count] = find(self.recorder.folder, writer, count)
            except LogError as error:
                raise ValueError(str(error)) from None
        return self.found[writer, count]

    def label(self, label: Any, model: str | None) -> Any:
        """Return the label as the model knows it; by key, as any model that is served does."""
        tasks = [tuple(one.manifest.classes) for one in self.shelf.all if model in (None, one.name)]
        return fitting_label(label, tasks) if tasks else label
