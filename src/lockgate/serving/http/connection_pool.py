"""The connections of a worker."""

from __future__ import annotations

import resource
import time
from email.utils import formatdate

import msgspec

from lockgate.serving.http.connection import Connection
from lockgate.serving.http.messages import Handler
from lockgate.serving.http.timeouts import close_expired
from lockgate.serving.settings import Limits

__all__ = ["ConnectionPool"]


SPARE = 64
"""Files that a worker needs besides its connections."""


FIRST_REQUEST_SECONDS = 1.0
"""Time in which a new connection sends its first request, while the worker drains."""


class ConnectionPool:
    """The connections of a worker, with what they share."""

    def __init__(self, app: Handler, limits: Limits) -> None:
        self.app = app
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        maximum = (
            limits.connections if files < 0 else min(limits.connections, max(files - SPARE, 1))
        )
        self.limits = msgspec.structs.replace(limits, connections=maximum)
        self.open: set[Connection] = set()
        self.date = b""
        self.draining = False
        self.tick()

    def make(self) -> Connection:
        """Return the protocol of a new connection."""
        return Connection(self)

    def tick(self) -> None:
        """Check time-outs of all connections; called once a second."""
        self.date = formatdate(time.time(), usegmt=True).encode()
        now = time.monotonic()
        for connection in list(self.open):
            close_expired(connection, now)

    def close_idle(self) -> None:
        """Close connections without a request in progress; a new one has time to send one."""
        newest = time.monotonic() - FIRST_REQUEST_SECONDS
        for connection in list(self.open):
            if connection.is_idle() and (connection.used or connection.since < newest):
                connection.close_softly()
