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
        receipts: PredictionIds,
        recorder: Recorder | None,
        counts: MetricsRecorder,
        queue: int,
    ) -> None:
        self.receipts, self.recorder, self.counts, self.queue = receipts, recorder, counts, queue
        self.queued = self.large = 0
        self._pending: dict[LoadedModel, list[PredictionRequest]] = {}
        self._thread = ThreadPoolExecutor(1, "large")

    def full(self) -> bool:
        """Whether no more may wait."""
        return self.queued >= self.queue

    def ask(self, question: PredictionRequest) -> None:
        """Take a question; its reply is sent when it is answered."""
        if question.rows == 0:
            if not self._pending:
                asyncio.get_running_loop().call_soon(self._flush)
            self._pending.setdefault(question.model, []).append(question)
            self.queued += 1
        elif question.rows <= INLINE:
            self._guarded(compute_rows, question)
            self._settle([question])
        elif self.large >= LARGE:
            raise HTTPError(503, "too many large requests wait", headers={b"retry-after": b"1"})
        else:
            self.large += 1
            loop = asyncio.get_running_loop()
            work = loop.run_in_executor(self._thread, self._guarded, compute_rows, question)
            work.add_done_callback(lambda _: self._large_done(question))

    def _large_done(self, question: PredictionRequest) -> None:
        self.large -= 1
        self._settle([question])

    def _flush(self) -> None:
        pending, self._pending = self._pending, {}
        self.queued = 0
        for questions in pending.values():
            self.counts.batch(len(questions))
            try:
                compute(questions)
            except Exception:
                log.exception("answering failed")
            self._settle(questions)

    @staticmethod
    def _guarded(work: object, question: PredictionRequest) -> None:
        try:
            work(question)  # type: ignore[operator]  # a function of one question
        except Exception:
            log.exception("answering failed")

    def _settle(self, questions: list[PredictionRequest]) -> None:
        """Give ids, write down, and send; in this order."""
        answered = []
        for one in questions:
            one.prediction_id = self.receipts.next()
            one.number = self.receipts.count
            if isinstance(one.result, Prediction):
                answered.append(one)
        if answered:
            for one in answered:
                served, found = one.model, one.result
                assert isinstance(found, Prediction)
                self.counts.predicted(served.address, served.name, one.rows or 1, found.filled)
        if answered and self.recorder is not None and self._written(answered):
            questions = [one for one in questions if not isinstance(one.result, Prediction)]
        self._send(questions)

    def _written(self, answered: list[PredictionRequest]) -> bool:
        """Write down what was answered; return whether the log sends the replies, later."""
        assert self.recorder is not None
        try:
            return self.recorder.write(answered, self._send)
        except LogError as error:
            for one in answered:
                one.result = HTTPError(503, str(error), headers={b"retry-after": b"5"})
        except Exception:
            log.exception("writing to the prediction log failed")
            for one in answered:
                one.result = HTTPError(500, INTERNAL_ERROR_MESSAGE)
        return False

    def _send(self, questions: list[PredictionRequest]) -> None:
        for one in questions:
            found = one.result
            if isinstance(found, Prediction):
                try:
                    reply = one.write_response(one, one.prediction_id, found)
                except Exception:
                    log.exception("a reply cannot be written", extra={"id": one.prediction_id})
                    reply = HTTPError(500, INTERNAL_ERROR_MESSAGE).reply(one.prediction_id)
            else:
                reply = (found or HTTPError(500, INTERNAL_ERROR_MESSAGE)).reply(one.prediction_id)
            one.send(reply)
