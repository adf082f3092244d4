"""JSON messages over a socket, one per line: supervisor and worker, server and client."""

from __future__ import annotations

import socket
from typing import Any

import msgspec

__all__ = ["Channel"]

MAX_MESSAGE_BYTES = 1 << 20
"""Largest message."""


class Channel:
    """One end of a connection.

    Parameters
    ----------
    end : socket.socket
        A connected stream socket; becomes non-blocking.

    Attributes
    ----------
    closed : bool
        Whether the connection has ended.

    """

    def __init__(self, end: socket.socket) -> None:
        self.end, self.closed = end, False
        end.setblocking(False)
        self._buffer = self._unsent = b""

    def fileno(self) -> int:
        """Return the descriptor, for selectors."""
        return self.end.fileno()

    def send(self, op: str, **fields: Any) -> None:
        """Send a message without waiting; what does not fit now is sent by `flush`.

        The channel is closed if the other end has not read for `MAX_MESSAGE_BYTES`.
        """
        self._unsent += msgspec.json.encode({"op": op, **fields}) + b"\n"
        self.flush()
        if len(self._unsent) > MAX_MESSAGE_BYTES:
            self.closed = True

    def flush(self) -> bool:
        """Send what could not be sent before; return whether all is sent."""
        try:
            while self._unsent:
                self._unsent = self._unsent[self.end.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self.closed, self._unsent = True, b""
        return not self._unsent

    def receive(self) -> list[dict[str, Any]]:
        """Return the messages that have arrived; does not block."""
        try:
            while True:
                received = self.end.recv(65536)
                if not received:
                    self.closed = True
                    break
                self._buffer += received
        except BlockingIOError:
            pass
        except OSError:
            self.closed = True
        *lines, self._buffer = self._buffer.split(b"\n")
        if len(self._buffer) > MAX_MESSAGE_BYTES:
            self.closed = True
            self._buffer = b""
        return [msgspec.json.decode(line, type=dict[str, Any]) for line in lines]

    def close(self) -> None:
        """Close this end."""
        self.closed = True
        self.end.close()
