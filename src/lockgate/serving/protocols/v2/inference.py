"""The Open Inference Protocol v2 over REST, with the extension for binary tensors.

Source: Open Inference Protocol, "Predict Protocol - Version 2", REST, and
Triton's binary tensor data extension. Departures: null in JSON data is a missing value;
provenance stands in ``parameters`` of the response.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import msgspec
import numpy as np

from lockgate.contract.prediction import Output
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
from lockgate.serving.prediction.model_store import LoadedModel, ModelStore
from lockgate.serving.prediction.requests import Prediction, PredictionRequest
from lockgate.serving.protocols.json_rows import check_metadata, check_width
from lockgate.serving.protocols.json_slices import SLICE, decode_slices
from lockgate.serving.protocols.v2.description import output_datatypes
from lockgate.serving.protocols.v2.tensors import Tensor, as_column, pack, unpack

__all__ = ["model_in_path", "read_infer_request"]

BINARY = b"application/octet-stream"
EXPECTED = "expected an inference request with inputs"
LENGTH = b"inference-header-content-length"


class RequestedOutput(msgspec.Struct):
    """An output that the request asks for."""

    name: str
    parameters: dict[str, Any] | None = None


class Infer(msgspec.Struct):
    """A request; clients of the protocol write optional fields that are not set as null."""

    inputs: list[Tensor]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[RequestedOutput] | None = None


decode = msgspec.json.Decoder(Infer).decode
decode_tensors = msgspec.json.Decoder(list[msgspec.Raw]).decode
encode = msgspec.json.Encoder().encode


def model_in_path(request: Request) -> str:
    """Return the model that the path names, with its version if it names one."""
    return "@".join(request.path_params)


def read_infer_request(
    store: ModelStore, request: Request, send: SendResponse, max_rows: int, *, key_column: str = ""
) -> PredictionRequest:
    """Read a request for predictions.

    Raises
    ------
    HTTPError
        If the body is not such a request.

    """
    model = store.find(model_in_path(request))
    body, rest = _split_body(request)
    columns: dict[str, Any] = {}
    for tensor in body.inputs:
        values, rest = unpack(tensor, rest)
        if tensor.name in columns:
            raise HTTPError(400, f"tensor {tensor.name[:80]!r} is duplicated")
        columns[tensor.name] = (tensor, values)
    if len(rest):
        raise HTTPError(400, f"{len(rest)} bytes are left behind the last tensor")
    outputs = _requested_outputs(model, body)
    write_response = functools.partial(_write_response, body=body, outputs=outputs)
    source, rows, keys = _read_source(model, columns, key_column)
    check_rows(rows, max_rows)
    explain = _read_explain(body)
    check_explained_rows(explain, rows)
    if rows == 1:
        row = _only_row(model, source)
        key = None if keys is None else keys[0]
        return PredictionRequest(
            request, send, model, row, 1, write_response, single=True, keys=key, explain=explain
        )
    return PredictionRequest(
        request, send, model, source, rows, write_response, keys=keys, explain=explain
    )


def _read_explain(body: Infer) -> int:
    """Return how many reasons the parameters request."""
    parameters = body.parameters or {}
    if parameters.get("against", "reference") != "reference":
        raise HTTPError(422, "servers explain against the reference row; omit parameter against")
    explain = parameters.get("explain", 0)
    if not isinstance(explain, int) or isinstance(explain, bool) or explain < 0:
        raise HTTPError(
            422, f"parameter explain is {explain!r:.40}, expected a whole number from 0"
        )
    return explain


def _split_body(request: Request) -> tuple[Infer, memoryview]:
    raw = memoryview(request.body)
    length = request.headers.get(LENGTH)
    if length is not None:
        if not length.isdigit() or len(length) > 12 or int(length) > len(raw):
            raise HTTPError(
                400, f"{LENGTH.decode()} is {length[:20]!r}, but the body has {len(raw)} bytes"
            )
        raw, rest = raw[: int(length)], raw[int(length) :]
    else:
        rest = raw[len(raw) :]
    if len(raw) > SLICE:
        read_body(_check_metadata, raw, EXPECTED)
    return read_body(decode, raw, EXPECTED), rest


def _check_metadata(raw: bytes | memoryview) -> None:
    """Refuse too many tensors, and too long parts of them, before anything is built."""
    inputs = check_metadata(raw, "", ("inputs",)).get("inputs", msgspec.Raw(b"[]"))
    tensors = 0
    for part in decode_slices(inputs, decode_tensors, max_parts=None):
        tensors += len(part)
        check_width(tensors)
        for tensor in part:
            check_metadata(memoryview(tensor), "a tensor's ", ("data",))


def _read_source(
    model: LoadedModel, tensors: dict[str, Any], key_column: str
) -> tuple[Any, int, list[Any] | None]:
    """Return rows, as columns or as a matrix in the order of the inputs; their number; and keys."""
    keys = None
    if key_column and key_column not in model.names and key_column in tensors:
        keys = _read_column(key_column, *tensors.pop(key_column))
        keys = keys.tolist() if isinstance(keys, np.ndarray) else keys
    source, rows = _read_matrix(model, tensors) or _read_columns(model, tensors)
    if keys is not None and len(keys) != rows:
        raise HTTPError(400, f"tensor {key_column[:80]!r} has {len(keys)} keys for {rows} rows")
    return source, rows, keys


def _read_matrix(model: LoadedModel, tensors: dict[str, Any]) -> tuple[Any, int] | None:
    if len(tensors) != 1:
        return None
    ((name, (tensor, values)),) = tensors.items()
    shape = tensor.shape
    if len(shape) != 2 or shape[1] != len(model.names) or name in model.names:
        return None
    elements = as_column(values)
    if isinstance(elements, np.ndarray):
        return elements.reshape(shape), shape[0]
    width = shape[1]
    return {name: elements[k::width] for k, name in enumerate(model.names)}, shape[0]


def _read_columns(model: LoadedModel, tensors: dict[str, Any]) -> tuple[Any, int]:
    columns = {
        name: _read_column(name, tensor, values)
        for name, (tensor, values) in tensors.items()
        if name in model.names
    }
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        raise HTTPError(400, f"tensors have different lengths: {sorted(lengths)}")
    if not columns:
        expected = ", ".join(model.names)
        raise HTTPError(400, f"no tensor is an input of the model; expected {expected}"[:2000])
    return columns, lengths.pop()


def _read_column(name: str, tensor: Tensor, values: Any) -> Any:
    if not tensor.shape or math.prod(tensor.shape[1:]) != 1:
        raise HTTPError(
            400, f"tensor {name[:80]!r} has shape {tensor.shape[:8]}, expected [n] or [n, 1]"
        )
    return as_column(values)


def _only_row(model: LoadedModel, source: Any) -> dict[str, Any]:
    if isinstance(source, np.ndarray):
        row = dict(zip(model.names, source[0].tolist(), strict=True))
    else:
        row = {
            name: column[0].item() if isinstance(column, np.ndarray) else column[0]
            for name, column in source.items()
        }
    return {name: None if value != value else value for name, value in row.items()}


def _requested_outputs(model: LoadedModel, body: Infer) -> list[tuple[str, str, bool]]:
    datatypes = output_datatypes(model)
    all_binary = bool((body.parameters or {}).get("binary_data_output"))
    requested = body.outputs or [RequestedOutput(name) for name in datatypes]
    for output in requested:
        if output.name not in datatypes:
            raise HTTPError(
                400, f"no output {output.name[:80]!r}; there are {', '.join(datatypes)}"
            )
    return [
        (
            output.name,
            datatypes[output.name][0],
            bool((output.parameters or {}).get("binary_data", all_binary)),
        )
        for output in requested
    ]


def _output_arrays(request: PredictionRequest, prediction: Prediction) -> dict[str, Any]:
    """Return the outputs of a model by name, one entry a row."""
    label, score, margin = (
        None if part is None else np.asarray([part] if request.single else part)
        for part in (prediction.label, prediction.score, prediction.margin)
    )
    arrays = {"label": label, "value": label, "score": score, "margin": margin}
    if request.model.value_names and label is not None:
        arrays |= Output(label).columns((), request.model.value_names)
    if (region := request.model.manifest.region) is not None and label is not None:
        output = region.attach(Output(label, score, margin))
        arrays |= {"low": output.low, "high": output.high, "set": output.sets}
    return arrays


def _write_response(
    request: PredictionRequest,
    prediction_id: str,
    prediction: Prediction,
    body: Infer,
    outputs: list[tuple[str, str, bool]],
) -> Response:
    model = request.model
    tensors, raws = [], []
    arrays = _output_arrays(request, prediction)
    for name, datatype, binary in outputs:
        values = arrays[name]
        tensor: dict[str, Any] = {"name": name, "shape": values.shape, "datatype": datatype}
        flat = values.ravel()
        if binary:
            raws.append(pack(flat, datatype))
            tensor["parameters"] = {"binary_data_size": len(raws[-1])}
        else:
            tensor["data"] = (
                [str(element) for element in flat] if datatype == "BYTES" else flat.tolist()
            )
        tensors.append(tensor)
    document: dict[str, Any] = {
        "model_name": model.name,
        "model_version": model.version,
        "id": body.id or prediction_id,
        "parameters": {
            "prediction_id": prediction_id,
            "bundle": model.digest,
            "stage": model.stage,
        },
        "outputs": tensors,
    }
    if prediction.filled:
        document["parameters"]["filled"] = msgspec.json.encode(prediction.filled).decode()
    if prediction.warnings:
        document["parameters"]["warnings"] = msgspec.json.encode(prediction.warnings).decode()
    if prediction.explanations is not None:
        document["parameters"]["explanations"] = msgspec.json.encode(
            prediction.explanations
        ).decode()
    head = encode(document)
    if not raws:
        return Response(200, head, JSON)
    extra = ((LENGTH, str(len(head)).encode()),)
    return Response(200, b"".join((head, *raws)), BINARY, extra)
