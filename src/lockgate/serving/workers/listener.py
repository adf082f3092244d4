"""Where a server listens."""

from __future__ import annotations

import errno
import socket

from lockgate.errors import ServingError
from lockgate.serving.settings import ServeSettings

__all__ = ["address", "listen"]


def listen(settings: ServeSettings) -> socket.socket:
    """Bind the address.

    Raises
    ------
    ServingError
        If it is taken or not allowed.

    """
    try:
        family, *_, place = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(place)
        made.listen(2048)
        made.setblocking(False)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        taken = error.errno == errno.EADDRINUSE
        remedy = "choose another --port" if taken else "choose another --host or --port"
        raise ServingError(f"{where} cannot be listened on: {error.strerror}; {remedy}") from None
    return made


def address(settings: ServeSettings, listening: socket.socket) -> str:
    """Return the address as a client writes it."""
    scheme = "https" if settings.certificate else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{listening.getsockname()[1]}"
