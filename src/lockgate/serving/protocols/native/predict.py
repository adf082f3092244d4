"""``POST /predict``: rows as values in order, as objects, or as columns."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

import msgspec

from lockgate.contract.prediction import values_by_name
from lockgate.contract.regions import list_regions, region_of_row
from lockgate.serving.http.messages import (
    JSON,
    HTTPError,
    Request,
    Response,
    SendResponse,
    check_rows,
    read_body,
)
from lockgate.serving.prediction.explanations import check_explained_rows
from lockgate.serving.prediction.model_store import ModelStore
from lockgate.serving.prediction.requests import Filled, Prediction, PredictionRequest, to_lists
from lockgate.serving.protocols.json_columns import decode_columns
from lockgate.serving.protocols.json_rows import (
    ABSENT,
    is_present,
    read_row,
    read_rows,
    row_decoder,
    to_row,
)
from lockgate.serving.protocols.json_slices import SLICE, decode_slices

__all__ = ["read_predict_request", "write_rows_response"]

EXPECTED = (
    'expected {"row": {...}} or {"row": [...]}, {"rows": [...]}, or {"columns": {"name": [...]}}'
)


Key = str | int | float | None


Explain = Annotated[int, msgspec.Meta(ge=0)]


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request: a row, or rows or columns as they stand there."""

    row: dict[str, Any] | list[Any] | None = None
    rows: msgspec.Raw = ABSENT
    columns: msgspec.Raw = ABSENT
    model: str | None = None
    partial: bool = False
    explain: Explain = 0
    key: Key = None
    keys: msgspec.Raw = ABSENT


class LazyBody(Body, forbid_unknown_fields=True):
    """A body of which the row is not decoded either."""

    row: msgspec.Raw = ABSENT  # type: ignore[assignment]  # read_row decodes it


class Label(msgspec.Struct, omit_defaults=True):
    """The prediction of a classifier for one row."""

    id: str
    model: str
    version: str
    label: Any
    score: Any = None
    margin: Any = None
    set: list[Any] | None = None
    filled: Filled = {}
    warnings: list[str] = []
    explanation: dict[str, Any] | None = None


class Value(msgspec.Struct, omit_defaults=True):
    """The prediction of a regression for one row; of several targets the value of each."""

    id: str
    model: str
    version: str
    value: float | dict[str, float]
    interval: list[float] | None = None
    filled: Filled = {}
    warnings: list[str] = []
    explanation: dict[str, Any] | None = None


class Labels(msgspec.Struct, omit_defaults=True):
    """The predictions of a classifier for several rows."""

    id: str
    model: str
    version: str
    labels: list[Any]
    scores: Any = None
    margins: Any = None
    sets: list[Any] | None = None
    filled: Filled = {}
    warnings: list[str] = []
    refused: dict[int, list[str]] = {}
    explanations: list[Any] | None = None


class Values(msgspec.Struct, omit_defaults=True):
    """The predictions of a regression for several rows; of several targets the values of each."""

    id: str
    model: str
    version: str
    values: list[Any]
    intervals: list[Any] | None = None
    filled: Filled = {}
    warnings: list[str] = []
    refused: dict[int, list[str]] = {}
    explanations: list[Any] | None = None


decode = msgspec.json.Decoder(Body).decode
decode_keys = msgspec.json.Decoder(list[Key]).decode
decode_lazily = msgspec.json.Decoder(LazyBody).decode
encode = msgspec.json.Encoder().encode


