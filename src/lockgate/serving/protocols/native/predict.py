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

__all__ = ["many_rows", "predict_question", "row_of"]

WIDEST = 10_000
"""Most columns of a request."""

EXPECTED = (
    'expected {"row": {...}} or {"row": [...]}, {"rows": [...]}, or {"columns": {"name": [...]}}'
)


Key = str | int | float | None


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """What is posted; one of row, rows and columns."""

    row: dict[str, Any] | list[Any] | None = None
    rows: list[Any] | None = None
    columns: dict[str, list[Any]] | None = None
    model: str | None = None
    partial: bool = False
    key: Key = None
    keys: list[Key] | None = None


class Label(msgspec.Struct, omit_defaults=True):
    """The answer to one row of a classifier."""

    id: str
    model: str
    version: str
    label: Any
    score: Any = None
    margin: Any = None
    filled: Filled = {}


class Value(msgspec.Struct, omit_defaults=True):
    """The answer to one row of a regression."""

    id: str
    model: str
    version: str
    value: float
    filled: Filled = {}


class Labels(msgspec.Struct, omit_defaults=True):
    """The answers to several rows of a classifier."""

    id: str
    model: str
    version: str
    labels: list[Any]
    scores: Any = None
    margins: Any = None
    filled: Filled = {}
    refused: dict[int, list[str]] = {}


class Values(msgspec.Struct, omit_defaults=True):
    """The answers to several rows of a regression."""

    id: str
    model: str
    version: str
    values: list[Any]
    filled: Filled = {}
    refused: dict[int, list[str]] = {}


decode = msgspec.json.Decoder(Body).decode
encode = msgspec.json.Encoder().encode


def predict_question(
    shelf: ModelStore, request: Request, send: SendResponse, most: int
) -> PredictionRequest:
    """Read what is asked.

    Raises
    ------
    Refusal
        If the body is no such question.

    """
    body = read_body(decode, request.body, EXPECTED)
    served = shelf.find(request.path_params[0] if request.path_params else body.model)
    given = [one for one in (body.row, body.rows, body.columns) if one is not None]
    if len(given) != 1:
        raise HTTPError(400, f"{len(given)} of row, rows and columns came; {EXPECTED}")
    if body.row is not None:
        row = row_of(served, body.row)
        return PredictionRequest(request, send, served, row, 0, one_row, keys=body.key)
    if body.rows is not None:
        source: Any = [
            row_of(served, one, f"row {k}") if one.__class__ in (list, dict) else one
            for k, one in enumerate(body.rows)
        ]
        rows = len(body.rows)
    else:
        source = body.columns
        check_width(len(body.columns or ()))
        rows = max(map(len, source.values()), default=0)
    check_rows(rows, most)
    if body.keys is not None and len(body.keys) != rows:
        raise HTTPError(422, f"{len(body.keys)} keys came for {rows} rows")
    return PredictionRequest(
        request, send, served, source, rows, many_rows, partial=body.partial, keys=body.keys
    )


def check_width(columns: int) -> None:
    """Refuse what has more columns than any table."""
    if columns > WIDEST:
        raise HTTPError(422, f"{columns} columns came, at most {WIDEST} are read")


def row_of(served: LoadedModel, values: Any, where: str = "the row") -> dict[str, Any]:
    """Return a row as a mapping, given as one or as values in order."""
    if values.__class__ is dict:
        check_width(len(values))
        return values
    if len(values) != len(served.names):
        raise HTTPError(
            422,
            f"{where} has {len(values)} values, expected {len(served.names)}: "
            f"{', '.join(served.names)}"[:2000],
        )
    return dict(zip(served.names, values, strict=True))


def one_row(question: PredictionRequest, receipt: str, found: Prediction) -> Response:
    """Write the answer to one row."""
    served = question.model
    if served.regression:
        made: Any = Value(receipt, served.name, served.version, found.label, found.filled)
    else:
        margin = found.margin if found.score is None else None
        made = Label(
            receipt, served.name, served.version, found.label, found.score, margin, found.filled
        )
    return Response(200, encode(made), JSON)


def many_rows(question: PredictionRequest, receipt: str, found: Prediction) -> Response:
    """Write the answers to several rows."""
    served = question.model
    names = receipt, served.name, served.version
    label, score, margin = to_lists(found)
    if served.regression:
        made: Any = Values(*names, label, found.filled, found.refused)
    else:
        margin = margin if score is None else None
        made = Labels(*names, label, score, margin, found.filled, found.refused)
    return Response(200, encode(made), JSON)
