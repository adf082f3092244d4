"""The listening socket and the address of a server."""

from __future__ import annotations

import errno
import socket

from lockgate.errors import ServingError
from lockgate.serving.settings import ServeSettings

__all__ = ["listen", "server_url"]


def listen(settings: ServeSettings) -> socket.socket:
    """Return a socket that listens on the address in the settings.

    Raises
    ------
    ServingError
        If the address is in use or not allowed.

    """
    try:
        family, *_, socket_address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(socket_address)
        listening.listen(2048)
        listening.setblocking(False)
    except OSError as error:
        host_port = f"{settings.host}:{settings.port}"
        in_use = error.errno == errno.EADDRINUSE
        remedy = "choose another --port" if in_use else "choose another --host or --port"
        raise ServingError(f"cannot listen on {host_port}: {error.strerror}; {remedy}") from None
    return listening


def server_url(settings: ServeSettings, listening: socket.socket) -> str:
    """Return the URL of the server."""
    scheme = "https" if settings.certificate else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{listening.getsockname()[1]}"
