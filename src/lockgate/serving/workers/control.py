"""The control socket: status, reload, drain; for whoever may open the deployment directory."""

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


class Control:
    """The supervisor's end of the control socket.

    Parameters
    ----------
    state : ServerState
        The server.
    reloader : Swap
        Follows the pointer.
    status, drain : callable
        Describe the server; begin to stop it.

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
        self.clients: dict[Channel, int | None] = {}
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
            if len(self.clients) >= 32:
                connection.close()
                return
            channel = Channel(connection)
            self.clients[channel] = None
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
                channel.send("said", patience=0.2, **self._answer(message))
        if channel.closed:
            self.state.selector.unregister(channel)
            del self.clients[channel]
            channel.close()

    def _answer(self, message: dict[str, Any]) -> dict[str, Any]:
        op = message.get("op")
        if op == "status":
            return self._status()
        if op == "reload":
            self.reloader.poll(again=True)
            return {"seq": self.state.live.seq}
        if op == "outcome":
            seq = message.get("seq")
            return {"outcome": self.reloader.outcome(seq if isinstance(seq, int) else 0)}
        if op == "drain":
            self._drain()
            return {"draining": True}
        return {"error": f"unknown: {str(op)[:50]!r}; known: status, reload, outcome, drain"}

    def close(self, *, inherited: bool = False) -> None:
        """Close all ends; the file itself only where it is ours."""
        for channel in self.clients:
            channel.close()
        self.listening.close()
        if not inherited:
            (self.state.deployment.path / SOCKET_NAME).unlink(missing_ok=True)
