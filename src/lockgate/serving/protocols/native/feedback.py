"""``POST /feedback``: true outcomes, by prediction id or by the caller's own key."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Sequence
from typing import Any

import msgspec

from lockgate.deployment.directory import Deployment
from lockgate.errors import LogError
from lockgate.prediction_log.entries import Model, key_text
from lockgate.prediction_log.ids import parse_prediction_id
from lockgate.prediction_log.labels import match_outcome
from lockgate.prediction_log.lookup import find_rows
from lockgate.serving.http.messages import HTTPError, Request, Response, json_response, read_body
from lockgate.serving.prediction.model_store import ModelStore
from lockgate.serving.prediction.recorder import Recorder
from lockgate.serving.protocols.json_rows import ABSENT, is_present
from lockgate.serving.protocols.json_slices import decode_slices

__all__ = ["record_feedback"]

EXPECTED = 'expected {"id": ..., "label": ...} or {"key": ..., "label": ...}, or {"labels": [...]}'
MAX_LABELS = 10_000
"""Labels that a request may hold."""

Label = str | int | float | bool | dict[str, Any]
"""A class, a value, or the value of each of several targets."""


class FeedbackLabel(msgspec.Struct, forbid_unknown_fields=True):
    """One label."""

    label: Label
    id: str | None = None
    key: str | int | float | None = None


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """One label, or several."""

    label: Label | None = None
    id: str | None = None
    key: str | int | float | None = None
    labels: msgspec.Raw = ABSENT


class RecordedLabel(msgspec.Struct, omit_defaults=True):
    """A label as it was recorded: a class or values, by the id or by the key's text."""

    label: Label
    id: str | None = None
    key: str | None = None
    model: str | None = None


decode = msgspec.json.Decoder(Body).decode
decode_labels = msgspec.json.Decoder(list[FeedbackLabel]).decode


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
    targets = _LabelTargets(recorder, store, labels)
    rows, recorded, problems = [], [], []
    for k, label in enumerate(labels):
        try:
            resolved = targets.resolve(label)
        except ValueError as error:
            problems.append(f"label {k}: {error}")
        else:
            if resolved is not None:
                row, record = resolved
                rows.append((*row, request.token_name or "api"))
                recorded.append(record)
    if problems:
        raise HTTPError(422, "no label was recorded: see problems", problems[:20])
    try:
        taken = recorder.label_writer.write_labels(rows)
    except LogError as error:
        raise HTTPError(503, str(error), headers={b"retry-after": b"5"}) from None
    recorder.metrics.increment("labels", taken)
    return json_response({"taken": taken, "labels": recorded})


def _read_labels(request: Request) -> list[FeedbackLabel]:
    body = read_body(decode, request.body, EXPECTED)
    if is_present(body.labels):
        labels = read_body(lambda _: _decode_labels(body.labels), request.body, EXPECTED)
        if not labels:
            raise HTTPError(422, f"expected 1 to {MAX_LABELS} labels, got 0 labels")
        return labels
    if body.label is None:
        raise HTTPError(400, f"missing label; {EXPECTED}")
    return [FeedbackLabel(body.label, body.id, body.key)]


def _decode_labels(content: msgspec.Raw) -> list[FeedbackLabel]:
    labels: list[FeedbackLabel] = []
    for part in decode_slices(content, decode_labels):
        labels += part
        if len(labels) > MAX_LABELS:
            raise HTTPError(422, f"expected 1 to {MAX_LABELS} labels, got more")
    return labels


LabelRow = tuple[str, int, int, Any, Any]
"""Writer, count and row of the prediction; the key; and the label."""


class _LabelTargets:
    """Looks up the predictions of labels, all of them at once."""

    def __init__(
        self, recorder: Recorder, store: ModelStore, labels: Sequence[FeedbackLabel]
    ) -> None:
        self.recorder, self.store = recorder, store
        self.manifest_of = functools.cache(Deployment(recorder.folder.parent).manifest)
        ids = []
        for label in labels:
            if label.id is not None and label.key is None:
                with contextlib.suppress(ValueError):  # reported where it is resolved
                    ids.append(parse_prediction_id(label.id)[:2])
        self.damaged: list[str] = []
        self.logged = find_rows(recorder.folder, ids, self.damaged.append)

    def resolve(self, feedback: FeedbackLabel) -> tuple[LabelRow, RecordedLabel] | None:
        """Return what is written and what the response says; ValueError if it does not fit.

        Where only a sample of the predictions is logged, labels of all others are left out: None.
        """
        if (feedback.id is None) == (feedback.key is None):
            raise ValueError("expected an id or a key")
        if feedback.id is None:
            label = self.check_label(feedback.label, None)
            row: LabelRow = ("", 0, 0, feedback.key, label)
            return row, RecordedLabel(label, key=key_text(feedback.key))
        writer, count, row_number = parse_prediction_id(feedback.id)
        logged = self.logged.get((writer, count))
        if logged is None:
            if self.recorder.settings.durability == "sampled":
                return None
            damaged = "".join(f"; {message}" for message in self.damaged[:1])
            raise ValueError(f"no prediction with id {feedback.id!r} in the log{damaged}")
        if logged.many and "." not in feedback.id:
            raise ValueError(
                f"{feedback.id} has {logged.rows} rows; expected the id of one of them, such as "
                f"{feedback.id}.0"
            )
        if row_number >= logged.rows:
            raise ValueError(
                f"no prediction with id {feedback.id!r} in the log: the request had fewer rows"
            )
        label = self.check_label(feedback.label, logged.model)
        address = f"{logged.model.name}@{logged.model.version}"
        record = RecordedLabel(label, id=feedback.id, model=address)
        return (writer, count, row_number, None, label), record

    def check_label(self, label: Any, model: Model | None) -> Any:
        """Return the label as the model that predicted knows it; for a key, as any served does."""
        manifests = [m.manifest for m in self.store.all if model is None or m.name == model.name]
        if model is not None and (predicted := self.manifest_of(model.digest)) is not None:
            manifests = [predicted]
        return match_outcome(label, manifests) if manifests else label
