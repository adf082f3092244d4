"""Bodies that are tables: CSV and Arrow streams, read as offline prediction reads files."""

from __future__ import annotations

import dataclasses
import struct
from typing import Any

import msgspec

from lockgate.contract.prediction import Output
from lockgate.errors import DataError
from lockgate.serving.http.messages import HTTPError, Request, Response, SendResponse, check_rows
from lockgate.serving.prediction.model_store import ModelStore
from lockgate.serving.prediction.requests import Prediction, PredictionRequest
from lockgate.serving.protocols.mlflow import write_mlflow_response
from lockgate.serving.protocols.native.predict import write_rows_response

__all__ = ["ARROW", "CSV", "TSV", "read_table_request"]

CSV = "text/csv"
TSV = "text/tab-separated-values"
ARROW = "application/vnd.apache.arrow.stream"

MAGIC = (b"\x04\x22\x4d\x18", b"\x28\xb5\x2f\xfd")
"""How LZ4 frames and Zstandard frames begin; Arrow puts the expanded length before them."""

MAX_EXPANDED_BYTES = 256 << 20
"""Bytes to which a compressed stream may expand."""


def read_table_request(
    store: ModelStore,
    request: Request,
    send: SendResponse,
    max_rows: int,
    *,
    key_column: str = "",
    mlflow: bool = False,
) -> PredictionRequest:
    """Read a table of rows to predict.

    Raises
    ------
    HTTPError
        If the body is not such a table.

    """
    model = store.find(request.path_params[0] if request.path_params else None)
    inputs = model.predictor.inputs
    raw = request.body
    extra_columns = [key_column] if key_column else []
    content_type = request.headers.get(b"content-type", b"")
    is_arrow = content_type.startswith(ARROW.encode())
    csv = model.manifest.schema.csv
    if content_type.startswith(TSV.encode()):
        csv = dataclasses.replace(csv, delimiter="\t")
    try:
        from lockgate.data.io.bodies import read_arrow_body, read_csv_body

        if is_arrow:
            _check_expansion(raw)
            columns, rows = read_arrow_body(raw, inputs, extra_columns, max_rows)
        else:
            columns, rows = read_csv_body(raw, inputs, extra_columns, max_rows, csv)
    except ModuleNotFoundError:
        raise HTTPError(415, "tables need more here: pip install 'lockgate[serve]'") from None
    except DataError as error:
        raise HTTPError(422, str(error)) from None
    check_rows(rows, max_rows)
    accept = request.headers.get(b"accept", b"")
    write_response: Any = write_rows_response
    if mlflow:
        write_response = write_mlflow_response
    elif ARROW.encode() in accept:
        write_response = write_arrow_response
    return PredictionRequest(request, send, model, columns, rows, write_response)


def write_arrow_response(
    request: PredictionRequest, prediction_id: str, prediction: Prediction
) -> Response:
    """Write predictions as an Arrow stream: as the columns of `Output.columns`."""
    import pyarrow as pa

    model = request.model
    output = Output(prediction.label, prediction.score, prediction.margin)
    if (region := model.manifest.region) is not None:
        output = region.attach(output)
    columns = output.columns(model.predictor.classes, model.value_names)
    origin = {"id": prediction_id, "model": model.name, "version": model.version}
    if prediction.filled:
        origin["filled"] = msgspec.json.encode(prediction.filled).decode()
    if prediction.warnings:
        origin["warnings"] = msgspec.json.encode(prediction.warnings).decode()
    table = pa.table({name: pa.array(column) for name, column in columns.items()})
    table = table.replace_schema_metadata({**origin, "bundle": model.digest})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return Response(200, sink.getvalue().to_pybytes(), ARROW.encode())


def _check_expansion(raw: bytes) -> None:
    """Refuse a stream whose compressed buffers would expand beyond `MAX_EXPANDED_BYTES`."""
    total = 0
    for magic in MAGIC:
        offset = raw.find(magic)
        while offset >= 8:
            (length,) = struct.unpack_from("<q", raw, offset - 8)
            if 0 < length < 1 << 50:
                total += length
            offset = raw.find(magic, offset + 4)
    if total > MAX_EXPANDED_BYTES:
        raise HTTPError(
            413, f"the stream would expand to {total} bytes, {MAX_EXPANDED_BYTES} are read"
        )
