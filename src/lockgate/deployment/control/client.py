"""Asks the server of a deployment directory over its control socket."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import time
from pathlib import Path
from typing import Any

from lockgate.deployment.control.channel import Channel
from lockgate.errors import ServingError

__all__ = ["NAME", "ask"]


NAME = "control.sock"


def ask(folder: Path, op: str, *, seconds: float = 10.0, **fields: Any) -> dict[str, Any]:
    """Ask the server of a deployment directory.

    Raises
    ------
    ServingError
        If none is running, or it does not answer in time.

    """
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _open_socket_path(folder) as socket_path:
            end.connect(socket_path)
        channel = Channel(end)
        channel.send(op, **fields)
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(channel, selectors.EVENT_READ)
            while time.monotonic() < deadline and not channel.closed:
                selector.select(0.2)
                for message in channel.receive():
                    return message
    except OSError:
        raise ServingError(f"no server runs for {folder}") from None
    finally:
        end.close()
    raise ServingError(f"the server of {folder} does not answer")


@contextlib.contextmanager
def _open_socket_path(folder: Path) -> Any:
    """Give a short path to the socket: the system takes no more than 107 bytes."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)
