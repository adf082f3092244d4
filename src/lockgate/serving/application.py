"""The application: admits requests, routes them, and counts responses."""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from lockgate.prediction_log.ids import PredictionIds
from lockgate.serving.http.messages import (
    INTERNAL_ERROR_MESSAGE,
    HTTPError,
    Request,
    Response,
    SendResponse,
    overloaded,
)
from lockgate.serving.http.routing import Route, Routes
from lockgate.serving.prediction.batcher import Batcher
from lockgate.serving.prediction.model_store import ModelStore
from lockgate.serving.settings import ServeSettings
from lockgate.serving.telemetry.metrics import MetricsRecorder, resident_memory

if TYPE_CHECKING:
    from lockgate.serving.http.tokens import Tokens
    from lockgate.serving.prediction.recorder import Recorder

__all__ = ["Application"]

log = logging.getLogger("lockgate.serve")

HOST = re.compile(rb"([^:\[\]@/?#]*|\[[0-9a-fA-F:.]*\])(?::[0-9]{1,5})?")
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
JSON, JSON_BYTES = "application/json", b"application/json"


LARGE_BODY = 256 << 10
"""Bytes of a body from which it is read in a thread: about 10 ms of work."""


MAX_WAITING = 64
"""Requests that may wait for the thread in which the log is read."""

MAX_WAITING_BYTES = 64 << 20
"""Bytes of their bodies."""


