"""Writes answered questions to the prediction log, as the settings have it."""

from __future__ import annotations

import asyncio
import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lockgate.errors import LogError
from lockgate.prediction_log.columns import logged_columns
from lockgate.prediction_log.entries import LogEntry, Model, key_text
from lockgate.prediction_log.ids import PredictionIds
from lockgate.prediction_log.writer import LogWriter
from lockgate.serving.http.messages import INTERNAL_ERROR_MESSAGE, HTTPError
from lockgate.serving.prediction.model_store import LoadedModel
from lockgate.serving.prediction.requests import PredictionRequest, to_lists
from lockgate.serving.settings import LogSettings
from lockgate.serving.telemetry.metrics import MetricsRecorder

__all__ = ["Recorder"]

log = logging.getLogger("lockgate.serve")

TIDY = 5.0
"""Seconds between two tidyings of the write-ahead log."""


class Recorder:
    """A worker's hand on the log.

    With `full` a thread writes what has gathered and flushes it to disk once
    for all of it, and the answers leave afterwards. Otherwise a batch is
    written at once: that costs some 15 microseconds, and what was written
    outlives the process.

    Parameters
    ----------
    folder : pathlib.Path
        The log.
    settings : LogSettings
        What is kept, and how.
    counts : Counts
        Where losses are counted.

    """

    def __init__(self, folder: Path, settings: LogSettings, counts: MetricsRecorder) -> None:
        self.folder, self.settings, self.counts = folder, settings, counts
        self.receipts = PredictionIds()
        self.full = settings.durability == "full"
        self.writer = LogWriter(folder, self.receipts.boot, full=self.full)
        self.labels = LogWriter(folder, f"{self.receipts.boot}-labels", full=True)
        self._models: dict[LoadedModel, Model] = {}
        self._waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._last_words = 0.0
        if self.full:
            threading.Thread(target=self._commit_for_ever, daemon=True, name="log").start()
        threading.Thread(target=self._tidy_for_ever, daemon=True, name="tidy").start()

    def write(
        self, questions: list[PredictionRequest], send: Callable[[list[PredictionRequest]], None]
    ) -> bool:
        """Write what was answered; return whether `send` is called later instead of by the caller.

        Raises
        ------
        LogError
            If it cannot be written, and the settings refuse to answer then.

        """
        if self.settings.durability == "sampled":
            questions = [one for one in questions if random.random() < self.settings.share]  # noqa: S311  # a sample
            if not questions:
                return False
        batch = (self._model(questions[0].model), [self._entry(one) for one in questions])
        if self.full:
            self._waiting.put((batch, questions, send, asyncio.get_running_loop()))
            return True
        try:
            self._wrote(questions, self.writer.write([batch]))
        except LogError as error:
            self._lost(questions, error)
        return False

    def _model(self, served: LoadedModel) -> Model:
        found = self._models.get(served)
        if found is None:
            columns = logged_columns(
                served.model.inputs, self.settings.inputs, self.settings.redact
            )
            found = Model(served.digest, served.name, served.version, served.stage, columns)
            self._models = dict(list(self._models.items())[-32:]) | {served: found}
        return found

    def _entry(self, question: PredictionRequest) -> LogEntry:
        found: Any = question.result
        columns = self._models[question.model].columns
        source, key = question.source, question.keys
        if not question.rows:
            inputs: Any = [source[name] for name in columns]
            if key is None and self.settings.key:
                key = source.get(self.settings.key)
            key = None if key is None else key_text(key)
        else:
            inputs, own = _columns(source, question.model.names, columns, self.settings.key)
            key = own if key is None else key
            if key is not None:
                key = [None if one is None else key_text(one) for one in key]
        label, score, margin = found.label, found.score, found.margin
        if question.rows:
            label, score, margin = to_lists(found)
        trace = question.request.headers.get(b"traceparent", b"")
        return LogEntry(
            question.number,
            question.rows,
            inputs,
            label,
            score,
            margin if score is None else None,
            key,
            trace.decode("latin-1"),
        )

    def _wrote(self, questions: Sequence[PredictionRequest], size: int) -> None:
        self.counts.once("log_rows", sum(one.rows or 1 for one in questions))
        self.counts.once("log_written_bytes", size)

    def _lost(self, questions: Sequence[PredictionRequest], error: LogError) -> None:
        """Count what could not be written; say so once in a while; refuse where that is wanted."""
        self.counts.once("log_lost", sum(one.rows or 1 for one in questions))
        if time.monotonic() - self._last_words > 10:
            self._last_words = time.monotonic()
            log.error("%s", error)
        if self.settings.full_disk == "refuse":
            raise error

    def _commit_for_ever(self) -> None:
        while True:
            gathered = [self._waiting.get()]
            while not self._waiting.empty() and len(gathered) < 1000:
                gathered.append(self._waiting.get())
            try:
                self._commit(gathered)
            except Exception:
                log.exception("the log's thread failed")
                for _, many, send, loop in gathered:
                    for one in many:
                        one.result = HTTPError(
                            500, INTERNAL_ERROR_MESSAGE
                        )  # nothing is acknowledged unwritten
                    loop.call_soon_threadsafe(send, many)

    def _commit(self, gathered: list[Any]) -> None:
        questions = [one for _, many, _, _ in gathered for one in many]
        try:
            size = self.writer.write([batch for batch, *_ in gathered])
            self._wrote(questions, size)
        except LogError as error:
            try:
                self._lost(questions, error)
            except LogError:
                for one in questions:
                    one.result = HTTPError(503, str(error), headers={b"retry-after": b"5"})
        for _, many, send, loop in gathered:
            loop.call_soon_threadsafe(send, many)

    def _tidy_for_ever(self) -> None:
        while True:
            time.sleep(TIDY)
            self.writer.tidy()
            self.labels.tidy()


def _columns(
    source: Any, names: Sequence[str], kept: Sequence[str], key: str
) -> tuple[list[list[Any]], Any]:
    """Return kept columns of several rows in whichever form they came, and the caller's keys."""
    if isinstance(source, np.ndarray):
        places = [names.index(name) for name in kept]
        return [source[:, place].tolist() for place in places], None
    if isinstance(source, list):
        own = [row.get(key) for row in source] if key else None
        return [[row.get(name) for row in source] for name in kept], own
    found = {name: _listed(source[name]) for name in kept}
    columns = getattr(source, "column_names", source)
    return list(found.values()), _listed(source[key]) if key and key in columns else None


def _listed(column: Any) -> list[Any]:
    if hasattr(column, "to_pylist"):
        return column.to_pylist()  # type: ignore[no-any-return]  # Arrow has no types
    return column.tolist() if isinstance(column, np.ndarray) else list(column)
