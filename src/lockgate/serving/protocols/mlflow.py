"""``POST /invocations``: the protocol of MLflow's scoring server."""

from __future__ import annotations

import functools
from collections import Counter
from typing import Any

import msgspec

from lockgate.contract.recipes import TWO_CLASSES
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
from lockgate.serving.protocols.json_columns import decode_columns
from lockgate.serving.protocols.json_rows import (
    ABSENT,
    RowDecoder,
    check_metadata,
    check_too_many,
    check_width,
    is_present,
    read_rows,
    row_decoder,
)
from lockgate.serving.protocols.json_slices import SLICE, decode_slices

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
    """Parameters of the model's signature: the method of the scikit-learn model."""

    predict_method: str = "predict"


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """A request."""

    dataframe_split: Split | None = None
    dataframe_records: msgspec.Raw = ABSENT
    inputs: msgspec.Raw = ABSENT
    instances: msgspec.Raw = ABSENT
    params: Params | None = None


decode = msgspec.json.Decoder(Body).decode
decode_plain_lists = msgspec.json.Decoder(list[list[Any]]).decode
decode_undecoded_lists = msgspec.json.Decoder(list[list[msgspec.Raw]]).decode
encode = msgspec.json.Encoder().encode


def read_invocations_request(
    store: ModelStore, request: Request, send: SendResponse, max_rows: int, *, key_column: str = ""
) -> PredictionRequest:
    """Read a request for predictions.

    Raises
    ------
    HTTPError
        If the body is not such a request.

    """
    model = store.find(request.path_params[0] if request.path_params else None)
    if len(request.body) > SLICE:
        read_body(_check_metadata, request.body, EXPECTED)
    body = read_body(decode, request.body, EXPECTED)
    fields = (body.dataframe_records, body.inputs, body.instances)
    present: list[Any] = [field for field in fields if is_present(field)]
    if body.dataframe_split is not None:
        present.append(body.dataframe_split)
    if len(present) != 1:
        raise HTTPError(400, f"{EXPECTED}, got {len(present)} of them")
    method = body.params.predict_method if body.params else "predict"
    _check_method(model, method)
    source, rows = read_body(
        lambda _: _read_source(row_decoder(model.names, key_column), present[0], max_rows),
        request.body,
        EXPECTED,
    )
    check_rows(rows, max_rows)
    return PredictionRequest(
        request, send, model, source, rows, functools.partial(write_mlflow_response, method=method)
    )


def _check_metadata(raw: bytes | memoryview) -> None:
    fields = ("dataframe_split", "dataframe_records", "inputs", "instances")
    split = check_metadata(raw, "", fields).get("dataframe_split")
    if split is not None and bytes(memoryview(split)[:1]) == b"{":
        check_metadata(memoryview(split), "dataframe_split.", ("data", "index"))


def _read_source(
    decoder: RowDecoder, content: Split | msgspec.Raw, max_rows: int
) -> tuple[Any, int]:
    if isinstance(content, Split):
        return _read_split(decoder, content, max_rows)
    if bytes(memoryview(content)[:1]) == b"{":
        return decode_columns(content, max_rows, decoder, scalars=True)
    return read_rows(decoder, content, max_rows)


def _read_split(decoder: RowDecoder, split: Split, max_rows: int) -> tuple[Any, int]:
    # pandas writes the names of DataFrame(array) as numbers; a bundle has them as texts
    names = decoder.names if split.columns is None else [str(name) for name in split.columns]
    check_width(len(names))
    duplicated = [name for name, count in Counter(names).items() if count > 1]
    if duplicated:
        raise HTTPError(422, f"column {duplicated[0][:80]!r} is duplicated")
    columns = decoder.decode_lists(split.data, max_rows, names)
    if columns is not None:
        return columns, len(next(iter(columns.values())))
    ignored = {k for k, name in enumerate(names) if name not in decoder.fields}
    rows: list[list[Any]] = []
    for part in decode_slices(split.data, functools.partial(_decode_lists, ignored)):
        rows += part
        check_too_many(len(rows), max_rows)
    for k, row in enumerate(rows):
        if len(row) != len(names):
            raise HTTPError(422, f"row {k} has {len(row)} values, expected {len(names)}")
    return [dict(zip(names, row, strict=True)) for row in rows], len(rows)


def _decode_lists(ignored: set[int], rows: bytes) -> list[list[Any]]:
    """Decode rows that are lists; without the cells that are ignored if one is not valid there."""
    try:
        return decode_plain_lists(rows)
    except (msgspec.ValidationError, UnicodeError):
        return [
            [None if k in ignored else msgspec.json.decode(cell) for k, cell in enumerate(row)]
            for row in decode_undecoded_lists(rows)
        ]


def _check_method(model: LoadedModel, method: str) -> None:
    """Refuse methods that the model does not have."""
    available = ["predict"]
    if not model.regression and "score" in model.predictor.outputs:
        available.append("predict_proba")
    if not model.regression and "margin" in model.predictor.outputs:
        available.append("decision_function")
    if method not in available:
        raise HTTPError(
            400, f"params.predict_method is {method[:40]!r}; available: {', '.join(available)}"
        )


def write_mlflow_response(
    request: PredictionRequest, prediction_id: str, prediction: Prediction, method: str = "predict"
) -> Response:
    """Write predictions as MLflow does, with their provenance beside them."""
    model = request.model
    label, score, margin = to_lists(prediction)
    values = {"predict": label, "predict_proba": score, "decision_function": margin}[method]
    if method == "predict_proba" and model.predictor.task in TWO_CLASSES:
        values = [[1 - second, second] for second in values]
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
