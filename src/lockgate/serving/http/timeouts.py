"""Closes connections that take too long for what they are doing."""

from __future__ import annotations

import logging

from lockgate.serving.http.connection import BODY, HEAD, LINGER, Connection

__all__ = ["close_expired"]

log = logging.getLogger("lockgate.serve")


def close_expired(connection: Connection, now: float) -> None:
    """Close a connection if it took too long; `now` is of the monotonic clock, in seconds."""
    elapsed, limits = now - connection.since, connection.limits
    if connection.stuck and now - connection.stuck > limits.write_seconds:
        log.info("a client does not read; connection of %s closed", connection.peer)
        connection.transport.abort()
    elif connection.is_idle() and elapsed > limits.idle_seconds:
        connection.close_softly()
    elif connection.phase == HEAD and elapsed > limits.head_seconds:
        connection.refuse_with_error(408, f"the head took longer than {limits.head_seconds:g} s")
    elif connection.phase == BODY and elapsed > limits.body_seconds:
        connection.refuse_with_error(408, f"the body took longer than {limits.body_seconds:g} s")
    elif (
        connection.phase == LINGER
        and connection.refused
        and not connection.busy
        and elapsed > limits.linger_seconds
    ):
        connection.transport.abort()
