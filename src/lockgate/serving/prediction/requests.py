"""Rows on their way: asked in whichever form, answered together, sent back each in its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from lockgate.contract.prediction import Output
from lockgate.data.columns.parsing import read_columns
from lockgate.data.columns.rejections import Rejected, filled
from lockgate.errors import SchemaViolation
from lockgate.models.packed.runtime.model import Answer
from lockgate.serving.http.messages import Refusal, Reply, Request, Send
from lockgate.serving.prediction.model_store import Served

__all__ = ["Filled", "Found", "Question", "compute", "compute_rows", "listed"]

Filled = dict[str, dict[str, int]]


class Found(msgspec.Struct):
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


class Question:
    """Rows that a request asks about.

    Attributes
    ----------
    request, send
        The request, and where its reply goes.
    served : Served
        Who answers.
    source : mapping, or what `PackedModel.predict` takes
        One row as a mapping, or rows.
    rows : int
        How many; 0 stands for one row as a mapping.
    form : callable
        Makes the reply of the question, its id and what was found.
    partial : bool
        Whether the good rows are answered where others are refused.
    keys : list
        The caller's own keys of the rows, for labels that come later.

    """

    __slots__ = (
        "form",
        "found",
        "keys",
        "number",
        "partial",
        "receipt",
        "request",
        "rows",
        "send",
        "served",
        "source",
    )

    def __init__(
        self,
        request: Request,
        send: Send,
        served: Served,
        source: Any,
        rows: int,
        form: Callable[[Question, str, Found], Reply],
        *,
        partial: bool = False,
        keys: Any = None,
    ) -> None:
        self.request, self.send, self.served = request, send, served
        self.source, self.rows, self.form = source, rows, form
        self.partial, self.keys = partial, keys
        self.found: Found | Refusal | None = None
        self.receipt, self.number = "", 0


def compute(questions: list[Question]) -> None:
    """Answer questions of one row each, all of one model, the faster way."""
    served = questions[0].served
    if len(questions) < served.columns_from:
        ask = served.model.predict_one
        for one in questions:
            try:
                one.found = _one(served, one.source, ask(one.source))
            except SchemaViolation as error:
                one.found = _unfit(error.problems)
        return
    rejected = Rejected()
    rows = [one.source for one in questions]
    output = served.model.predict(rows, rejected=rejected, engine="columns")
    label, score, margin = _plain(output)
    for row, one in enumerate(questions):
        if row in rejected.reasons:
            one.found = _alone(one)
        else:
            answer = Answer(
                label[row],
                None if score is None else score[row],
                None if margin is None else margin[row],
            )
            one.found = _one(served, one.source, answer)


def _alone(question: Question) -> Found | Refusal:
    """Ask about a refused row once more by itself, so that the reason has the same words."""
    try:
        return _one(
            question.served, question.source, question.served.model.predict_one(question.source)
        )
    except SchemaViolation as error:
        return _unfit(error.problems)


def compute_rows(question: Question) -> None:
    """Answer a question of several rows."""
    rejected = Rejected()
    served = question.served
    try:
        output = served.model.predict(question.source, rejected=rejected)
    except SchemaViolation as error:
        question.found = _unfit(error.problems)
        return
    if rejected.reasons and not question.partial:
        try:
            rejected.raise_first()
        except SchemaViolation as error:
            question.found = _unfit(error.problems)
            return
    question.found = Found(
        output.label,
        output.score,
        output.margin,
        filled(served.model.inputs, rejected.cells),
        rejected.reasons,
    )


def listed(found: Found) -> tuple[list[Any], Any, Any]:
    """Return label, score and margin of several rows as lists, None for rows that were refused."""
    made: list[Any] = []
    for values in (found.label, found.score, found.margin):
        flat = None if values is None else np.asarray(values).tolist()
        if flat is not None:
            for row in found.refused:
                flat[row] = None
        made.append(flat)
    return made[0], made[1], made[2]


def _one(served: Served, row: Any, answer: Answer) -> Found:
    if not served.suspicious(row):
        return Found(answer.label, answer.score, answer.margin)
    cells, _ = read_columns(served.model.inputs, [row])
    return Found(*answer, filled(served.model.inputs, cells))


def _plain(output: Output) -> tuple[Any, Any, Any]:
    label: Any = output.label.tolist()
    score = None if output.score is None else output.score.tolist()
    margin = None if output.margin is None else output.margin.tolist()
    return label, score, margin


def _unfit(problems: Any) -> Refusal:
    return Refusal(422, "rows do not fit the model's inputs", list(problems))
