"""Bodies that are tables: CSV and Arrow streams, read as offline prediction reads files."""

from __future__ import annotations

import functools
import struct
from typing import Any

import numpy as np

from lockgate.errors import DataError
from lockgate.serving.http.messages import HTTPError, Request, Response, SendResponse, check_rows
from lockgate.serving.prediction.model_store import ModelStore
from lockgate.serving.prediction.requests import Prediction, PredictionRequest
from lockgate.serving.protocols.mlflow import predictions
from lockgate.serving.protocols.native.predict import many_rows

__all__ = ["ARROW", "CSV", "table_question"]

CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"

MAGIC = (b"\x04\x22\x4d\x18", b"\x28\xb5\x2f\xfd")
"""How LZ4 frames and Zstandard frames begin; Arrow puts the expanded length before them."""

EXPANDED = 256 << 20
"""Bytes that a compressed stream may say that it expands to."""


def table_question(
    shelf: ModelStore,
    request: Request,
    send: SendResponse,
    most: int,
    *,
    key: str = "",
    mlflow: bool = False,
) -> PredictionRequest:
    """Read what is asked.

    Raises
    ------
    Refusal
        If the body is no such table.

    """
    served = shelf.find(request.path_params[0] if request.path_params else None)
    inputs = served.model.inputs
    raw = request.body
    keep = [key] if key else []
    is_arrow = request.headers.get(b"content-type", b"").startswith(ARROW.encode())
    try:
        from lockgate.data.io.bodies import arrow_body, csv_body

        if is_arrow:
            _check_expansion(raw)
            columns, rows = arrow_body(raw, inputs, keep, most)
        else:
            columns, rows = csv_body(raw, inputs, keep, most)
    except ModuleNotFoundError:
        raise HTTPError(415, "tables need more here: pip install 'lockgate[serve]'") from None
    except DataError as error:
        raise HTTPError(422, str(error)) from None
    check_rows(rows, most)
    accept = request.headers.get(b"accept", b"")
    form: Any = many_rows
    if mlflow:
        form = functools.partial(predictions, output="label")
    elif ARROW.encode() in accept:
        form = arrow_reply
    return PredictionRequest(request, send, served, columns, rows, form)


def arrow_reply(question: PredictionRequest, receipt: str, found: Prediction) -> Response:
    """Write the answers as an Arrow stream: label, and score or one score a class."""
    import pyarrow as pa

    served = question.model
    score = found.score if found.score is not None else found.margin
    columns = {"value" if served.regression else "label": found.label}
    if score is not None and not served.regression:
        score = np.asarray(score)
        if score.ndim == 1:
            columns["score"] = score
        else:
            classes = served.model.classes
            columns |= {f"score_{classes[k]}": score[:, k] for k in range(score.shape[1])}
    origin = {"id": receipt, "model": served.name, "version": served.version}
    table = pa.table({name: pa.array(column) for name, column in columns.items()})
    table = table.replace_schema_metadata({**origin, "bundle": served.digest})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return Response(200, sink.getvalue().to_pybytes(), ARROW.encode())


def _check_expansion(raw: bytes) -> None:
    """Refuse a stream whose compressed buffers say that they expand beyond all measure."""
    total = 0
    for magic in MAGIC:
        at = raw.find(magic)
        while at >= 8:
            (length,) = struct.unpack_from("<q", raw, at - 8)
            if 0 < length < 1 << 50:
                total += length
            at = raw.find(magic, at + 4)
    if total > EXPANDED:
        raise HTTPError(413, f"the stream would expand to {total} bytes, {EXPANDED} are read")
