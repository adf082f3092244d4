"""``POST /feedback``: what turned out to be true, by the answer's id or the caller's own key."""

from __future__ import annotations

from typing import Any

import msgspec

from lockgate.errors import LogError
from lockgate.monitoring.reading import find
from lockgate.monitoring.receipts import parse_receipt
from lockgate.serving.exchange import Refusal, Reply, Request, json_reply
from lockgate.serving.predicting import reason
from lockgate.serving.recorder import Recorder

__all__ = ["take_feedback"]

EXPECTED = 'expected {"id": ..., "label": ...} or {"key": ..., "label": ...}, or {"labels": [...]}'
MOST = 10_000
"""Most labels of a request."""

Plain = str | int | float | bool


class One(msgspec.Struct, forbid_unknown_fields=True):
    """One label."""

    label: Plain
    id: str | None = None
    key: str | int | float | None = None


class Many(msgspec.Struct, forbid_unknown_fields=True):
    """Several labels."""

    labels: list[One]


decode_one = msgspec.json.Decoder(One).decode
decode_many = msgspec.json.Decoder(Many).decode


def take_feedback(recorder: Recorder | None, request: Request) -> Reply:
    """Write labels; they are on disk when the reply leaves.

    Raises
    ------
    Refusal
        If the body makes no sense, an id is unknown, or there is no log.

    """
    if recorder is None:
        raise Refusal(409, "this server keeps no prediction log; --log-durability off")
    given = _read(request)
    if not 0 < len(given) <= MOST:
        raise Refusal(422, f"{len(given)} labels came, expected 1 to {MOST}")
    rows = []
    problems = []
    for k, one in enumerate(given):
        try:
            rows.append(_row(recorder, one, request.who or "api"))
        except ValueError as error:
            problems.append(f"label {k}: {error}")
    if problems:
        raise Refusal(422, "labels do not belong to answers of this log", problems[:20])
    try:
        taken = recorder.labels.label(rows)
    except LogError as error:
        raise Refusal(503, str(error), headers={b"retry-after": b"5"}) from None
    recorder.counts.once("labels", taken)
    return json_reply({"taken": taken})


def _read(request: Request) -> list[One]:
    try:
        if b'"labels"' in request.body:
            return decode_many(request.body).labels
        return [decode_one(request.body)]
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Refusal(400, f"{reason(error)}; {EXPECTED}") from None


def _row(recorder: Recorder, one: One, who: str) -> tuple[str, int, int, Any, Any, str]:
    if (one.id is None) == (one.key is None):
        raise ValueError("expected an id or a key")
    if one.id is None:
        return "", 0, 0, one.key, one.label, who
    writer, count, row = parse_receipt(one.id)
    if recorder.settings.durability != "sampled":
        found = find(recorder.folder, writer, count)
        if found is None or row >= max(found.entry.rows, 1):
            raise ValueError(f"no answer {one.id!r} in the log")
    return writer, count, row, None, one.label, who
