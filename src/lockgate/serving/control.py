"""The control socket: status, reload, drain; for whoever may open the deployment directory."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
from typing import TYPE_CHECKING, Any

import msgspec

from lockgate.serving.channel import Channel
from lockgate.serving.control_client import NAME, _reached

if TYPE_CHECKING:
    from lockgate.serving.supervisor import Supervisor

__all__ = ["Control"]


class Control:
    """The supervisor's end."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.of = supervisor
        self.clients: dict[Channel, int | None] = {}
        folder = supervisor.deployment.path
        (folder / NAME).unlink(missing_ok=True)
        self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _reached(folder) as place:
            old = os.umask(0o177)
            try:
                self.listening.bind(place)
            finally:
                os.umask(old)
        self.listening.listen(16)
        self.listening.setblocking(False)
        supervisor.selector.register(self.listening, selectors.EVENT_READ, self._accept)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            end, _ = self.listening.accept()
            if len(self.clients) >= 32:
                end.close()
                return
            channel = Channel(end)
            self.clients[channel] = None
            self.of.selector.register(channel, selectors.EVENT_READ, lambda: self._hear(channel))

    def _hear(self, channel: Channel) -> None:
        try:
            messages = channel.receive()
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            messages, channel.closed = [], True
        for message in messages:
            if not channel.closed:
                channel.send("said", patience=0.2, **self._answer(message))
        if channel.closed:
            self.of.selector.unregister(channel)
            del self.clients[channel]
            channel.close()

    def _answer(self, message: dict[str, Any]) -> dict[str, Any]:
        op = message.get("op")
        if op == "status":
            return self.of.status()
        if op == "reload":
            self.of.swap.look(again=True)
            return {"seq": self.of.live.seq}
        if op == "outcome":
            seq = message.get("seq")
            return {"outcome": self.of.swap.outcome(seq if isinstance(seq, int) else 0)}
        if op == "drain":
            self.of.drain()
            return {"draining": True}
        return {"error": f"unknown: {str(op)[:50]!r}; known: status, reload, outcome, drain"}

    def close(self, *, inherited: bool = False) -> None:
        """Close all ends; the file itself only where it is ours."""
        for channel in self.clients:
            channel.close()
        self.listening.close()
        if not inherited:
            (self.of.deployment.path / NAME).unlink(missing_ok=True)