class Application:
    """Handles whole requests; knows neither sockets nor processes.

    A request is admitted by its head alone, before its body is read, and then
    either answered at once by its route or read as rows that the batcher predicts.

    Parameters
    ----------
    store : ModelStore
        The models that are served.
    settings : ServeSettings
        Settings of the server.
    metrics : MetricsRecorder
        Counts requests and predictions.
    recorder : Recorder, optional
        Writes the prediction log.
    tokens : Tokens, optional
        Tokens of clients; without it every client is admitted.
    started_at : float, optional
        When the server started, seconds since 1970.

    """

    def __init__(
        self,
        store: ModelStore,
        settings: ServeSettings,
        metrics: MetricsRecorder,
        *,
        recorder: Recorder | None = None,
        tokens: Tokens | None = None,
        started_at: float | None = None,
    ) -> None:
        self.store, self.settings, self.metrics, self.tokens = store, settings, metrics, tokens
        # errors have ids of their own, so that a refused request takes no number of the log
        self.error_ids = PredictionIds()
        self.recorder = recorder
        self.batcher = Batcher(recorder, self.error_ids, metrics, settings.limits.queue)
        self.ready, self.started_at = True, started_at or time.time()
        self._max_rows = settings.limits.rows
        self.routes = Routes([])
        self.hosts = _hosts(settings) if tokens is None else None
        self._thread = ThreadPoolExecutor(1, "log-reader")
        self._waiting = self._waiting_bytes = 0

    def mount(self, routes: Iterable[Route]) -> None:
        """Set the routes that are answered."""
        self.routes = Routes(list(routes))

    # admission

    def admit(self, request: Request) -> Response | None:
        """Admit a request by its head; a response refuses it."""
        try:
            self._admit(request)
        except HTTPError as error:
            return self.error_response(error)
        return None

    def _admit(self, request: Request) -> None:
        methods, path_params = self.routes.find(request.path)
        method = "GET" if request.method == "HEAD" else request.method
        route = methods.get(method)
        headers = request.headers
        request.path_params = path_params
        if self.tokens is not None:
            request.token_name = self.tokens.admit(headers.get(b"authorization"), route)
        elif self.hosts is not None:
            self._check_host(headers.get(b"host", b""))
        if route is None:
            _refuse_route(request, methods)
        assert route is not None
        request.route = route
        if route.role == "predict" and self.batcher.full():
            raise overloaded()
        if route.bodies:
            content_type = headers.get(b"content-type", b"")
            media_type = JSON if content_type == JSON_BYTES else _media_type(content_type)
            if media_type not in route.bodies:
                shown = content_type[:80].decode("latin-1")
                expected = ", ".join(filter(None, route.bodies))
                raise HTTPError(415, f"expected content type {expected}, got {shown!r}")
            request.read = route.bodies[media_type]
            if headers.get(b"content-encoding", b"identity") != b"identity":
                raise HTTPError(415, "expected a body without content-encoding, got an encoded one")
        length = headers.get(b"content-length", b"0").strip()
        if not length.isdigit() or len(length) > 18 or int(length) > self.settings.limits.body:
            raise self._too_large_error()

    def _check_host(self, host: bytes) -> None:
        """Refuse hosts of other sites that a browser was led to request (DNS rebinding)."""
        assert self.hosts is not None
        if host not in self.hosts:
            match = HOST.fullmatch(host)
            name = match[1].decode("latin-1").lower() if match else ""
            if name not in LOOPBACK and name != self.settings.host:
                raise HTTPError(
                    421, f"host {host[:80].decode('latin-1')!r} is not served without tokens"
                )
            if len(self.hosts) < 100:
                self.hosts.add(host)

    # requests

    def answer(self, request: Request, send: SendResponse) -> None:
        """Answer an admitted request; `send` is called once, now or later."""
        try:
            if request.read is not None:
                read = functools.partial(request.read, self.store, request, send, self._max_rows)
                if len(request.body) > LARGE_BODY:
                    self.batcher.submit_large(request, send, read)
                else:
                    self.batcher.submit(read())
                return
            response = request.route.answer(request, send)
        except HTTPError as error:
            response = self.error_response(error)
        except Exception:
            response = self._fault_response(request)
        if response is not None:
            send(response)

    def answer_in_thread(
        self, answer: Callable[[Request], Response], request: Request, send: SendResponse
    ) -> None:
        """Answer a request in a thread, one after another: reading and writing the log takes time.

        Raises
        ------
        HTTPError
            503, if too many of them wait.

        """
        size = len(request.body)
        if self._waiting >= MAX_WAITING or self._waiting_bytes + size > MAX_WAITING_BYTES:
            raise overloaded()
        self._waiting += 1
        self._waiting_bytes += size

        def on_done(future: asyncio.Future[Response]) -> None:
            self._waiting -= 1
            self._waiting_bytes -= size
            try:
                response = future.result()
            except HTTPError as error:
                response = self.error_response(error)
            except Exception:
                response = self._fault_response(request)
            send(response)

        loop = asyncio.get_running_loop()
        loop.run_in_executor(self._thread, answer, request).add_done_callback(on_done)

    def _fault_response(self, request: Request) -> Response:
        prediction_id = self.error_ids.next()
        log.exception("answering %s failed", request.path, extra={"id": prediction_id})
        return HTTPError(500, INTERNAL_ERROR_MESSAGE).to_response(prediction_id)

    # counting

    def refresh(self) -> None:
        """Update the gauges."""
        gauges = self.metrics.tally.gauges
        gauges["queued_rows"] = self.batcher.queued
        gauges["resident_memory_bytes"] = resident_memory()

    def count(self, request: Request | None, response: Response, seconds: float) -> None:
        """Count a response, and log it if it failed or all are logged."""
        route = request.route.path if request is not None and request.route else "none"
        self.metrics.request(route, response.status, seconds)
        if (response.status >= 500 or self.settings.access) and request is not None:
            log.info(
                "%s %s %s",
                request.method,
                request.path[:200],
                response.status,
                extra={
                    "seconds": seconds,
                    "peer": request.peer,
                    "who": request.token_name,
                    "status": response.status,
                    "traceparent": request.headers.get(b"traceparent", b"").decode("latin-1"),
                },
            )

    # errors

    def error_response(self, error: HTTPError) -> Response:
        """Return the response to a request that failed."""
        return error.to_response(self.error_ids.next())

    def busy_response(self, message: str) -> Response:
        """Return the response of an overloaded server."""
        return self.error_response(HTTPError(503, message, headers={b"retry-after": b"1"}))

    def too_large_response(self) -> Response:
        """Return the response to a body that is too large."""
        return self.error_response(self._too_large_error())

    def _too_large_error(self) -> HTTPError:
        maximum = self.settings.limits.body
        return HTTPError(413, f"the body is larger than {maximum} bytes; send fewer rows at a time")


def _refuse_route(request: Request, methods: dict[str, Route]) -> None:
    if methods:
        allowed = ", ".join(sorted(methods))
        raise HTTPError(
            405,
            f"expected method {allowed}, got {request.method[:20]}",
            headers={b"allow": allowed.encode()},
        )
    raise HTTPError(404, f"unknown path {request.path[:200]!r}; / lists the paths")


def _media_type(content_type: bytes) -> str:
    return content_type.partition(b";")[0].strip().lower().decode("latin-1")


def _hosts(settings: ServeSettings) -> set[bytes] | None:
    """Return a set for hosts that were admitted, where hosts are checked: on loopback."""
    return set() if settings.private else None
