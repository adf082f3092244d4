"""Batches: requests that arrive in one turn of the loop are predicted together."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from lockgate.errors import LogError
from lockgate.prediction_log.ids import PredictionIds
from lockgate.serving.http.messages import (
    INTERNAL_ERROR_MESSAGE,
    HTTPError,
    Request,
    Response,
    SendResponse,
    overloaded,
)
from lockgate.serving.prediction.explanations import explain_prediction
from lockgate.serving.prediction.model_store import LoadedModel
from lockgate.serving.prediction.requests import (
    Prediction,
    PredictionRequest,
    compute,
)

if TYPE_CHECKING:
    from lockgate.serving.prediction.recorder import Recorder
    from lockgate.serving.telemetry.metrics import MetricsRecorder

__all__ = ["Batcher"]

log = logging.getLogger("lockgate.serve")

MAX_INLINE_ROWS = 2000
"""Rows that are predicted at once in the loop; a request of more goes to a thread."""

MAX_LARGE_REQUESTS = 4
"""Requests that may be in progress in that thread, or wait for it."""

MAX_EXPLAINED_REQUESTS = 16
"""Requests that may wait for the thread that explains predictions."""


class Batcher:
    """Predicts requests and sends the responses.

    Parameters
    ----------
    recorder : Recorder or None
        Writes the prediction log.
    error_ids : PredictionIds
        Numbers errors.
    metrics : MetricsRecorder
        Counts batches and rows.
    queue : int
        Single rows that may wait.

    Attributes
    ----------
    queued : int
        Single rows that wait for the end of this turn.
    large : int
        Large requests that are in progress in the thread, or wait for it.
    explained : int
        Requests that are explained in a thread of their own, or wait for it.

    """

    def __init__(
        self,
        recorder: Recorder | None,
        error_ids: PredictionIds,
        metrics: MetricsRecorder,
        queue: int,
    ) -> None:
        self.recorder, self.metrics, self.queue = recorder, metrics, queue
        self._error_ids = error_ids
        self._prediction_ids = PredictionIds() if recorder is None else recorder.prediction_ids
        self._large_ids = PredictionIds() if recorder is None else recorder.large_ids
        self.queued = self.large = self.explained = 0
        self._pending: dict[tuple[LoadedModel, bool], list[PredictionRequest]] = {}
        self._thread = ThreadPoolExecutor(1, "large")
        self._explaining_thread = ThreadPoolExecutor(1, "explain")

    def full(self) -> bool:
        """Return whether no more single rows may wait."""
        return self.queued >= self.queue

    def submit(self, request: PredictionRequest) -> None:
        """Take a request; its response is sent when it is predicted.

        Raises
        ------
        HTTPError
            503, if it is large or takes long to explain, and too many of them are in progress.

        """
        if request.explain and not _explains_at_once(request):
            self._submit_explained(request)
        elif request.rows <= MAX_INLINE_ROWS:
            if not self._pending:
                asyncio.get_running_loop().call_soon(self._flush)
            self._pending.setdefault((request.model, request.single), []).append(request)
            self.queued += request.single
        else:
            self.submit_large(request.request, request.send, lambda: request)

    def _submit_explained(self, request: PredictionRequest) -> None:
        """Take a request whose explanations take long: they are computed in a thread."""
        if self.explained >= MAX_EXPLAINED_REQUESTS:
            raise overloaded()
        self.explained += 1

        def on_done(_: object) -> None:
            self.explained -= 1
            self.metrics.batch(request.model.address, request.rows)
            self._finish([request])

        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._explaining_thread, _compute_individually, [request])
        future.add_done_callback(on_done)

    def submit_large(
        self, request: Request, send: SendResponse, read: Callable[[], PredictionRequest]
    ) -> None:
        """Take a large request; it is read, predicted, logged and answered in a thread.

        Raises
        ------
        HTTPError
            503, if too many of them are in progress.

        """
        if self.large >= MAX_LARGE_REQUESTS:
            raise overloaded()
        self.large += 1

        def on_done(future: asyncio.Future[tuple[PredictionRequest, Response | None]]) -> None:
            self.large -= 1
            try:
                prediction, response = future.result()
            except HTTPError as error:
                send(error.to_response(self._error_ids.next()))
            except Exception:
                prediction_id = self._error_ids.next()
                log.exception("answering %s failed", request.path, extra={"id": prediction_id})
                send(HTTPError(500, INTERNAL_ERROR_MESSAGE).to_response(prediction_id))
            else:
                if response is None:
                    prediction.prediction_id = self._error_ids.next()
                    response = _response(prediction)
                address, name, rows = (
                    prediction.model.address,
                    prediction.model.name,
                    prediction.rows,
                )
                self.metrics.batch(address, rows)
                if isinstance(prediction.result, Prediction):
                    self.metrics.predicted(address, name, rows, prediction.result.filled)
                send(response)

        loop = asyncio.get_running_loop()
        loop.run_in_executor(self._thread, self._answer_large, read).add_done_callback(on_done)

    def _answer_large(
        self, read: Callable[[], PredictionRequest]
    ) -> tuple[PredictionRequest, Response | None]:
        """Return the request and the response; None for an error, which is numbered in the loop."""
        # millions of new objects would start collections that stop all threads; none of them is
        # part of a circle, and those of other requests can wait
        gc.disable()
        try:
            request = read()
            _compute_individually([request])
            if not isinstance(request.result, Prediction):
                return request, None
            request.prediction_id = self._large_ids.next()
            request.number = self._large_ids.count
            if self.recorder is not None:
                recorder = self.recorder
                self._record([request], lambda: recorder.write_large(request))
            return request, _response(request)
        finally:
            gc.enable()

    def _flush(self) -> None:
        """Predict the requests of this turn of the loop, model by model."""
        pending, self._pending = self._pending, {}
        self.queued = 0
        for (model, single), requests in pending.items():
            for group in [requests] if single else _groups(requests):
                self.metrics.batch(model.address, sum(request.rows for request in group))
                try:
                    compute(group)
                except Exception:
                    _compute_individually(group)
                else:
                    for request in group:
                        if request.explain:
                            _explain(request)
                self._finish(group)

    def _finish(self, requests: list[PredictionRequest]) -> None:
        """Give ids, write the log, and send the responses; in this order."""
        predicted = []
        for request in requests:
            if isinstance(request.result, Prediction):
                request.prediction_id = self._prediction_ids.next()
                request.number = self._prediction_ids.count
                predicted.append(request)
                address, name = request.model.address, request.model.name
                self.metrics.predicted(address, name, request.rows, request.result.filled)
            else:
                request.prediction_id = self._error_ids.next()
        if predicted and self.recorder is not None:
            recorder = self.recorder
            if self._record(predicted, lambda: recorder.write(predicted, _send)):
                requests = [
                    request for request in requests if not isinstance(request.result, Prediction)
                ]
        for request in requests:
            request.send(_response(request))

    @staticmethod
    def _record(predicted: list[PredictionRequest], write: Callable[[], bool | None]) -> bool:
        """Write predictions to the log; return whether the log sends the responses, later."""
        try:
            return bool(write())
        except LogError as error:
            for request in predicted:
                request.result = HTTPError(503, str(error), headers={b"retry-after": b"5"})
        except Exception:
            log.exception("writing to the prediction log failed")
            for request in predicted:
                request.result = HTTPError(500, INTERNAL_ERROR_MESSAGE)
        return False


def _send(requests: list[PredictionRequest]) -> None:
    for request in requests:
        request.send(_response(request))


def _response(request: PredictionRequest) -> Response:
    result, prediction_id = request.result, request.prediction_id
    if not isinstance(result, Prediction):
        error = result or HTTPError(500, INTERNAL_ERROR_MESSAGE)
        return error.to_response(prediction_id)
    try:
        return request.write_response(request, prediction_id, result)
    except Exception:
        log.exception("a response cannot be written", extra={"id": prediction_id})
        return HTTPError(500, INTERNAL_ERROR_MESSAGE).to_response(prediction_id)


def _groups(requests: list[PredictionRequest]) -> Iterator[list[PredictionRequest]]:
    """Divide requests into groups of at most `MAX_INLINE_ROWS` rows."""
    group: list[PredictionRequest] = []
    rows = 0
    for request in requests:
        if rows + request.rows > MAX_INLINE_ROWS:
            yield group
            group, rows = [], 0
        group.append(request)
        rows += request.rows
    yield group


def _compute_individually(requests: list[PredictionRequest]) -> None:
    """Predict requests one by one; a fault leaves the request that causes it without a result."""
    for request in requests:
        try:
            compute([request])
        except Exception:
            log.exception("predicting failed")
        else:
            if request.explain:
                _explain(request)


def _explain(request: PredictionRequest) -> None:
    """Explain the predictions of a request that asks for it."""
    try:
        explain_prediction(request)
    except Exception:
        log.exception("explaining failed")
        request.result = None


def _explains_at_once(request: PredictionRequest) -> bool:
    """Return whether explaining is not much slower than predicting."""
    return request.single and request.model.explainers.is_fast
