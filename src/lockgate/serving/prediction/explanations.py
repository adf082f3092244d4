"""Explanations of the predictions of a request, where it asks for some."""

from __future__ import annotations

from typing import Any

import numpy as np

from lockgate.data.columns.parsing import read_columns
from lockgate.data.columns.rejections import RejectedRows
from lockgate.errors import NotApplicable, SchemaViolation
from lockgate.models.packed.runtime.blocks import take_cells
from lockgate.serving.http.messages import HTTPError
from lockgate.serving.prediction.requests import Prediction, PredictionRequest

__all__ = ["check_explained_rows", "explain_prediction"]

MAX_ROWS = 1000
"""Most rows of a request that are explained; a file of any size is, by `lockgate predict`."""

MAX_EVALUATIONS = 1 << 14
"""Most rows that are mixed of those of a request and the reference."""


def check_explained_rows(explain: int, rows: int) -> None:
    """Refuse to explain more rows than others should wait for.

    Raises
    ------
    HTTPError
        422, with the limit.

    """
    if explain and rows > MAX_ROWS:
        raise HTTPError(
            422,
            f"explain: at most {MAX_ROWS} rows of a request are explained, got {rows}; "
            "send them in parts, or use lockgate predict --explain",
        )


def explain_prediction(request: PredictionRequest) -> None:
    """Add explanations to the result of a request, or make it an error that says why not.

    Rows that were refused, and those that have no prediction with cells of the reference row,
    have None.
    """
    result, model = request.result, request.model
    if not request.explain or not isinstance(result, Prediction):
        return
    try:
        evaluations = model.explainers.find().evaluations
    except NotApplicable as error:
        request.result = HTTPError(422, f"explain: {error}")
        return
    except SchemaViolation as error:
        request.result = HTTPError(422, f"explain: {error.problems[0]}")
        return
    if evaluations * request.rows > MAX_EVALUATIONS:
        limit = max(1, MAX_EVALUATIONS // evaluations)
        message = f"explain: of this model at most {limit} rows of a request are explained"
        request.result = HTTPError(422, f"{message}, got {request.rows}")
        return
    source: Any = [request.source] if request.single else request.source
    labels = np.asarray([result.label] if request.single else result.label)
    cells, rows = read_columns(model.predictor.inputs, source, RejectedRows())
    kept = np.array([row for row in range(rows) if row not in result.refused], np.int64)
    explanation = model.explainers.explain_cells(
        [take_cells(column, kept) for column in cells], labels[kept]
    )
    usable = np.isfinite(explanation.values).all(axis=(1, 2)).tolist()
    explanations: list[Any] = [None] * rows
    for index, row in enumerate(kept.tolist()):
        if usable[index]:
            explanations[row] = explanation.document(index, request.explain)
    result.explanations = explanations
