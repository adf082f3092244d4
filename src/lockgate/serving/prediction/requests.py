"""Rows on their way: asked in whichever form, answered together, sent back each in its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from lockgate.contract.prediction import Output
from lockgate.data.columns.parsing import read_columns
from lockgate.data.columns.rejections import RejectedRows, count_missing
from lockgate.errors import SchemaViolation
from lockgate.models.packed.runtime.model import RowPrediction
from lockgate.serving.http.messages import HTTPError, Request, Response, SendResponse
from lockgate.serving.prediction.model_store import LoadedModel

__all__ = ["Filled", "Prediction", "PredictionRequest", "compute", "compute_rows", "to_lists"]

Filled = dict[str, dict[str, int]]


class Prediction(msgspec.Struct):
    """What came of a question.

    Attributes
    ----------
    label, score, margin : object
        Of one row: plain values. Of several: arrays, one row of scores for each.
    filled : dict
        ``gaps`` and ``unknown``: columns with cells that were empty or of no known
        category, which the model answered as it was made to, and how many.
    refused : dict of int to list of str
        Rows without an answer, where the request wanted the others nonetheless.

    """

    label: Any
    score: Any = None
    margin: Any = None
    filled: Filled = {}
    refused: dict[int, list[str]] = {}


class PredictionRequest:
    """Rows that a request asks about.

    Attributes
    ----------
    request, send
        The request, and where its reply goes.
    model : Served
        Who answers.
    source : mapping, or what `PackedModel.predict` takes
        One row as a mapping, or rows.
    rows : int
        How many; 0 stands for one row as a mapping.
    write_response : callable
        Makes the reply of the question, its id and what was found.
    partial : bool
        Whether the good rows are answered where others are refused.
    keys : list
        The caller's own keys of the rows, for labels that come later.

    """

    __slots__ = (
        "keys",
        "model",
        "number",
        "partial",
        "prediction_id",
        "request",
        "result",
        "rows",
        "send",
        "source",
        "write_response",
    )

    def __init__(
        self,
        request: Request,
        send: SendResponse,
        model: LoadedModel,
        source: Any,
        rows: int,
        write_response: Callable[[PredictionRequest, str, Prediction], Response],
        *,
        partial: bool = False,
        keys: Any = None,
    ) -> None:
        self.request, self.send, self.model = request, send, model
        self.source, self.rows, self.write_response = source, rows, write_response
        self.partial, self.keys = partial, keys
        self.result: Prediction | HTTPError | None = None
        self.prediction_id, self.number = "", 0


def compute(requests: list[PredictionRequest]) -> None:
    """Answer questions of one row each, all of one model, the faster way."""
    model = requests[0].model
    if len(requests) < model.columns_from:
        predict_one = model.packed.predict_one
        for request in requests:
            try:
                request.result = _to_prediction(model, request.source, predict_one(request.source))
            except SchemaViolation as error:
                request.result = _schema_error(error.problems)
        return
    rejected = RejectedRows()
    rows = [request.source for request in requests]
    output = model.packed.predict(rows, rejected=rejected, engine="columns")
    label, score, margin = _to_plain(output)
    for row, request in enumerate(requests):
        if row in rejected.reasons:
            request.result = _predict_alone(request)
        else:
            row_prediction = RowPrediction(
                label[row],
                None if score is None else score[row],
                None if margin is None else margin[row],
            )
            request.result = _to_prediction(model, request.source, row_prediction)


def _predict_alone(request: PredictionRequest) -> Prediction | HTTPError:
    """Ask about a refused row once more by itself, so that the reason has the same words."""
    try:
        return _to_prediction(
            request.model, request.source, request.model.packed.predict_one(request.source)
        )
    except SchemaViolation as error:
        return _schema_error(error.problems)


def compute_rows(request: PredictionRequest) -> None:
    """Answer a question of several rows."""
    rejected = RejectedRows()
    model = request.model
    try:
        output = model.packed.predict(request.source, rejected=rejected)
    except SchemaViolation as error:
        request.result = _schema_error(error.problems)
        return
    if rejected.reasons and not request.partial:
        try:
            rejected.raise_first()
        except SchemaViolation as error:
            request.result = _schema_error(error.problems)
            return
    request.result = Prediction(
        output.label,
        output.score,
        output.margin,
        count_missing(model.packed.inputs, rejected.cells),
        rejected.reasons,
    )


def to_lists(prediction: Prediction) -> tuple[list[Any], Any, Any]:
    """Return label, score and margin of several rows as lists, None for rows that were refused."""
    lists: list[Any] = []
    for values in (prediction.label, prediction.score, prediction.margin):
        flat = None if values is None else np.asarray(values).tolist()
        if flat is not None:
            for row in prediction.refused:
                flat[row] = None
        lists.append(flat)
    return lists[0], lists[1], lists[2]


def _to_prediction(model: LoadedModel, row: Any, row_prediction: RowPrediction) -> Prediction:
    if not model.may_have_missing(row):
        return Prediction(row_prediction.label, row_prediction.score, row_prediction.margin)
    cells, _ = read_columns(model.packed.inputs, [row])
    return Prediction(*row_prediction, count_missing(model.packed.inputs, cells))


def _to_plain(output: Output) -> tuple[Any, Any, Any]:
    label: Any = output.label.tolist()
    score = None if output.score is None else output.score.tolist()
    margin = None if output.margin is None else output.margin.tolist()
    return label, score, margin


def _schema_error(problems: Any) -> HTTPError:
    return HTTPError(422, "rows do not fit the model's inputs", list(problems))
