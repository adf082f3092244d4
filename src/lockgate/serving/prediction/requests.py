"""Requests for predictions: rows in any protocol, predicted together, each answered in its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from lockgate.contract.prediction import Output
from lockgate.data.columns.parsing import read_columns
from lockgate.data.columns.rejections import RejectedRows
from lockgate.data.data_contract.row_checks import check_rows
from lockgate.errors import SchemaViolation
from lockgate.models.packed.runtime.predictions import RowPrediction
from lockgate.serving.http.messages import HTTPError, Request, Response, SendResponse
from lockgate.serving.prediction.model_store import LoadedModel

__all__ = ["Filled", "Prediction", "PredictionRequest", "compute", "to_lists"]

Filled = dict[str, dict[str, int]]


class Prediction(msgspec.Struct):
    """The predictions for one request.

    Attributes
    ----------
    label, score, margin : object
        Of a single row: plain values. Of several rows: arrays, one entry a row.
    filled : dict
        Columns with missing or unknown cells, and how many of each;
        the model handled them as it was fitted to.
    warnings : list of str
        Columns that hardly hold what the model was trained on.
    refused : dict of int to list of str
        Rows without a prediction and why, where the request accepts partial results.
    explanations : list of dict or None
        What explains each row, where the request asks for it.

    """

    label: Any
    score: Any = None
    margin: Any = None
    filled: Filled = {}
    warnings: list[str] = []
    refused: dict[int, list[str]] = {}
    explanations: list[Any] | None = None


class PredictionRequest:
    """Rows of a request, and what becomes of them.

    Attributes
    ----------
    request : Request
        The HTTP request.
    send : callable
        Sends the response.
    model : LoadedModel
        The model that predicts.
    source : mapping, or what `PackedModel.predict` takes
        A single row as a mapping, or rows.
    rows : int
        Number of rows, at least 1.
    single : bool
        Whether `source` is a single row.
    write_response : callable
        Makes the response of the request, its id and the prediction.
    partial : bool
        Whether valid rows are predicted where others are refused.
    explain : int
        Largest number of reasons for each prediction; 0 for none.
    keys : object
        The caller's own keys of the rows, for labels that come later.
    result : Prediction, HTTPError or None
        What came of it.
    contract : str
        Whether rows are checked against the data contract: enforce, report, or empty for no.
    prediction_id, number
        The id that the response bears, and its number among those of this worker.

    """

    __slots__ = (
        "contract",
        "explain",
        "keys",
        "model",
        "number",
        "partial",
        "prediction_id",
        "request",
        "result",
        "rows",
        "send",
        "single",
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
        single: bool = False,
        partial: bool = False,
        keys: Any = None,
        explain: int = 0,
    ) -> None:
        self.request, self.send, self.model = request, send, model
        self.source, self.rows, self.write_response = source, rows, write_response
        self.single, self.partial, self.keys = single, partial, keys
        self.explain = explain
        self.result: Prediction | HTTPError | None = None
        self.prediction_id, self.number = "", 0
        policy = request.headers.get(b"lockgate-contract")
        self.contract = "" if policy is None else _check_policy(policy.decode("latin-1"), model)


def compute(requests: list[PredictionRequest]) -> None:
    """Predict requests of one model, all of which are single rows, or none.

    Single rows are predicted one by one or together, whichever is faster.
    """
    model = requests[0].model
    if not requests[0].single:
        _compute_rows(requests)
    elif len(requests) >= model.columns_from:
        _compute_together(requests)
    else:
        predict_one = model.predictor.predict_one
        for request in requests:
            try:
                request.result = _to_prediction(model, request.source, predict_one(request.source))
            except SchemaViolation as error:
                request.result = _schema_error(error.problems)
    for request in requests:
        if request.contract == "report" or (request.contract and request.single):
            _check_contract(request)


def _compute_together(requests: list[PredictionRequest]) -> None:
    """Predict single rows of one model, all of them at once."""
    model = requests[0].model
    rejected = RejectedRows()
    rows = [request.source for request in requests]
    output = model.predictor.predict(rows, rejected=rejected, engine="columns")
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


def _check_policy(policy: str, model: LoadedModel) -> str:
    """Return what to do with rows that violate the data contract, if it can be done."""
    if policy not in ("enforce", "report"):
        raise HTTPError(400, f"expected lockgate-contract: enforce or report, got {policy[:80]!r}")
    if model.contract is None:
        raise HTTPError(400, f"{model.address} has no data contract; omit lockgate-contract")
    return policy


def _check_contract(request: PredictionRequest) -> None:
    """Check a row that was predicted, or report what of the rows violates the data contract."""
    contract = request.model.contract
    if contract is None or not isinstance(request.result, Prediction):
        return  # the model's own reasons say more
    reasons: dict[int, list[str]] = {}
    source = [request.source] if request.single else request.source
    checked = check_rows(
        contract,
        source,
        reasons,
        read_as=request.model.predictor.inputs,
        skip=request.result.refused,
    )
    if request.contract == "report":
        # of single cells: a share of missing cells says nothing of a few rows
        messages = [f"data contract: {violation}" for violation in checked.cells]
        request.result.warnings = [*request.result.warnings, *messages]
    elif reasons:
        request.result = _schema_error([reason.replace(" in row 0", "") for reason in reasons[0]])


def _reject_by_contract(request: PredictionRequest, rejected: RejectedRows) -> None:
    """Reject the rows that violate the data contract, unless the model rejects them itself."""
    contract = request.model.contract
    if contract is None:
        return
    reasons: dict[int, list[str]] = {}
    check_rows(contract, request.source, reasons, read_as=request.model.predictor.inputs)
    rejected.reasons |= {row: of for row, of in reasons.items() if row not in rejected.reasons}


def _predict_alone(request: PredictionRequest) -> Prediction | HTTPError:
    """Predict a refused row by itself, so that the message is that of a single row."""
    try:
        return _to_prediction(
            request.model, request.source, request.model.predictor.predict_one(request.source)
        )
    except SchemaViolation as error:
        return _schema_error(error.problems)


def _compute_rows(requests: list[PredictionRequest]) -> None:
    """Predict the rows of requests of one model, all of them at once."""
    model = requests[0].model
    valid = []
    for request in requests:
        rejected = RejectedRows()
        try:
            cells, rows = read_columns(model.predictor.inputs, request.source, rejected)
            if rows != request.rows:
                raise SchemaViolation([f"expected {request.rows} rows, got {rows}"])
            if request.contract == "enforce":
                _reject_by_contract(request, rejected)
            if not request.partial:
                rejected.raise_first()
        except SchemaViolation as error:
            request.result = _schema_error(error.problems)
        else:
            valid.append((request, (cells, rows, rejected)))
    if valid:
        outputs = model.predictor.predict_together([part for _, part in valid])
        for (request, (cells, _, rejected)), output in zip(valid, outputs, strict=True):
            request.result = _to_result(request, cells, rejected, output)


def _to_result(
    request: PredictionRequest, cells: Sequence[Any], rejected: RejectedRows, output: Output
) -> Prediction | HTTPError:
    if rejected.reasons and not request.partial:
        try:
            rejected.raise_first()
        except SchemaViolation as error:
            return _schema_error(error.problems)
    filled = request.model.filled.count_rows(request.source, cells, request.rows, rejected.reasons)
    return Prediction(output.label, output.score, output.margin, *filled, rejected.reasons)


def to_lists(prediction: Prediction) -> tuple[list[Any], Any, Any]:
    """Return label, score and margin of several rows as lists, None for refused rows."""
    lists: list[Any] = []
    for values in (prediction.label, prediction.score, prediction.margin):
        flat = None if values is None else np.asarray(values).tolist()
        if flat is not None:
            for row in prediction.refused:
                flat[row] = None
        lists.append(flat)
    return lists[0], lists[1], lists[2]


def _to_prediction(model: LoadedModel, row: Any, row_prediction: RowPrediction) -> Prediction:
    if not model.filled.may_have_filled(row):
        return Prediction(row_prediction.label, row_prediction.score, row_prediction.margin)
    filled = model.filled.count(row)
    return Prediction(row_prediction.label, row_prediction.score, row_prediction.margin, *filled)


def _to_plain(output: Output) -> tuple[Any, Any, Any]:
    label: Any = output.label.tolist()
    score = None if output.score is None else output.score.tolist()
    margin = None if output.margin is None else output.margin.tolist()
    return label, score, margin


def _schema_error(problems: Any) -> HTTPError:
    return HTTPError(422, "rows do not fit the model's inputs", list(problems))
