"""Requests, responses and HTTP errors; nothing here knows sockets."""

from __future__ import annotations

import http
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from lockgate.data.io.json import describe_non_finite

__all__ = [
    "HTML",
    "INTERNAL_ERROR_MESSAGE",
    "JSON",
    "HTTPError",
    "Handler",
    "Request",
    "Response",
    "SendResponse",
    "check_rows",
    "json_response",
    "overloaded",
    "read_body",
    "without_upgrade",
]

JSON = b"application/json"
HTML = b"text/html; charset=utf-8"

INTERNAL_ERROR_MESSAGE = "internal error; see the server log for this id"
"""Message for a fault of the server."""

encode = msgspec.json.Encoder().encode


class Request:
    """A request with its whole body.

    Attributes
    ----------
    method, path : str
        As sent, the path with its escapes undone.
    query : bytes
        Query string.
    headers : dict of bytes to bytes
        Names in lower case; values of a repeated name are joined by commas.
    body : bytes
        The body.
    peer : str
        Address of the client.
    path_params : tuple of str
        Path parameters of the route.
    token_name : str
        Name of the client's token, empty without one.

    """

    __slots__ = (
        "body",
        "headers",
        "method",
        "path",
        "path_params",
        "peer",
        "query",
        "read",
        "route",
        "token_name",
    )

    def __init__(
        self,
        method: str,
        path: str,
        query: bytes,
        headers: dict[bytes, bytes],
        peer: str = "",
    ) -> None:
        self.method, self.path, self.query, self.headers = method, path, query, headers
        self.body, self.peer, self.token_name = b"", peer, ""
        self.route: Any = None
        self.read: Callable[..., Any] | None = None
        self.path_params: tuple[str, ...] = ()


class Response:
    """A response.

    Attributes
    ----------
    status : int
        HTTP status.
    body : bytes
        The body.
    kind : bytes
        Its content type.
    extra : sequence of (bytes, bytes)
        Further headers.

    """

    __slots__ = ("body", "extra", "kind", "status")

    def __init__(
        self,
        status: int,
        body: bytes = b"",
        kind: bytes = JSON,
        extra: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        self.status, self.body, self.kind, self.extra = status, body, kind, extra

    def render(self, date: bytes, *, keep: bool, head_only: bool = False) -> bytes:
        """Write it as HTTP/1.1, without its body where `head_only`."""
        head = HEADS.get((self.status, self.kind)) or _head(self.status, self.kind)
        extra = b"".join([b"%b: %b\r\n" % pair for pair in self.extra]) if self.extra else b""
        return b"%bdate: %b\r\ncontent-length: %d\r\n%b%b\r\n%b" % (
            head,
            date,
            len(self.body),
            extra,
            b"" if keep else b"connection: close\r\n",
            b"" if head_only else self.body,
        )


HEADS: dict[tuple[int, bytes], bytes] = {}
"""Heads of responses that were rendered before."""


def _head(status: int, kind: bytes) -> bytes:
    phrase = http.HTTPStatus(status).phrase.encode()
    head = b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\nx-content-type-options: nosniff\r\n" % (
        status,
        phrase,
        kind,
    )
    HEADS[status, kind] = head
    return head


SendResponse = Callable[[Response], None]


class Handler(Protocol):
    """Handles the requests of connections."""

    def admit(self, request: Request) -> Response | None:
        """Admit a request by its head; a response refuses it."""

    def answer(self, request: Request, send: SendResponse) -> None:
        """Answer an admitted request; `send` is called once, now or later."""

    def count(self, request: Request | None, response: Response, seconds: float) -> None:
        """Count a response that was sent."""

    def error_response(self, error: HTTPError) -> Response:
        """Return the response to a request that failed."""

    def busy_response(self, message: str) -> Response:
        """Return the response of an overloaded server."""

    def too_large_response(self) -> Response:
        """Return the response to a body that is too large."""


class HTTPError(Exception):
    """A request that fails with an HTTP status and a reason.

    Attributes
    ----------
    status : int
        HTTP status.
    message : str
        What was expected, what came, what to do.
    problems : tuple of str
        One sentence for each thing that is wrong with the rows.
    headers : mapping of bytes to bytes
        Further headers of the reply.

    """

    def __init__(
        self,
        status: int,
        message: str,
        problems: Sequence[str] = (),
        headers: Mapping[bytes, bytes] | None = None,
    ) -> None:
        self.status, self.message, self.problems = status, message, tuple(problems)
        self.headers = dict(headers or {})
        super().__init__(message)

    def to_response(self, prediction_id: str) -> Response:
        """Return the response; `prediction_id` is the id by which the log knows it."""
        body: dict[str, Any] = {
            "id": prediction_id,
            "error": self.message,
            "title": http.HTTPStatus(self.status).phrase,
            "status": self.status,
        }
        if self.problems:
            body["problems"] = self.problems
        return Response(self.status, encode(body), JSON, tuple(self.headers.items()))


def overloaded() -> HTTPError:
    """Return the error of a request for which too many others wait."""
    return HTTPError(503, "server overloaded, retry later", headers={b"retry-after": b"1"})


def json_response(
    value: Any, status: int = 200, extra: Sequence[tuple[bytes, bytes]] = ()
) -> Response:
    """Return a response of plain data or of a struct."""
    return Response(status, encode(value), JSON, extra)


B = TypeVar("B")


def read_body(decode: Callable[[Any], B], raw: bytes | memoryview, expected: str) -> B:
    """Decode a JSON body.

    Raises
    ------
    HTTPError
        If it is another one, with what was expected.

    """
    try:
        return decode(raw)
    except RecursionError:
        reason = "the JSON is nested too deeply"
    except (msgspec.DecodeError, UnicodeError) as error:
        reason = describe_non_finite(raw) or f"the body cannot be decoded: {str(error)[:300]}"
    raise HTTPError(400, f"{reason}; {expected}")


def check_rows(rows: int, maximum: int) -> None:
    """Refuse empty requests, and more rows than allowed."""
    if not 0 < rows <= maximum:
        raise HTTPError(422, f"expected 1 to {maximum} rows, got {rows}")


def without_upgrade(headers: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Return headers without the offer of another protocol; what else `connection` says stays.

    Examples
    --------
    >>> without_upgrade({b"upgrade": b"h2c", b"connection": b"Upgrade, close"})
    [(b'connection', b'close')]

    """
    offered = (b"upgrade", b"http2-settings")
    kept = []
    for name, value in headers.items():
        if name == b"connection":
            tokens = [token.strip() for token in value.split(b",")]
            value = b", ".join(token for token in tokens if token.lower() not in offered)
        if name not in offered and (value or name != b"connection"):
            kept.append((name, value))
    return kept
