"""Where a server listens, and what it says when it begins to answer."""

from __future__ import annotations

import errno
import json
import logging
import socket
from typing import TYPE_CHECKING

from lockgate.errors import BundleError, ServingError
from lockgate.serving.settings import ServeSettings

if TYPE_CHECKING:
    from lockgate.serving.supervisor import Supervisor

__all__ = ["address", "listen", "welcome"]

log = logging.getLogger("lockgate.serve")


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


def welcome(supervisor: Supervisor) -> None:
    """Say what is served, where, and how to ask."""
    where = address(supervisor.settings, supervisor.listening)
    for one in supervisor.live.slots:
        log.info("serving %s@%s in %s (%s)", one.name, one.version, one.stage, one.digest[:12])
    log.info("at %s, which says in a browser how to ask", where)
    if supervisor.bare:
        log.info(
            "no gate was passed: the bundle is served as it is, from %s", supervisor.deployment.path
        )
        log.info("another version: lockgate deploy BUNDLE %s", supervisor.deployment.path)
    if not (supervisor.settings.private or supervisor.settings.tokens):
        log.warning("everybody who reaches %s may ask", where)
    _say_what_is_kept(supervisor)


def _say_what_is_kept(supervisor: Supervisor) -> None:
    """Name the inputs that the prediction log leaves out."""
    from lockgate.monitoring.keeping import kept_columns

    keep = supervisor.settings.log
    if keep.durability == "off":
        log.info("no prediction log is kept: answers cannot be traced")
        return
    for one in supervisor.live.slots:
        manifest = supervisor.deployment.manifest(one.digest)
        if manifest is None:
            raise BundleError(f"the manifest of {one.name}@{one.version} is gone")
        columns = manifest.inputs.features
        kept = kept_columns(columns, keep.inputs, keep.redact)
        left = [column.name for column in columns if column.name not in kept]
        if left:
            log.info("the prediction log of %s leaves out %s", one.name, json.dumps(left)[:500])
