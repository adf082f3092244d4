"""``POST /invocations``: what MLflow's scoring server takes, answered in its form."""

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
from lockgate.serving.protocols.native.predict import check_width, row_of

__all__ = ["invocations_question", "predictions"]

EXPECTED = (
    "expected one of dataframe_split, dataframe_records, inputs and instances, "
    "or CSV with the content type text/csv"
)


class Split(msgspec.Struct):
    """A frame: names, and rows of values."""

    data: list[list[Any]]
    columns: list[str] | None = None
    index: list[Any] | None = None


class Params(msgspec.Struct, forbid_unknown_fields=True):
    """What is wanted: labels, or scores."""

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


def invocations_question(
    shelf: ModelStore, request: Request, send: SendResponse, most: int
) -> PredictionRequest:
    """Read what is asked.

    Raises
    ------
    Refusal
        If the body is no such question.

    """
    served = shelf.find(request.path_params[0] if request.path_params else None)
    body = read_body(decode, request.body, EXPECTED)
    forms = (body.dataframe_split, body.dataframe_records, body.inputs, body.instances)
    given = [one for one in forms if one is not None]
    if len(given) != 1:
        raise HTTPError(400, f"{len(given)} of the forms came; {EXPECTED}")
    output = body.params.output if body.params else "label"
    if output not in ("label", "score"):
        raise HTTPError(400, f"params.output is {output[:40]!r}, expected label or score")
    source, rows = _source(served, given[0])
    check_rows(rows, most)
    return PredictionRequest(
        request, send, served, source, rows, functools.partial(predictions, output=output)
    )


def _source(served: LoadedModel, given: Any) -> tuple[Any, int]:
    if isinstance(given, Split):
        names = served.names if given.columns is None else given.columns
        check_width(len(names))
        if len(set(names)) < len(names):
            raise HTTPError(422, "a column stands twice")
        for k, row in enumerate(given.data):
            if len(row) != len(names):
                raise HTTPError(422, f"row {k} has {len(row)} values, expected {len(names)}")
        return [dict(zip(names, row, strict=True)) for row in given.data], len(given.data)
    if isinstance(given, dict):
        check_width(len(given))
        columns = {k: v if isinstance(v, list) else [v] for k, v in given.items()}
        return columns, max(map(len, columns.values()), default=0)
    rows = [
        row_of(served, one, f"row {k}") if isinstance(one, list) else one
        for k, one in enumerate(given)
    ]
    return rows, len(rows)


def predictions(
    question: PredictionRequest, receipt: str, found: Prediction, output: str = "label"
) -> Response:
    """Write the answers as MLflow does, with their origin beside them."""
    served = question.model
    label, score, margin = to_lists(found)
    values = label if output == "label" else (margin if score is None else score)
    said = {
        "predictions": values,
        "id": receipt,
        "model": served.name,
        "version": served.version,
    }
    return Response(200, encode(said), JSON)
