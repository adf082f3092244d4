"""Where questions wait for this turn of the loop to end, and are answered together."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from lockgate.errors import LogError
from lockgate.prediction_log.ids import PredictionIds
from lockgate.serving.http.messages import INTERNAL_ERROR_MESSAGE, HTTPError
from lockgate.serving.prediction.model_store import LoadedModel
from lockgate.serving.prediction.requests import (
    Prediction,
    PredictionRequest,
    compute,
    compute_rows,
)

if TYPE_CHECKING:
    from lockgate.serving.prediction.recorder import Recorder
    from lockgate.serving.telemetry.metrics import MetricsRecorder

__all__ = ["Batcher"]

log = logging.getLogger("lockgate.serve")

INLINE = 2000
"""Rows of one request that are computed at once; more go to a thread, and others pass them."""

LARGE = 4
"""Requests that may wait for that thread."""


class Batcher:
    """Takes questions and sends answers.

    Attributes
    ----------
    queued : int
        Rows that wait.

    """

    def __init__(
        self,
        prediction_ids: PredictionIds,
        recorder: Recorder | None,
        metrics: MetricsRecorder,
        queue: int,
    ) -> None:
        self.prediction_ids, self.recorder, self.metrics, self.queue = (
            prediction_ids,
            recorder,
            metrics,
            queue,
        )
        self.queued = self.large = 0
        self._pending: dict[LoadedModel, list[PredictionRequest]] = {}
        self._thread = ThreadPoolExecutor(1, "large")

    def full(self) -> bool:
        """Whether no more may wait."""
        return self.queued >= self.queue

    def submit(self, request: PredictionRequest) -> None:
        """Take a question; its reply is sent when it is answered."""
        if request.rows == 0:
            if not self._pending:
                asyncio.get_running_loop().call_soon(self._flush)
            self._pending.setdefault(request.model, []).append(request)
            self.queued += 1
        elif request.rows <= INLINE:
            self._run_guarded(compute_rows, request)
            self._settle([request])
        elif self.large >= LARGE:
            raise HTTPError(503, "too many large requests wait", headers={b"retry-after": b"1"})
        else:
            self.large += 1
            loop = asyncio.get_running_loop()
            future = loop.run_in_executor(self._thread, self._run_guarded, compute_rows, request)
            future.add_done_callback(lambda _: self._finish_large(request))

    def _finish_large(self, request: PredictionRequest) -> None:
        self.large -= 1
        self._settle([request])

    def _flush(self) -> None:
        pending, self._pending = self._pending, {}
        self.queued = 0
        for requests in pending.values():
            self.metrics.batch(len(requests))
            try:
                compute(requests)
            except Exception:
                log.exception("answering failed")
            self._settle(requests)

    @staticmethod
    def _run_guarded(function: object, request: PredictionRequest) -> None:
        try:
            function(request)  # type: ignore[operator]  # a function of one question
        except Exception:
            log.exception("answering failed")

    def _settle(self, requests: list[PredictionRequest]) -> None:
        """Give ids, write down, and send; in this order."""
        predicted = []
        for request in requests:
            request.prediction_id = self.prediction_ids.next()
            request.number = self.prediction_ids.count
            if isinstance(request.result, Prediction):
                predicted.append(request)
        if predicted:
            for request in predicted:
                model, prediction = request.model, request.result
                assert isinstance(prediction, Prediction)
                self.metrics.predicted(
                    model.address, model.name, request.rows or 1, prediction.filled
                )
        if predicted and self.recorder is not None and self._record(predicted):
            requests = [
                request for request in requests if not isinstance(request.result, Prediction)
            ]
        self._send(requests)

    def _record(self, predicted: list[PredictionRequest]) -> bool:
        """Write down what was answered; return whether the log sends the replies, later."""
        assert self.recorder is not None
        try:
            return self.recorder.write(predicted, self._send)
        except LogError as error:
            for request in predicted:
                request.result = HTTPError(503, str(error), headers={b"retry-after": b"5"})
        except Exception:
            log.exception("writing to the prediction log failed")
            for request in predicted:
                request.result = HTTPError(500, INTERNAL_ERROR_MESSAGE)
        return False

    def _send(self, requests: list[PredictionRequest]) -> None:
        for request in requests:
            result = request.result
            if isinstance(result, Prediction):
                try:
                    response = request.write_response(request, request.prediction_id, result)
                except Exception:
                    log.exception("a reply cannot be written", extra={"id": request.prediction_id})
                    response = HTTPError(500, INTERNAL_ERROR_MESSAGE).to_response(
                        request.prediction_id
                    )
            else:
                response = (result or HTTPError(500, INTERNAL_ERROR_MESSAGE)).to_response(
                    request.prediction_id
                )
            request.send(response)
