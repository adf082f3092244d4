"""``POST /predict``: rows as values in order, as objects, or as columns."""

from __future__ import annotations

from typing import Any

import msgspec

from lockgate.serving.http.messages import (
    JSON,
    HTTPError,
    Request,
    Response,
    SendResponse,
    check_rows,
    read_body,
)
from lockgate.serving.prediction.model_store import LoadedModel, ModelStore
from lockgate.serving.prediction.requests import Filled, Prediction, PredictionRequest, to_lists

__all__ = ["read_predict_request", "to_row", "write_rows_response"]

MAX_COLUMNS = 10_000
"""Columns that a request may hold."""

EXPECTED = (
    'expected {"row": {...}} or {"row": [...]}, {"rows": [...]}, or {"columns": {"name": [...]}}'
)


Key = str | int | float | None


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request: row, rows or columns."""

    row: dict[str, Any] | list[Any] | None = None
    rows: list[Any] | None = None
    columns: dict[str, list[Any]] | None = None
    model: str | None = None
    partial: bool = False
    key: Key = None
    keys: list[Key] | None = None


class Label(msgspec.Struct, omit_defaults=True):
    """The prediction of a classifier for one row."""

    id: str
    model: str
    version: str
    label: Any
    score: Any = None
    margin: Any = None
    filled: Filled = {}
    warnings: list[str] = []


class Value(msgspec.Struct, omit_defaults=True):
    """The prediction of a regression for one row."""

    id: str
    model: str
    version: str
    value: float
    filled: Filled = {}
    warnings: list[str] = []


class Labels(msgspec.Struct, omit_defaults=True):
    """The predictions of a classifier for several rows."""

    id: str
    model: str
    version: str
    labels: list[Any]
    scores: Any = None
    margins: Any = None
    filled: Filled = {}
    warnings: list[str] = []
    refused: dict[int, list[str]] = {}


class Values(msgspec.Struct, omit_defaults=True):
    """The predictions of a regression for several rows."""

    id: str
    model: str
    version: str
    values: list[Any]
    filled: Filled = {}
    warnings: list[str] = []
    refused: dict[int, list[str]] = {}


decode = msgspec.json.Decoder(Body).decode
encode = msgspec.json.Encoder().encode


def read_predict_request(
    store: ModelStore, request: Request, send: SendResponse, max_rows: int
) -> PredictionRequest:
    """Read a request for predictions.

    Raises
    ------
    HTTPError
        If the body is not such a request.

    """
    body = read_body(decode, request.body, EXPECTED)
    model = store.find(request.path_params[0] if request.path_params else body.model)
    present = [
        alternative
        for alternative in (body.row, body.rows, body.columns)
        if alternative is not None
    ]
    if len(present) != 1:
        raise HTTPError(400, f"{EXPECTED}; got {len(present)} of them")
    if body.row is not None:
        row = to_row(model, body.row)
        return PredictionRequest(
            request, send, model, row, 1, write_row_response, single=True, keys=body.key
        )
    if body.rows is not None:
        source: Any = [
            to_row(model, row, f"row {k}") if row.__class__ in (list, dict) else row
            for k, row in enumerate(body.rows)
        ]
        rows = len(body.rows)
    else:
        source = body.columns
        check_width(len(body.columns or ()))
        rows = max(map(len, source.values()), default=0)
    check_rows(rows, max_rows)
    if body.keys is not None and len(body.keys) != rows:
        raise HTTPError(422, f"expected {rows} keys, one per row, got {len(body.keys)}")
    return PredictionRequest(
        request,
        send,
        model,
        source,
        rows,
        write_rows_response,
        partial=body.partial,
        keys=body.keys,
    )


def check_width(columns: int) -> None:
    """Refuse requests of too many columns."""
    if columns > MAX_COLUMNS:
        raise HTTPError(422, f"expected at most {MAX_COLUMNS} columns, got {columns}")


def to_row(model: LoadedModel, values: Any, subject: str = "the row") -> dict[str, Any]:
    """Return a row as a mapping, from a mapping or from values in the order of the inputs."""
    if values.__class__ is dict:
        check_width(len(values))
        return values
    if len(values) != len(model.names):
        raise HTTPError(
            422,
            f"{subject} has {len(values)} values, expected {len(model.names)}: "
            f"{', '.join(model.names)}"[:2000],
        )
    return dict(zip(model.names, values, strict=True))


def write_row_response(
    request: PredictionRequest, prediction_id: str, prediction: Prediction
) -> Response:
    """Write the prediction for one row."""
    model = request.model
    origin = prediction_id, model.name, model.version
    filled = prediction.filled, prediction.warnings
    if model.regression:
        body: Any = Value(*origin, prediction.label, *filled)
    else:
        margin = prediction.margin if prediction.score is None else None
        body = Label(*origin, prediction.label, prediction.score, margin, *filled)
    return Response(200, encode(body), JSON)


def write_rows_response(
    request: PredictionRequest, prediction_id: str, prediction: Prediction
) -> Response:
    """Write the predictions for several rows."""
    model = request.model
    origin = prediction_id, model.name, model.version
    label, score, margin = to_lists(prediction)
    filled = prediction.filled, prediction.warnings
    if model.regression:
        body: Any = Values(*origin, label, *filled, prediction.refused)
    else:
        margin = margin if score is None else None
        body = Labels(*origin, label, score, margin, *filled, prediction.refused)
    return Response(200, encode(body), JSON)
