"""The control socket: status, reload, outcome and drain, for users who may open the directory."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
from collections.abc import Callable
from typing import Any

import msgspec

from lockgate.deployment.control.channel import Channel
from lockgate.deployment.control.client import SOCKET_NAME, short_socket_path
from lockgate.serving.workers.reload import ModelReloader
from lockgate.serving.workers.state import ServerState

__all__ = ["Control"]

MAX_CLIENTS = 32
"""Control connections that may be open at a time."""


class Control:
    """The supervisor's end of the control socket.

    Parameters
    ----------
    state : ServerState
        The server.
    reloader : ModelReloader
        Follows the pointer.
    status : callable
        Returns the response to "status".
    drain : callable
        Stops the server after the requests in progress.

    """

    def __init__(
        self,
        state: ServerState,
        reloader: ModelReloader,
        *,
        status: Callable[[], dict[str, Any]],
        drain: Callable[[], None],
    ) -> None:
        self.state, self.reloader = state, reloader
        self._status, self._drain = status, drain
        self.clients: set[Channel] = set()
        folder = state.deployment.path
        (folder / SOCKET_NAME).unlink(missing_ok=True)
        self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with short_socket_path(folder) as socket_path:
            old_umask = os.umask(0o177)
            try:
                self.listening.bind(socket_path)
            finally:
                os.umask(old_umask)
        self.listening.listen(16)
        self.listening.setblocking(False)
        state.selector.register(self.listening, selectors.EVENT_READ, self._accept)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self.listening.accept()
            if len(self.clients) >= MAX_CLIENTS:
                connection.close()
                return
            channel = Channel(connection)
            self.clients.add(channel)
            self.state.selector.register(
                channel, selectors.EVENT_READ, lambda: self._receive(channel)
            )

    def _receive(self, channel: Channel) -> None:
        try:
            messages = channel.receive()
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            messages, channel.closed = [], True
        for message in messages:
            if not channel.closed:
                channel.send("response", **self._answer(message))
        if channel.closed:
            self.state.selector.unregister(channel)
            self.clients.discard(channel)
            channel.close()

    def _answer(self, message: dict[str, Any]) -> dict[str, Any]:
        op = message.get("op")
        if op == "status":
            return self._status()
        if op == "reload":
            self.reloader.poll(again=True)
            return {"seq": self.state.swap.live.seq}
        if op == "outcome":
            seq = message.get("seq")
            swap = self.state.swap
            if not isinstance(seq, int):
                return {"error": f"expected the number of an event, got {str(seq)[:50]!r}"}
            outcome = swap.outcome(seq)
            return {"outcome": outcome, **self._status()}
        if op == "drain":
            self._drain()
            return {"draining": True}
        known = "status, reload, outcome, drain"
        return {"error": f"unknown operation {str(op)[:50]!r}; available: {known}"}

    def close(self, *, inherited: bool = False) -> None:
        """Close all sockets; with `inherited`, leave the socket file to the supervisor."""
        for channel in self.clients:
            channel.close()
        self.listening.close()
        if not inherited:
            (self.state.deployment.path / SOCKET_NAME).unlink(missing_ok=True)
