"""Where a server listens, and what it says when it begins to answer."""

from __future__ import annotations

import json
import logging

from lockgate.deployment.directory import Deployment
from lockgate.deployment.pointer import Pointer
from lockgate.errors import BundleError
from lockgate.serving.settings import ServeSettings

__all__ = ["log_banner"]

log = logging.getLogger("lockgate.serve")


def log_banner(
    settings: ServeSettings, deployment: Deployment, live: Pointer, where: str, *, bare: bool
) -> None:
    """Log what is served, where, and how to ask.

    Parameters
    ----------
    settings, deployment, live
        Of the server.
    where : str
        Its address, as a client writes it.
    bare : bool
        Whether it serves a bundle that was not deployed.

    """
    for one in live.slots:
        log.info("serving %s@%s in %s (%s)", one.name, one.version, one.stage, one.digest[:12])
    log.info("at %s, which says in a browser how to ask", where)
    if bare:
        log.info("no gate was passed: the bundle is served as it is, from %s", deployment.path)
        log.info("another version: lockgate deploy BUNDLE %s", deployment.path)
    if not (settings.private or settings.tokens):
        log.warning("everybody who reaches %s may ask", where)
    _say_what_is_kept(settings, deployment, live)


def _say_what_is_kept(settings: ServeSettings, deployment: Deployment, live: Pointer) -> None:
    """Name the inputs that the prediction log leaves out."""
    from lockgate.prediction_log.columns import logged_columns

    keep = settings.log
    if keep.durability == "off":
        log.info("no prediction log is kept: answers cannot be traced")
        return
    for one in live.slots:
        manifest = deployment.manifest(one.digest)
        if manifest is None:
            raise BundleError(f"the manifest of {one.name}@{one.version} is gone")
        columns = manifest.inputs.features
        kept = logged_columns(columns, keep.inputs, keep.redact)
        left = [column.name for column in columns if column.name not in kept]
        if left:
            log.info("the prediction log of %s leaves out %s", one.name, json.dumps(left)[:500])
