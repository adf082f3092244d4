"""What a connection knows of the pool that it belongs to."""

from __future__ import annotations

from typing import Any, Protocol

from lockgate.serving.http.messages import Handler
from lockgate.serving.settings import Limits

__all__ = ["Pool"]


class Pool(Protocol):
    """What all connections of a worker share.

    Attributes
    ----------
    app : Handler
        Answers requests.
    limits : Limits
        Sizes, times and counts to stay within.
    open : set of lockgate.serving.http.connection.Connection
        Open connections.
    date : bytes
        The present time, as HTTP writes it.
    draining : bool
        Whether the worker is stopping.

    """

    app: Handler
    limits: Limits
    open: set[Any]
    date: bytes
    draining: bool
