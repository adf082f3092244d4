"""``POST /feedback``: true outcomes, by prediction id or by the caller's own key."""

from __future__ import annotations

from typing import Any

import msgspec

from lockgate.errors import LogError
from lockgate.prediction_log.ids import parse_prediction_id
from lockgate.prediction_log.labels import match_label
from lockgate.prediction_log.reader import find_prediction
from lockgate.serving.http.messages import HTTPError, Request, Response, json_response, read_body
from lockgate.serving.prediction.model_store import ModelStore
from lockgate.serving.prediction.recorder import Recorder

__all__ = ["record_feedback"]

EXPECTED = 'expected {"id": ..., "label": ...} or {"key": ..., "label": ...}, or {"labels": [...]}'
MAX_LABELS = 10_000
"""Labels that a request may hold."""

Plain = str | int | float | bool


class FeedbackLabel(msgspec.Struct, forbid_unknown_fields=True):
    """One label."""

    label: Plain
    id: str | None = None
    key: str | int | float | None = None


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """One label, or several."""

    label: Plain | None = None
    id: str | None = None
    key: str | int | float | None = None
    labels: list[FeedbackLabel] | None = None


decode = msgspec.json.Decoder(Body).decode


def record_feedback(recorder: Recorder | None, store: ModelStore, request: Request) -> Response:
    """Write labels; they are on disk when the response is sent.

    Raises
    ------
    HTTPError
        If the body makes no sense, an id is unknown, or the server has no log.

    """
    if recorder is None:
        raise HTTPError(409, "this server keeps no prediction log: it was started with --log off")
    labels = _read_labels(request)
    if not 0 < len(labels) <= MAX_LABELS:
        raise HTTPError(422, f"expected 1 to {MAX_LABELS} labels, got {len(labels)}")
    rows = []
    problems = []
    targets = _LabelTargets(recorder, store)
    for k, label in enumerate(labels):
        try:
            rows.append((*targets.resolve(label), request.token_name or "api"))
        except ValueError as error:
            problems.append(f"label {k}: {error}")
    if problems:
        raise HTTPError(422, "labels do not belong to predictions of this log", problems[:20])
    try:
        taken = recorder.label_writer.write_labels(rows)
    except LogError as error:
        raise HTTPError(503, str(error), headers={b"retry-after": b"5"}) from None
    recorder.metrics.increment("labels", taken)
    return json_response({"taken": taken})


def _read_labels(request: Request) -> list[FeedbackLabel]:
    body = read_body(decode, request.body, EXPECTED)
    if body.labels is not None:
        return body.labels
    if body.label is None:
        raise HTTPError(400, f"missing label; {EXPECTED}")
    return [FeedbackLabel(body.label, body.id, body.key)]


class _LabelTargets:
    """Looks up the predictions of labels; each is read from the log once."""

    def __init__(self, recorder: Recorder, store: ModelStore) -> None:
        self.recorder, self.store = recorder, store
        self.predictions: dict[tuple[str, int], Any] = {}

    def resolve(self, feedback: FeedbackLabel) -> tuple[str, int, int, Any, Any]:
        """Return writer, count, row, key and label; ValueError if it does not fit."""
        if (feedback.id is None) == (feedback.key is None):
            raise ValueError("expected an id or a key")
        if feedback.id is None:
            return "", 0, 0, feedback.key, self.check_label(feedback.label, None)
        writer, count, row = parse_prediction_id(feedback.id)
        prediction = self.find_prediction(writer, count)
        if prediction is None and self.recorder.settings.durability != "sampled":
            raise ValueError(f"no prediction with id {feedback.id!r} in the log")
        if prediction is not None and row >= max(prediction.entry.rows, 1):
            raise ValueError(
                f"no prediction with id {feedback.id!r} in the log: the request had fewer rows"
            )
        model_name = prediction.model.name if prediction is not None else None
        return writer, count, row, None, self.check_label(feedback.label, model_name)

    def find_prediction(self, writer: str, count: int) -> Any:
        """Return the logged prediction."""
        if (writer, count) not in self.predictions:
            try:
                self.predictions[writer, count] = find_prediction(
                    self.recorder.folder, writer, count
                )
            except LogError as error:
                raise ValueError(str(error)) from None
        return self.predictions[writer, count]

    def check_label(self, label: Any, model_name: str | None) -> Any:
        """Return the label as the model knows it; for a key, as any served model does."""
        known_classes = [
            tuple(model.manifest.classes)
            for model in self.store.all
            if model_name in (None, model.name)
        ]
        return match_label(label, known_classes) if known_classes else label
