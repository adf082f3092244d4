"""The client of a running server's control socket."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lockgate.deployment.control.channel import Channel
from lockgate.errors import ServerNotRunning, ServingError

__all__ = ["SOCKET_NAME", "ask", "short_socket_path"]


SOCKET_NAME = "control.sock"
"""Name of the control socket in a deployment directory."""


def ask(folder: Path, op: str, *, seconds: float = 10.0, **fields: Any) -> dict[str, Any]:
    """Send a request to the server of a deployment directory and return its response.

    Parameters
    ----------
    folder : pathlib.Path
        The deployment directory.
    op : {"status", "reload", "outcome", "drain"}
        The request.
    seconds : float
        Longest time to wait.
    **fields : object
        Further fields of the request.

    Raises
    ------
    ServerNotRunning
        If no server is running.
    ServingError
        If it does not respond in time.

    """
    deadline = time.monotonic() + seconds
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    end.settimeout(seconds)
    try:
        with short_socket_path(folder) as socket_path:
            end.connect(socket_path)
        channel = Channel(end)
        channel.send(op, **fields)
        with selectors.DefaultSelector() as selector:
            selector.register(channel, selectors.EVENT_READ)
            while time.monotonic() < deadline and not channel.closed:
                selector.select(0.2)
                channel.flush()
                for message in channel.receive():
                    return message
    except (TimeoutError, BlockingIOError):  # it does not even accept connections
        pass
    except (FileNotFoundError, ConnectionRefusedError):
        raise ServerNotRunning(f"no server is running on {folder}") from None
    except OSError as error:  # e.g. the socket belongs to another user
        raise ServingError(f"the server on {folder} cannot be reached: {error.strerror}") from None
    finally:
        end.close()
    raise ServingError(f"the server on {folder} does not respond")


@contextlib.contextmanager
def short_socket_path(folder: Path) -> Iterator[str]:
    """Yield a path to a directory's control socket that is short enough to connect or bind.

    The address of a Unix socket is at most 107 bytes long, and deployment
    directories may lie deeper than that.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET_NAME}"
    finally:
        os.close(descriptor)
