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
    settings: ServeSettings, deployment: Deployment, live: Pointer, url: str, *, bare: bool
) -> None:
    """Log what is served, where, and how to ask.

    Parameters
    ----------
    settings, deployment, live
        Of the server.
    url : str
        Its address, as a client writes it.
    bare : bool
        Whether it serves a bundle that was not deployed.

    """
    for slot in live.slots:
        log.info("serving %s@%s in %s (%s)", slot.name, slot.version, slot.stage, slot.digest[:12])
    log.info("at %s, which says in a browser how to ask", url)
    if bare:
        log.info("no gate was passed: the bundle is served as it is, from %s", deployment.path)
        log.info("another version: lockgate deploy BUNDLE %s", deployment.path)
    if not (settings.private or settings.tokens):
        log.warning("everybody who reaches %s may ask", url)
    _log_omitted_inputs(settings, deployment, live)


def _log_omitted_inputs(settings: ServeSettings, deployment: Deployment, live: Pointer) -> None:
    """Name the inputs that the prediction log leaves out."""
    from lockgate.prediction_log.columns import logged_columns

    log_settings = settings.log
    if log_settings.durability == "off":
        log.info("no prediction log is kept: answers cannot be traced")
        return
    for slot in live.slots:
        manifest = deployment.manifest(slot.digest)
        if manifest is None:
            raise BundleError(f"the manifest of {slot.name}@{slot.version} is gone")
        columns = manifest.inputs.features
        logged = logged_columns(columns, log_settings.inputs, log_settings.redact)
        omitted = [column.name for column in columns if column.name not in logged]
        if omitted:
            log.info("the prediction log of %s leaves out %s", slot.name, json.dumps(omitted)[:500])
