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
from lockgate.serving.prediction.model_store import LoadedModel, ModelStore
from lockgate.serving.prediction.requests import Prediction, PredictionRequest, to_lists
from lockgate.serving.protocols.native.predict import check_width, to_row

__all__ = ["read_invocations_request", "write_mlflow_response"]

EXPECTED = (
    "expected one of dataframe_split, dataframe_records, inputs and instances, "
    "or CSV with the content type text/csv"
)


class Split(msgspec.Struct):
    """A frame: column names, and rows of values."""

    data: list[list[Any]]
    columns: list[str | int | float | bool] | None = None
    index: list[Any] | None = None


class Params(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters: whether labels or scores are returned."""

    output: str = "label"


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """A request."""

    dataframe_split: Split | None = None
    dataframe_records: list[dict[str, Any]] | None = None
    inputs: dict[str, Any] | list[Any] | None = None
    instances: dict[str, Any] | list[Any] | None = None
    params: Params | None = None


decode = msgspec.json.Decoder(Body).decode
encode = msgspec.json.Encoder().encode


def read_invocations_request(
    store: ModelStore, request: Request, send: SendResponse, max_rows: int
) -> PredictionRequest:
    """Read a request for predictions.

    Raises
    ------
    HTTPError
        If the body is not such a request.

    """
    model = store.find(request.path_params[0] if request.path_params else None)
    body = read_body(decode, request.body, EXPECTED)
    alternatives = (body.dataframe_split, body.dataframe_records, body.inputs, body.instances)
    present = [alternative for alternative in alternatives if alternative is not None]
    if len(present) != 1:
        raise HTTPError(400, f"{EXPECTED}, got {len(present)} of them")
    output = body.params.output if body.params else "label"
    if output not in ("label", "score"):
        raise HTTPError(400, f"params.output is {output[:40]!r}, expected label or score")
    source, rows = _read_source(model, present[0])
    check_rows(rows, max_rows)
    return PredictionRequest(
        request, send, model, source, rows, functools.partial(write_mlflow_response, output=output)
    )


def _read_source(model: LoadedModel, body: Any) -> tuple[Any, int]:
    if isinstance(body, Split):
        # pandas writes the names of DataFrame(array) as numbers; a bundle has them as texts
        names = model.names if body.columns is None else [str(name) for name in body.columns]
        check_width(len(names))
        if len(set(names)) < len(names):
            raise HTTPError(422, "a column is duplicated")
        for k, row in enumerate(body.data):
            if len(row) != len(names):
                raise HTTPError(422, f"row {k} has {len(row)} values, expected {len(names)}")
        return [dict(zip(names, row, strict=True)) for row in body.data], len(body.data)
    if isinstance(body, dict):
        check_width(len(body))
        columns = {k: v if isinstance(v, list) else [v] for k, v in body.items()}
        return columns, max(map(len, columns.values()), default=0)
    rows = [
        to_row(model, row, f"row {k}") if isinstance(row, list) else row
        for k, row in enumerate(body)
    ]
    return rows, len(rows)


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
