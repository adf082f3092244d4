"""One connection: HTTP/1.1 on httptools, with limits and time-outs at every step.

The parser is llhttp in its strict mode. What it leaves to its caller is here:
how large a head and a body may be, how long each may take, how many requests
may wait, what happens with a client that does not read. One request of a
connection is answered at a time; those that were sent ahead wait their turn.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import Any
from urllib.parse import unquote

import httptools

from lockgate.serving.http.messages import HTTPError, Request, Response, without_upgrade
from lockgate.serving.http.pool import Pool

__all__ = ["BODY", "HEAD", "LINGER", "Connection"]

log = logging.getLogger("lockgate.serve")

IDLE, HEAD, BODY, LINGER = range(4)
"""What is being read: nothing, a head, a body, or bytes that are dropped after an error."""

SMALL = 65_536
"""Bytes of a refused body that are read to its end, so that the connection can stay open."""

SOFT_CLOSE_SECONDS = 0.25
"""Time in which a request that crosses the end of its connection still arrives."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """The protocol of one connection."""

    transport: asyncio.Transport

    def __init__(self, shared: Pool) -> None:
        self.shared, self.app, self.limits = shared, shared.app, shared.limits
        self.parser: Any = httptools.HttpRequestParser(self)
        self.phase, self.since = IDLE, time.monotonic()
        self.waiting: deque[tuple[Request | None, Response | None, bool, float]] = deque()
        self.busy = self.closed = self.skipping = self.ended = self.used = False
        self.stuck = 0.0
        self.size = self.head = self.fields = self.unfinished = 0
        self.refused = self.upgrading = self.fresh = False
        self.url = b""
        self.headers: dict[bytes, bytes] = {}
        self.parts: list[bytes] = []
        self.request: Request | None = None
        self.early: Response | None = None
        self.current_request: Request | None = None
        self.method = ""
        self.keep = self.keep_current = True
        self.started = 0.0
        self.peer = ""

    # what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the connection, or refuse it where there are too many."""
        self.transport = transport  # type: ignore[assignment]  # a stream's transport
        self.shared.open.add(self)
        peer = transport.get_extra_info("peername")
        self.peer = str(peer[0]) if peer else "local"
        if len(self.shared.open) > self.limits.connections:
            self._refuse(self.app.busy_response("too many connections"))

    def data_received(self, data: bytes) -> None:
        """Parse bytes that arrived."""
        if self.phase == LINGER:
            self.size += len(data)
            if self.size > self.limits.linger_bytes:
                self.transport.abort()
            return
        if self.phase == IDLE:
            self.phase, self.since, self.used = HEAD, time.monotonic(), True
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            if self.phase != LINGER:
                message = str(error) or type(error).__name__
                self.refuse_with_error(400, f"not a valid HTTP/1.1 request: {message[:200]}")
        if self.phase == HEAD:
            self.unfinished += 0 if self.fresh else len(data)
            self.fresh = False
            if self.unfinished > self.limits.head:
                self.refuse_with_error(431, f"the head is longer than {self.limits.head} bytes")

    def _feed(self, data: bytes) -> None:
        """Parse; an offer to upgrade the protocol is ignored."""
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                if not self.upgrading or self.phase == LINGER:
                    return
                # what follows such a head is left to us: it is put behind one without the offer
                rest = data[upgrade.args[0] :]
                version = self.parser.get_http_version().encode()
                self.parser = httptools.HttpRequestParser(self)
                headers = [b"%b: %b\r\n" % pair for pair in without_upgrade(self.headers)]
                start = b"%b %b HTTP/%b\r\n" % (self.method.encode(), self.url, version)
                data = start + b"".join(headers) + b"\r\n" + rest

    def eof_received(self) -> bool:
        """Finish the requests in progress, then close."""
        self.ended = True
        return self.busy and self.transport.can_write_eof()  # TLS has no half-closed connections

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's
        """Remove the connection from the pool."""
        self.shared.open.discard(self)
        self.closed = True
        self.waiting.clear()
        self.parser = None

    def pause_writing(self) -> None:
        """Stop reading from a client that does not read."""
        self.stuck = time.monotonic()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on writing, and with the requests that wait."""
        self.stuck = 0.0
        if self.waiting:
            self._next()
        elif not self.transport.is_closing():
            self.transport.resume_reading()

    # what the parser calls

    def on_message_begin(self) -> None:
        """Start a request."""
        if self.phase == LINGER:
            return
        self.url, self.headers, self.parts = b"", {}, []
        self.size = self.head = self.fields = self.unfinished = 0
        self.upgrading, self.fresh = False, True
        self.skipping, self.early, self.request = False, None, None
        self.phase, self.since = HEAD, time.monotonic()

    def on_url(self, url: bytes) -> None:
        """Add a part of the target."""
        self.url += url
        if len(self.url) > self.limits.target:
            self.refuse_with_error(414, f"the path is longer than {self.limits.target} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header, also a trailer."""
        self.fields += 1
        self.head += len(name) + len(value)
        if self.fields > self.limits.fields or self.head > self.limits.head:
            self.refuse_with_error(
                431, f"more than {self.limits.fields} headers or {self.limits.head} bytes of them"
            )
        elif self.request is None:
            name = name.lower()
            known = self.headers.get(name)
            self.headers[name] = value if known is None else known + b", " + value

    def on_headers_complete(self) -> None:
        """Admit the request before its body is read."""
        if self.phase == LINGER:
            return
        self.method = self.parser.get_method().decode("ascii")
        if self.parser.should_upgrade():
            if self.method == "CONNECT":
                self.refuse_with_error(405, "method CONNECT is not supported: this is not a proxy")
            self.upgrading = True
            return
        path, _, query = self.url.partition(b"?")
        if path[:1] != b"/" and b"://" in path[:9]:  # a proxy's form, with scheme and host
            path = b"/" + path.partition(b"://")[2].partition(b"/")[2]
        text = path.decode("latin-1")
        request = Request(
            self.method,
            unquote(text) if "%" in text else text,
            query,
            self.headers,
            self.peer,
        )
        self.request, self.keep = request, self.parser.should_keep_alive()
        self.early = self.app.admit(request)
        length = self.headers.get(b"content-length", b"")
        bodiless = not length and b"transfer-encoding" not in self.headers
        expects = self.headers.get(b"expect", b"").lower() == b"100-continue" and not bodiless
        if self.early is not None:
            small = length.isdigit() and len(length) < 8 and int(length) <= SMALL
            if not bodiless and (expects or not small):
                self._refuse(self.early)
                return
            self.skipping = True
        elif expects:
            if self.busy:
                self.refuse_with_error(417, "a body was announced while a response was due")
                return
            self.transport.write(CONTINUE)
        self.phase, self.since = BODY, time.monotonic()

    def on_body(self, body: bytes) -> None:
        """Add a part of the body."""
        if self.phase == LINGER or self.skipping:
            return
        self.size += len(body)
        if self.size > self.limits.body:
            self._refuse(self.app.too_large_response())
            return
        self.parts.append(body)

    def on_message_complete(self) -> None:
        """Answer the request, or let it wait for the one before."""
        request = self.request
        if self.phase == LINGER or request is None or self.upgrading:
            return
        parts = self.parts
        request.body = parts[0] if len(parts) == 1 else b"".join(parts)
        self.parts = []
        self.phase = IDLE if self.keep else LINGER  # nothing counts that comes after the last one
        if self.early is not None or self.busy or self.stuck:
            self._take(request, self.early, self.keep)
        else:  # the usual way, without a detour
            self.busy, self.current_request, self.keep_current = True, request, self.keep
            self.started = time.perf_counter()
            self.app.answer(request, self._respond)

    # answering

    def _take(self, request: Request | None, early: Response | None, keep: bool) -> None:
        """Answer now, or after the requests before."""
        now = time.perf_counter()
        if self.busy or self.stuck:
            self.waiting.append((request, early, keep, now))
            self.transport.pause_reading()
        else:
            self._begin(request, early, keep, now)

    def _begin(
        self, request: Request | None, early: Response | None, keep: bool, started: float
    ) -> None:
        self.busy, self.current_request = True, request
        self.keep_current, self.started = keep, started
        if early is not None:
            self._respond(early)
        elif request is not None:
            self.app.answer(request, self._respond)

    def _respond(self, response: Response) -> None:
        """Write a response, and go on with the requests that wait."""
        request = self.current_request
        self.app.count(request, response, time.perf_counter() - self.started)
        self.busy = False
        if self.closed:
            return
        last = self.ended or self.shared.draining
        keep = (self.keep_current and not last) or bool(self.waiting)
        bare = request is not None and request.method == "HEAD"
        self.transport.write(response.render(self.shared.date, keep=keep, head_only=bare))
        if self.waiting:
            asyncio.get_running_loop().call_soon(self._next)
        elif not keep:
            self._end()
        elif self.phase == IDLE:
            self.since = time.monotonic()

    def _end(self) -> None:
        """Close; a client that is still sending gets time to read the response."""
        if self.refused and self.transport.can_write_eof():
            self.transport.write_eof()
            self.since = time.monotonic()
        else:
            self.transport.close()

    def is_idle(self) -> bool:
        """Return whether no request is in progress, read or waiting."""
        return self.phase == IDLE and not self.busy and not self.waiting

    def close_softly(self) -> None:
        """Close an idle connection.

        What the client may be sending is read to its end: closing at once would reset the
        connection, and not say that it was closed.
        """
        if self.transport.can_write_eof():
            self.phase, self.refused, self.size = LINGER, True, 0
            self.since = time.monotonic() - self.limits.linger_seconds + SOFT_CLOSE_SECONDS
            self.transport.write_eof()
        else:
            self.transport.close()

    def _next(self) -> None:
        if self.closed or self.busy or self.stuck or not self.waiting:
            return
        self._begin(*self.waiting.popleft())
        if not self.waiting and not self.stuck and not self.transport.is_closing():
            self.transport.resume_reading()

    # refusing

    def refuse_with_error(self, status: int, message: str) -> None:
        """Send an error, read no further, and close after the client had time to read it."""
        self._refuse(self.app.error_response(HTTPError(status, message)))

    def _refuse(self, response: Response) -> None:
        if self.phase == LINGER:
            return
        self.phase, self.since, self.size = LINGER, time.monotonic(), 0
        self.refused, self.parts = True, []
        self._take(self.request, response, keep=False)
