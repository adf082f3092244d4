"""Messages between the supervisor and a worker: one JSON object a line over a socket pair."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import msgspec

__all__ = ["Channel"]


MAX_MESSAGE_BYTES = 1 << 20
"""Bytes of a message."""


class Channel:
    """One end.

    Attributes
    ----------
    closed : bool
        Whether the other end is gone.

    """

    def __init__(self, end: socket.socket) -> None:
        self.end, self.closed = end, False
        end.setblocking(False)
        self._buffer = b""

    def fileno(self) -> int:
        """Return what becomes readable."""
        return self.end.fileno()

    def send(self, op: str, *, patience: float = 5.0, **fields: Any) -> None:
        """Send a message; an end that is dead, or does not read for so long, is noticed."""
        line = msgspec.json.encode({"op": op, **fields}) + b"\n"
        self.end.setblocking(True)
        try:
            self.end.settimeout(patience)
            self.end.sendall(line)
        except OSError:
            self.closed = True
        finally:
            with contextlib.suppress(OSError):
                self.end.setblocking(False)

    def receive(self) -> list[dict[str, Any]]:
        """Return the messages that have come."""
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
