"""Where questions wait for this turn of the loop to end, and are answered together."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from lockgate.errors import LogError
from lockgate.prediction_log.ids import Receipts
from lockgate.serving.http.messages import OPAQUE, Refusal
from lockgate.serving.prediction.model_store import Served
from lockgate.serving.prediction.requests import Found, Question, compute, compute_rows

if TYPE_CHECKING:
    from lockgate.serving.prediction.recorder import Recorder
    from lockgate.serving.telemetry.metrics import Counts

__all__ = ["Desk"]

log = logging.getLogger("lockgate.serve")

INLINE = 2000
"""Rows of one request that are computed at once; more go to a thread, and others pass them."""

LARGE = 4
"""Requests that may wait for that thread."""


class Desk:
    """Takes questions and sends answers.

    Attributes
    ----------
    queued : int
        Rows that wait.

    """

    def __init__(
        self, receipts: Receipts, recorder: Recorder | None, counts: Counts, queue: int
    ) -> None:
        self.receipts, self.recorder, self.counts, self.queue = receipts, recorder, counts, queue
        self.queued = self.large = 0
        self._pending: dict[Served, list[Question]] = {}
        self._thread = ThreadPoolExecutor(1, "large")

    def full(self) -> bool:
        """Whether no more may wait."""
        return self.queued >= self.queue

    def ask(self, question: Question) -> None:
        """Take a question; its reply is sent when it is answered."""
        if question.rows == 0:
            if not self._pending:
                asyncio.get_running_loop().call_soon(self._flush)
            self._pending.setdefault(question.served, []).append(question)
            self.queued += 1
        elif question.rows <= INLINE:
            self._guarded(compute_rows, question)
            self._settle([question])
        elif self.large >= LARGE:
            raise Refusal(503, "too many large requests wait", headers={b"retry-after": b"1"})
        else:
            self.large += 1
            loop = asyncio.get_running_loop()
            work = loop.run_in_executor(self._thread, self._guarded, compute_rows, question)
            work.add_done_callback(lambda _: self._large_done(question))

    def _large_done(self, question: Question) -> None:
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
    def _guarded(work: object, question: Question) -> None:
        try:
            work(question)  # type: ignore[operator]  # a function of one question
        except Exception:
            log.exception("answering failed")

    def _settle(self, questions: list[Question]) -> None:
        """Give ids, write down, and send; in this order."""
        answered = []
        for one in questions:
            one.receipt = self.receipts.next()
            one.number = self.receipts.count
            if isinstance(one.found, Found):
                answered.append(one)
        if answered:
            for one in answered:
                served, found = one.served, one.found
                assert isinstance(found, Found)
                self.counts.predicted(served.address, served.name, one.rows or 1, found.filled)
        if answered and self.recorder is not None and self._written(answered):
            questions = [one for one in questions if not isinstance(one.found, Found)]
        self._send(questions)

    def _written(self, answered: list[Question]) -> bool:
        """Write down what was answered; return whether the log sends the replies, later."""
        assert self.recorder is not None
        try:
            return self.recorder.write(answered, self._send)
        except LogError as error:
            for one in answered:
                one.found = Refusal(503, str(error), headers={b"retry-after": b"5"})
        except Exception:
            log.exception("writing to the prediction log failed")
            for one in answered:
                one.found = Refusal(500, OPAQUE)
        return False

    def _send(self, questions: list[Question]) -> None:
        for one in questions:
            found = one.found
            if isinstance(found, Found):
                try:
                    reply = one.form(one, one.receipt, found)
                except Exception:
                    log.exception("a reply cannot be written", extra={"id": one.receipt})
                    reply = Refusal(500, OPAQUE).reply(one.receipt)
            else:
                reply = (found or Refusal(500, OPAQUE)).reply(one.receipt)
            one.send(reply)