def read_predict_request(
    store: ModelStore, request: Request, send: SendResponse, max_rows: int, *, key_column: str = ""
) -> PredictionRequest:
    """Read a request for predictions.

    Raises
    ------
    HTTPError
        If the body is not such a request.

    """
    body = read_body(_decode_body, request.body, EXPECTED)
    model = store.find(request.path_params[0] if request.path_params else body.model)
    row: Any = body.row
    lazy = body.__class__ is LazyBody
    has_row = is_present(row) if lazy else row is not None
    has_rows, has_columns = is_present(body.rows), is_present(body.columns)
    if has_row + has_rows + has_columns != 1:
        raise HTTPError(400, f"{EXPECTED}; got {has_row + has_rows + has_columns} of them")
    if has_row:
        if is_present(body.keys):
            raise HTTPError(422, "keys are of several rows; expected key, that of the row")
        if lazy:
            row = read_body(
                lambda _: read_row(model.names, row, key_column), request.body, EXPECTED
            )
        return PredictionRequest(
            request,
            send,
            model,
            to_row(model.names, row),
            1,
            write_row_response,
            single=True,
            keys=body.key,
            explain=body.explain,
        )

    def read_source(_: object) -> tuple[Any, int]:
        decoder = row_decoder(model.names, key_column)
        if has_rows:
            return read_rows(decoder, body.rows, max_rows)
        return decode_columns(body.columns, max_rows, decoder)

    source, rows = read_body(read_source, request.body, EXPECTED)
    check_rows(rows, max_rows)
    check_explained_rows(body.explain, rows)
    if body.key is not None:
        raise HTTPError(422, f"key is of a single row; expected keys, a list of {rows}")
    keys = None
    if is_present(body.keys):
        keys = read_body(lambda _: _read_keys(body.keys, rows), request.body, EXPECTED)
    return PredictionRequest(
        request,
        send,
        model,
        source,
        rows,
        write_rows_response,
        partial=body.partial,
        keys=keys,
        explain=body.explain,
    )


def _decode_body(raw: bytes) -> Body:
    """Decode a body; the row only where it is short and valid in all of its columns.

    A column that the model does not take is ignored, whatever it holds.
    """
    if len(raw) <= SLICE:
        try:
            return decode(raw)
        except (msgspec.DecodeError, UnicodeError):
            pass
    return decode_lazily(raw)


def _read_keys(content: msgspec.Raw, rows: int) -> list[Key]:
    keys: list[Key] = []
    for part in decode_slices(content, decode_keys):
        keys += part
        if len(keys) > rows:
            break
    if len(keys) != rows:
        count = "more" if len(keys) > rows else len(keys)
        raise HTTPError(422, f"expected {rows} keys, one per row, got {count}")
    return keys


def write_row_response(
    request: PredictionRequest, prediction_id: str, prediction: Prediction
) -> Response:
    """Write the prediction for one row."""
    model = request.model
    origin = prediction_id, model.name, model.version
    explanation = None if prediction.explanations is None else prediction.explanations[0]
    filled = prediction.filled, prediction.warnings
    label, score = prediction.label, prediction.score
    region, classes = model.manifest.region, model.predictor.classes
    interval, members = region_of_row(region, label, score, classes)
    if model.regression:
        value = values_by_name(model.value_names, label) if model.value_names else label
        body: Any = Value(*origin, value, interval, *filled, explanation)
    else:
        margin = prediction.margin if score is None else None
        body = Label(*origin, label, score, margin, members, *filled, explanation)
    return Response(200, encode(body), JSON)


def _without_refused(part: list[Any] | None, refused: Collection[int]) -> list[Any] | None:
    """Return what each row has, None for refused rows."""
    if part is None:
        return None
    return [None if row in refused else value for row, value in enumerate(part)]


def write_rows_response(
    request: PredictionRequest, prediction_id: str, prediction: Prediction
) -> Response:
    """Write the predictions for several rows."""
    model = request.model
    origin = prediction_id, model.name, model.version
    label, score, margin = to_lists(prediction)
    filled = prediction.filled, prediction.warnings
    rest = prediction.refused, prediction.explanations
    region, classes = model.manifest.region, model.predictor.classes
    regions = list_regions(region, prediction.label, prediction.score, classes)
    intervals, sets = (_without_refused(part, prediction.refused) for part in regions)
    if model.regression:
        if model.value_names:
            label = [row and values_by_name(model.value_names, row) for row in label]
        body: Any = Values(*origin, label, intervals, *filled, *rest)
    else:
        margin = margin if score is None else None
        body = Labels(*origin, label, score, margin, sets, *filled, *rest)
    return Response(200, encode(body), JSON)
