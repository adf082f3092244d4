"""The application: lets requests in, finds who answers, counts what went out."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lockgate.prediction_log.ids import PredictionIds
from lockgate.serving.http.messages import (
    INTERNAL_ERROR_MESSAGE,
    HTTPError,
    Request,
    Response,
    SendResponse,
)
from lockgate.serving.http.routing import Route, Routes
from lockgate.serving.prediction.batcher import Batcher
from lockgate.serving.prediction.model_store import ModelStore
from lockgate.serving.settings import ServeSettings
from lockgate.serving.telemetry.metrics import MetricsRecorder, memory

if TYPE_CHECKING:
    from lockgate.serving.http.tokens import Tokens
    from lockgate.serving.prediction.recorder import Recorder

__all__ = ["Application"]

log = logging.getLogger("lockgate.serve")

HOST = re.compile(rb"([^:\[\]@/?#]*|\[[0-9a-fA-F:.]*\])(?::[0-9]{1,5})?")
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Application:
    """Everything between a whole request and its reply; knows neither sockets nor processes.

    Parameters
    ----------
    shelf : Shelf
        What is served.
    settings : ServeSettings
        What the server was told.
    counts : Counts
        Where it is counted.
    recorder : Recorder, optional
        The prediction log.
    tokens : Tokens, optional
        Who may ask; without it everybody.

    """

    def __init__(
        self,
        shelf: ModelStore,
        settings: ServeSettings,
        counts: MetricsRecorder,
        *,
        recorder: Recorder | None = None,
        tokens: Tokens | None = None,
        began: float | None = None,
    ) -> None:
        self.shelf, self.settings, self.counts, self.tokens = shelf, settings, counts, tokens
        self.receipts = recorder.receipts if recorder is not None else PredictionIds()
        self.recorder = recorder
        self.desk = Batcher(self.receipts, recorder, counts, settings.limits.queue)
        self.ready, self.began = True, began or time.time()
        self.routes = Routes([])
        self.hosts = _hosts(settings) if tokens is None else None

    def mount(self, routes: Iterable[Route]) -> None:
        """Answer these routes, and no others."""
        self.routes = Routes(list(routes))

    # letting in

    def admit(self, request: Request) -> Response | None:
        """Decide by the head alone; a reply says no."""
        try:
            self._admit(request)
        except HTTPError as refusal:
            return self.refused(refusal)
        return None

    def _admit(self, request: Request) -> None:
        methods, words = self.routes.find(request.path)
        method = "GET" if request.method == "HEAD" else request.method
        route = methods.get(method)
        headers = request.headers
        request.path_params = words
        if self.tokens is not None:
            request.who = self.tokens.admit(headers.get(b"authorization"), route)
        elif self.hosts is not None:
            self._check_host(headers.get(b"host", b""))
        if route is None:
            _refuse_route(request, methods)
        assert route is not None
        request.route = route
        if route.role == "predict" and self.desk.full():
            raise HTTPError(503, "the queue is full", headers={b"retry-after": b"1"})
        if route.kinds:
            kind = headers.get(b"content-type", b"")
            if kind != b"application/json" and _plain_kind(kind) not in route.kinds:
                raise HTTPError(
                    415,
                    f"content type {kind[:80].decode('latin-1')!r} came, expected one of: "
                    + ", ".join(route.kinds),
                )
            if headers.get(b"content-encoding", b"identity") != b"identity":
                raise HTTPError(415, "an encoded body came, expected one without content-encoding")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or len(length) > 18 or int(length) > self.settings.limits.body:
            raise self._large()

    def _check_host(self, host: bytes) -> None:
        """Turn away pages of other sites that a browser was led to ask for (DNS rebinding)."""
        assert self.hosts is not None
        if host not in self.hosts:
            found = HOST.fullmatch(host)
            name = found[1].decode("latin-1").lower() if found else ""
            if name not in LOOPBACK and name != self.settings.host:
                raise HTTPError(
                    421, f"host {host[:80].decode('latin-1')!r} is not served without tokens"
                )
            if len(self.hosts) < 100:
                self.hosts.add(host)

    # answering

    def answer(self, request: Request, send: SendResponse) -> None:
        """Answer an admitted request; `send` is called once, now or later."""
        try:
            reply = request.route.answer(request, send)
        except HTTPError as refusal:
            reply = self.refused(refusal)
        except Exception:
            receipt = self.receipts.next()
            log.exception("answering %s failed", request.path, extra={"id": receipt})
            reply = HTTPError(500, INTERNAL_ERROR_MESSAGE).reply(receipt)
        if reply is not None:
            send(reply)

    # counting

    def refresh(self) -> None:
        """Take the values of this moment."""
        now = self.counts.tally.now
        now["queued_rows"] = self.desk.queued
        now["resident_memory_bytes"] = memory()

    def count(self, request: Request | None, reply: Response, seconds: float) -> None:
        """Count a reply, and log it if it failed or all are logged."""
        route = request.route.path if request is not None and request.route else "none"
        self.counts.request(route, reply.status, seconds)
        if (reply.status >= 500 or self.settings.access) and request is not None:
            log.info(
                "%s %s %s",
                request.method,
                request.path[:200],
                reply.status,
                extra={
                    "seconds": seconds,
                    "peer": request.peer,
                    "who": request.who,
                    "status": reply.status,
                    "traceparent": request.headers.get(b"traceparent", b"").decode("latin-1"),
                },
            )

    # refusing

    def refused(self, refusal: HTTPError) -> Response:
        """Make the reply of a refusal."""
        return refusal.reply(self.receipts.next())

    def busy(self, words: str) -> Response:
        """Say that there is too much to do."""
        return self.refused(HTTPError(503, words, headers={b"retry-after": b"1"}))

    def too_large(self) -> Response:
        """Say that a body is too large."""
        return self.refused(self._large())

    def _large(self) -> HTTPError:
        most = self.settings.limits.body
        return HTTPError(413, f"the body is larger than {most} bytes; send fewer rows at a time")


def _refuse_route(request: Request, methods: dict[str, Route]) -> None:
    if methods:
        allowed = ", ".join(sorted(methods))
        raise HTTPError(
            405,
            f"{request.method[:20]} came, expected {allowed}",
            headers={b"allow": allowed.encode()},
        )
    raise HTTPError(404, f"no path {request.path[:200]!r}; / lists what there is")


def _plain_kind(kind: bytes) -> str:
    return kind.partition(b";")[0].strip().lower().decode("latin-1")


def _hosts(settings: ServeSettings) -> set[bytes] | None:
    """Return the hosts seen to be allowed, where they are checked: on loopback without tokens."""
    return set() if settings.private else None
