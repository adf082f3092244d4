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
        served: LoadedModel,
        source: Any,
        rows: int,
        form: Callable[[PredictionRequest, str, Prediction], Response],
        *,
        partial: bool = False,
        keys: Any = None,
    ) -> None:
        self.request, self.send, self.model = request, send, served
        self.source, self.rows, self.write_response = source, rows, form
        self.partial, self.keys = partial, keys
        self.result: Prediction | HTTPError | None = None
        self.prediction_id, self.number = "", 0


def compute(questions: list[PredictionRequest]) -> None:
    """Answer questions of one row each, all of one model, the faster way."""
    served = questions[0].model
    if len(questions) < served.columns_from:
        ask = served.model.predict_one
        for one in questions:
            try:
                one.result = _one(served, one.source, ask(one.source))
            except SchemaViolation as error:
                one.result = _unfit(error.problems)
        return
    rejected = RejectedRows()
    rows = [one.source for one in questions]
    output = served.model.predict(rows, rejected=rejected, engine="columns")
    label, score, margin = _plain(output)
    for row, one in enumerate(questions):
        if row in rejected.reasons:
            one.result = _alone(one)
        else:
            answer = RowPrediction(
                label[row],
                None if score is None else score[row],
                None if margin is None else margin[row],
            )
            one.result = _one(served, one.source, answer)


def _alone(question: PredictionRequest) -> Prediction | HTTPError:
    """Ask about a refused row once more by itself, so that the reason has the same words."""
    try:
        return _one(
            question.model, question.source, question.model.model.predict_one(question.source)
        )
    except SchemaViolation as error:
        return _unfit(error.problems)


def compute_rows(question: PredictionRequest) -> None:
    """Answer a question of several rows."""
    rejected = RejectedRows()
    served = question.model
    try:
        output = served.model.predict(question.source, rejected=rejected)
    except SchemaViolation as error:
        question.result = _unfit(error.problems)
        return
    if rejected.reasons and not question.partial:
        try:
            rejected.raise_first()
        except SchemaViolation as error:
            question.result = _unfit(error.problems)
            return
    question.result = Prediction(
        output.label,
        output.score,
        output.margin,
        count_missing(served.model.inputs, rejected.cells),
        rejected.reasons,
    )


def to_lists(found: Prediction) -> tuple[list[Any], Any, Any]:
    """Return label, score and margin of several rows as lists, None for rows that were refused."""
    made: list[Any] = []
    for values in (found.label, found.score, found.margin):
        flat = None if values is None else np.asarray(values).tolist()
        if flat is not None:
            for row in found.refused:
                flat[row] = None
        made.append(flat)
    return made[0], made[1], made[2]


def _one(served: LoadedModel, row: Any, answer: RowPrediction) -> Prediction:
    if not served.may_have_missing(row):
        return Prediction(answer.label, answer.score, answer.margin)
    cells, _ = read_columns(served.model.inputs, [row])
    return Prediction(*answer, count_missing(served.model.inputs, cells))


def _plain(output: Output) -> tuple[Any, Any, Any]:
    label: Any = output.label.tolist()
    score = None if output.score is None else output.score.tolist()
    margin = None if output.margin is None else output.margin.tolist()
    return label, score, margin


def _unfit(problems: Any) -> HTTPError:
    return HTTPError(422, "rows do not fit the model's inputs", list(problems))
