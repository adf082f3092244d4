"""``POST /invocations``: the protocol of MLflow's scoring server."""

from __future__ import annotations

import functools
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
from lockgate.serving.prediction.model_store import ModelStore
from lockgate.serving.prediction.requests import Prediction, PredictionRequest, to_lists
from lockgate.serving.protocols.json_rows import (
    ABSENT,
    RowDecoder,
    check_too_many,
    check_width,
    decode_columns,
    is_present,
    read_rows,
    row_decoder,
)
from lockgate.serving.protocols.json_slices import decode_slices

__all__ = ["read_invocations_request", "write_mlflow_response"]

EXPECTED = (
    "expected one of dataframe_split, dataframe_records, inputs and instances, "
    "or CSV with the content type text/csv"
)


class Split(msgspec.Struct):
    """A frame: column names, and rows of values."""

    data: msgspec.Raw
    columns: list[str | int | float | bool] | None = None
    index: msgspec.Raw = ABSENT


class Params(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters: whether labels or scores are returned."""

    output: str = "label"


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """A request."""

    dataframe_split: Split | None = None
    dataframe_records: msgspec.Raw = ABSENT
    inputs: msgspec.Raw = ABSENT
    instances: msgspec.Raw = ABSENT
    params: Params | None = None


decode = msgspec.json.Decoder(Body).decode
decode_lists = msgspec.json.Decoder(list[list[Any]]).decode
encode = msgspec.json.Encoder().encode


def read_invocations_request(
    store: ModelStore, request: Request, send: SendResponse, max_rows: int, *, key: str = ""
) -> PredictionRequest:
    """Read a request for predictions.

    Raises
    ------
    HTTPError
        If the body is not such a request.

    """
    model = store.find(request.path_params[0] if request.path_params else None)
    body = read_body(decode, request.body, EXPECTED)
    fields = (body.dataframe_records, body.inputs, body.instances)
    present: list[Any] = [field for field in fields if is_present(field)]
    if body.dataframe_split is not None:
        present.append(body.dataframe_split)
    if len(present) != 1:
        raise HTTPError(400, f"{EXPECTED}, got {len(present)} of them")
    output = body.params.output if body.params else "label"
    if output not in ("label", "score"):
        raise HTTPError(400, f"params.output is {output[:40]!r}, expected label or score")
    source, rows = read_body(
        lambda _: _read_source(row_decoder(model.names, key), present[0], max_rows),
        request.body,
        EXPECTED,
    )
    check_rows(rows, max_rows)
    return PredictionRequest(
        request, send, model, source, rows, functools.partial(write_mlflow_response, output=output)
    )


def _read_source(
    decoder: RowDecoder, content: Split | msgspec.Raw, max_rows: int
) -> tuple[Any, int]:
    if isinstance(content, Split):
        return _read_split(decoder, content, max_rows)
    if bytes(memoryview(content)[:1]) == b"{":
        return decode_columns(content, max_rows, scalars=True)
    return read_rows(decoder, content, max_rows)


def _read_split(decoder: RowDecoder, split: Split, max_rows: int) -> tuple[Any, int]:
    # pandas writes the names of DataFrame(array) as numbers; a bundle has them as texts
    names = decoder.names if split.columns is None else [str(name) for name in split.columns]
    check_width(len(names))
    if len(set(names)) < len(names):
        raise HTTPError(422, "a column is duplicated")
    columns = decoder.lists(split.data, max_rows, names)
    if columns is not None:
        return columns, len(next(iter(columns.values())))
    rows: list[list[Any]] = []
    for part in decode_slices(split.data, decode_lists):
        rows += part
        check_too_many(len(rows), max_rows)
    for k, row in enumerate(rows):
        if len(row) != len(names):
            raise HTTPError(422, f"row {k} has {len(row)} values, expected {len(names)}")
    return [dict(zip(names, row, strict=True)) for row in rows], len(rows)


def write_mlflow_response(
    request: PredictionRequest, prediction_id: str, prediction: Prediction, output: str = "label"
) -> Response:
    """Write predictions as MLflow does, with their provenance beside them."""
    model = request.model
    label, score, margin = to_lists(prediction)
    values = label if output == "label" else (margin if score is None else score)
    body: dict[str, Any] = {
        "predictions": values,
        "id": prediction_id,
        "model": model.name,
        "version": model.version,
    }
    if prediction.filled:
        body["filled"] = prediction.filled
    if prediction.warnings:
        body["warnings"] = prediction.warnings
    return Response(200, encode(body), JSON)
