"""Writes predictions to the prediction log, as the settings say."""

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
from lockgate.serving.telemetry.logs import TRACE_PARENT
from lockgate.serving.telemetry.metrics import MetricsRecorder

__all__ = ["Recorder"]

log = logging.getLogger("lockgate.serve")


class Recorder:
    """Writes the log of a worker.

    With `full` a thread writes what has gathered and flushes it to disk once
    for all of it, and the responses are sent afterwards. Otherwise a batch is
    written at once: that costs some 15 microseconds, and what was written
    outlives the process.

    Parameters
    ----------
    folder : pathlib.Path
        The log.
    settings : LogSettings
        What is kept, and how.
    metrics : MetricsRecorder
        Where losses are counted.

    """

    def __init__(self, folder: Path, settings: LogSettings, metrics: MetricsRecorder) -> None:
        self.folder, self.settings, self.metrics = folder, settings, metrics
        self.prediction_ids = PredictionIds()
        self.full = settings.durability == "full"
        self.writer = LogWriter(folder, self.prediction_ids.boot, full=self.full)
        self.label_writer = LogWriter(folder, f"{self.prediction_ids.boot}-labels", full=True)
        # millions of cells take long to write: they have a file and numbers of their own
        self.large_ids = PredictionIds()
        self._large_writer = LogWriter(folder, self.large_ids.boot, full=self.full)
        self._models: dict[LoadedModel, Model] = {}
        self._waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._last_error_time = 0.0
        self._warned_of_keys = False
        if self.full:
            threading.Thread(target=self._commit_forever, daemon=True, name="log").start()
        threading.Thread(target=self._checkpoint_forever, daemon=True, name="tidy").start()

    def write(
        self, requests: list[PredictionRequest], send: Callable[[list[PredictionRequest]], None]
    ) -> bool:
        """Write predictions; return whether `send` is called later instead of by the caller.

        Raises
        ------
        LogError
            If it cannot be written, and the settings refuse to answer then.

        """
        if self.settings.durability == "sampled":
            requests = [request for request in requests if random.random() < self.settings.share]  # noqa: S311  # a sample
            if not requests:
                return False
        model = self._logged_model(requests[0].model)
        batch = (model, [self._entry(request, model) for request in requests])
        if self.full:
            self._waiting.put((batch, requests, send, asyncio.get_running_loop()))
            return True
        try:
            self._count_written(requests, self.writer.write([batch]))
        except LogError as error:
            self._count_lost(requests, error)
        return False

    def write_large(self, request: PredictionRequest) -> None:
        """Write the predictions of a large request; called in the thread of these.

        Raises
        ------
        LogError
            If it cannot be written, and the settings refuse to answer then.

        """
        if self.settings.durability == "sampled" and random.random() >= self.settings.share:  # noqa: S311  # a sample
            return
        model = self._logged_model(request.model)
        try:
            size = self._large_writer.write([(model, [self._entry(request, model)])])
            self._count_written([request], size)
        except LogError as error:
            self._count_lost([request], error)

    def _logged_model(self, model: LoadedModel) -> Model:
        logged_model = self._models.get(model)
        if logged_model is None:
            columns = logged_columns(
                model.predictor.inputs, self.settings.inputs, self.settings.redact
            )
            logged_model = Model(model.digest, model.name, model.version, model.stage, columns)
            self._models = dict(list(self._models.items())[-32:]) | {model: logged_model}
        return logged_model

    def _entry(self, request: PredictionRequest, model: Model) -> LogEntry:
        prediction: Any = request.result
        columns = model.columns
        source, key = request.source, request.keys
        if request.single:
            inputs: Any = [source[name] for name in columns]
            if key is None and self.settings.key:
                key = source.get(self.settings.key)
            key = None if key is None else key_text(key)
        else:
            inputs, row_keys = _select_columns(
                source, request.model.names, columns, self.settings.key
            )
            key = row_keys if key is None else key
            if key is not None:
                key = [None if row_key is None else key_text(row_key) for row_key in key]
        if key is None and self.settings.key and not self._warned_of_keys:
            self._warned_of_keys = True
            log.warning(
                "rows have no column %s, which --key names: labels by key will not match them",
                self.settings.key,
            )
        label, score, margin = prediction.label, prediction.score, prediction.margin
        if not request.single:
            label, score, margin = to_lists(prediction)
        trace = request.request.headers.get(b"traceparent", b"").decode("latin-1")
        if trace and not TRACE_PARENT.fullmatch(trace):
            trace = ""  # it names no trace, and may be kilobytes long
        return LogEntry(
            request.number,
            0 if request.single else request.rows,  # as the log writes it
            inputs,
            label,
            score,
            margin if score is None else None,
            key,
            trace,
        )

    def _count_written(self, requests: Sequence[PredictionRequest], size: int) -> None:
        self.metrics.increment("log_rows", sum(request.rows for request in requests))
        self.metrics.increment("log_written_bytes", size)

    def _count_lost(self, requests: Sequence[PredictionRequest], error: LogError) -> None:
        """Count what could not be written, log it at intervals, and refuse where configured."""
        self.metrics.increment("log_lost", sum(request.rows for request in requests))
        if time.monotonic() - self._last_error_time > 10:
            self._last_error_time = time.monotonic()
            log.error("%s", error)
        if self.settings.full_disk == "refuse":
            raise error

    def _commit_forever(self) -> None:
        while True:
            batches = [self._waiting.get()]
            while not self._waiting.empty() and len(batches) < 1000:
                batches.append(self._waiting.get())
            try:
                self._commit(batches)
            except Exception:
                log.exception("the log's thread failed")
                for _, requests, send, loop in batches:
                    for request in requests:
                        request.result = HTTPError(
                            500, INTERNAL_ERROR_MESSAGE
                        )  # nothing is acknowledged unwritten
                    loop.call_soon_threadsafe(send, requests)

    def _commit(self, batches: list[Any]) -> None:
        requests = [request for _, group, _, _ in batches for request in group]
        try:
            size = self.writer.write([batch for batch, *_ in batches])
            self._count_written(requests, size)
        except LogError as error:
            try:
                self._count_lost(requests, error)
            except LogError:
                for request in requests:
                    request.result = HTTPError(503, str(error), headers={b"retry-after": b"5"})
        for _, group, send, loop in batches:
            loop.call_soon_threadsafe(send, group)

    def _checkpoint_forever(self) -> None:
        never = threading.Event()
        while not never.wait(self.settings.checkpoint_seconds):
            self.writer.checkpoint()
            self.label_writer.checkpoint()
            self._large_writer.checkpoint()


def _select_columns(
    source: Any, names: Sequence[str], logged: Sequence[str], key: str
) -> tuple[list[list[Any]], Any]:
    """Return the logged columns of several rows, in any form, and the caller's keys."""
    if isinstance(source, np.ndarray):
        indexes = [names.index(name) for name in logged]
        return [source[:, index].tolist() for index in indexes], None
    if isinstance(source, list):
        keys = [row.get(key) for row in source] if key else None
        return [[row.get(name) for row in source] for name in logged], keys
    values = {name: _to_list(source[name]) for name in logged}
    available = getattr(source, "column_names", source)
    return list(values.values()), _to_list(source[key]) if key and key in available else None


def _to_list(column: Any) -> list[Any]:
    if hasattr(column, "to_pylist"):
        return column.to_pylist()  # type: ignore[no-any-return]  # Arrow has no types
    return column.tolist() if isinstance(column, np.ndarray) else list(column)
