"""The Open Inference Protocol v2 over REST, with the extension for binary tensors.

Source: Open Inference Protocol, "Predict Protocol - Version 2", REST, and
Triton's binary tensor data extension. Departures: null in JSON data is a gap;
provenance stands in ``parameters`` of the response.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import msgspec
import numpy as np

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
from lockgate.serving.prediction.requests import Prediction, PredictionRequest
from lockgate.serving.protocols.v2.tensors import Tensor, as_column, as_matrix, pack, unpack

__all__ = ["infer_question", "metadata", "model_in_path"]

BINARY = b"application/octet-stream"
LENGTH = b"inference-header-content-length"


class Wanted(msgspec.Struct):
    """An output that the request asks for."""

    name: str
    parameters: dict[str, Any] = {}


class Infer(msgspec.Struct):
    """A request."""

    inputs: list[Tensor]
    id: str = ""
    parameters: dict[str, Any] = {}
    outputs: list[Wanted] = []


decode = msgspec.json.Decoder(Infer).decode
encode = msgspec.json.Encoder().encode


def model_in_path(request: Request) -> str:
    """Return the model that the path names, with its version if it names one."""
    return "@".join(request.path_params)


def infer_question(
    shelf: ModelStore, request: Request, send: SendResponse, most: int
) -> PredictionRequest:
    """Read what is asked.

    Raises
    ------
    Refusal
        If the body is no such question.

    """
    served = shelf.find(model_in_path(request))
    body, rest = _parts(request)
    columns: dict[str, Any] = {}
    for tensor in body.inputs:
        values, rest = unpack(tensor, rest)
        if tensor.name in columns:
            raise HTTPError(400, f"tensor {tensor.name[:80]!r} stands twice")
        columns[tensor.name] = (tensor, values)
    if len(rest):
        raise HTTPError(400, f"{len(rest)} bytes are left behind the last tensor")
    outputs = _outputs(served, body)
    form = functools.partial(_response, body=body, outputs=outputs)
    source, rows = _source(served, columns)
    check_rows(rows, most)
    if rows == 1:
        return PredictionRequest(request, send, served, _only_row(served, source), 0, form)
    return PredictionRequest(request, send, served, source, rows, form)


def _parts(request: Request) -> tuple[Infer, memoryview]:
    raw = memoryview(request.body)
    length = request.headers.get(LENGTH)
    if length is not None:
        if not length.isdigit() or len(length) > 12 or int(length) > len(raw):
            raise HTTPError(400, f"{LENGTH.decode()} is {length[:20]!r}, {len(raw)} bytes came")
        raw, rest = raw[: int(length)], raw[int(length) :]
    else:
        rest = raw[len(raw) :]
    return read_body(decode, raw, "expected an inference request with inputs"), rest


def _source(served: LoadedModel, tensors: dict[str, Any]) -> tuple[Any, int]:
    """Return rows as columns by name, or as one matrix in the order of the inputs."""
    if len(tensors) == 1:
        ((name, (tensor, values)),) = tensors.items()
        shape = tensor.shape
        if len(shape) == 2 and shape[1] == len(served.names) and name not in served.names:
            matrix = as_matrix(values, shape)
            if isinstance(matrix, np.ndarray):
                return matrix, shape[0]
            return [dict(zip(served.names, row, strict=True)) for row in matrix], shape[0]
    columns = {}
    for name, (tensor, values) in tensors.items():
        if name in served.names:
            if not tensor.shape or math.prod(tensor.shape[1:]) != 1:
                raise HTTPError(
                    400,
                    f"tensor {name[:80]!r} has shape {tensor.shape[:8]}, expected [n] or [n, 1]",
                )
            columns[name] = as_column(values)
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        raise HTTPError(400, f"tensors have different lengths: {sorted(lengths)}")
    if not columns:
        wanted = ", ".join(served.names)
        raise HTTPError(400, f"no input of the model came; expected tensors {wanted}"[:2000])
    return columns, lengths.pop()


def _only_row(served: LoadedModel, source: Any) -> dict[str, Any]:
    if isinstance(source, np.ndarray):
        row = dict(zip(served.names, source[0].tolist(), strict=True))
    elif isinstance(source, list):
        row = source[0]
    else:
        row = {
            name: column[0].item() if isinstance(column, np.ndarray) else column[0]
            for name, column in source.items()
        }
    return {name: None if value != value else value for name, value in row.items()}


def _kinds(served: LoadedModel) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return outputs by name: datatype, and the axes behind the rows."""
    model = served.model
    if served.regression:
        return {"value": ("FP64", ())}
    kinds = {type(one) for one in model.classes} or {float}
    named = {int: "INT64", bool: "BOOL", float: "FP64"}
    label = named.get(kinds.pop(), "BYTES") if len(kinds) == 1 else "BYTES"
    made: dict[str, tuple[str, tuple[int, ...]]] = {"label": (label, ())}
    for name in ("score", "margin"):
        if getattr(model.header.answers, name) is not None:
            wide = model.task == "multiclass"
            made[name] = ("FP64", (len(model.classes),) if wide else ())
            break
    return made


def _outputs(served: LoadedModel, body: Infer) -> list[tuple[str, str, bool]]:
    kinds = _kinds(served)
    everything = bool(body.parameters.get("binary_data_output"))
    wanted = body.outputs or [Wanted(name) for name in kinds]
    for one in wanted:
        if one.name not in kinds:
            raise HTTPError(400, f"no output {one.name[:80]!r}; there are {', '.join(kinds)}")
    return [
        (one.name, kinds[one.name][0], bool(one.parameters.get("binary_data", everything)))
        for one in wanted
    ]


def _response(
    question: PredictionRequest,
    receipt: str,
    found: Prediction,
    body: Infer,
    outputs: list[tuple[str, str, bool]],
) -> Response:
    served = question.model
    tensors, raws = [], []
    for name, datatype, binary in outputs:
        values = getattr(found, "label" if name == "value" else name)
        values = np.asarray([values] if not question.rows else values)
        made: dict[str, Any] = {"name": name, "shape": values.shape, "datatype": datatype}
        flat = values.ravel()
        if binary:
            raws.append(pack(flat, datatype))
            made["parameters"] = {"binary_data_size": len(raws[-1])}
        else:
            made["data"] = [str(one) for one in flat] if datatype == "BYTES" else flat.tolist()
        tensors.append(made)
    said: dict[str, Any] = {
        "model_name": served.name,
        "model_version": served.version,
        "id": body.id or receipt,
        "parameters": {"prediction_id": receipt, "bundle": served.digest, "stage": served.stage},
        "outputs": tensors,
    }
    if found.filled:
        said["parameters"]["filled"] = msgspec.json.encode(found.filled).decode()
    head = encode(said)
    if not raws:
        return Response(200, head, JSON)
    extra = ((LENGTH, str(len(head)).encode()),)
    return Response(200, b"".join((head, *raws)), BINARY, extra)


def metadata(served: LoadedModel, versions: list[str]) -> dict[str, Any]:
    """Describe a model as the protocol does."""
    named = {"number": "FP64", "integer": "FP64", "boolean": "BOOL"}
    return {
        "name": served.name,
        "versions": versions,
        "platform": "lockgate_packed",
        "inputs": [
            {"name": one.name, "datatype": named.get(one.kind, "BYTES"), "shape": [-1, 1]}
            for one in served.model.inputs
        ],
        "outputs": [
            {"name": name, "datatype": datatype, "shape": [-1, *axes]}
            for name, (datatype, axes) in _kinds(served).items()
        ],
        "parameters": {"bundle": served.digest, "stage": served.stage, "version": served.version},
    }
