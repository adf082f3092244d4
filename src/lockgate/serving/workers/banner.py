"""Log lines about what is served, written when a server starts and when that changes."""

from __future__ import annotations

import json
import logging

from lockgate.deployment.directory import Deployment
from lockgate.deployment.pointer import Pointer
from lockgate.errors import BundleError
from lockgate.prediction_log.columns import logged_columns
from lockgate.registry.slots import Slot
from lockgate.serving.settings import ServeSettings

__all__ = ["log_banner", "log_served"]

log = logging.getLogger("lockgate.serve")


def log_served(slots: tuple[Slot, ...]) -> None:
    """Log each model that is served."""
    for slot in slots:
        log.info("serving %s@%s in %s (%s)", slot.name, slot.version, slot.stage, slot.digest[:12])


def log_banner(
    settings: ServeSettings, deployment: Deployment, live: Pointer, url: str, *, undeployed: bool
) -> None:
    """Log what is served, where, and to whom.

    Parameters
    ----------
    settings : ServeSettings
        Settings of the server.
    deployment : Deployment
        The directory that is served.
    live : Pointer
        Its pointer.
    url : str
        Address of the server.
    undeployed : bool
        Whether a local bundle is served that was not deployed.

    """
    log_served(live.slots)
    log.info("listening on %s; open it in a browser for examples of requests", url)
    if undeployed:
        log.info("serving a local bundle without gate checks, from %s", deployment.path)
        log.info("to serve another version: lockgate deploy BUNDLE %s", deployment.path)
    if not (settings.private or settings.tokens):
        log.warning("%s accepts unauthenticated requests", url)
    if settings.require_verdict and not settings.signers:
        log.warning(
            "verdicts are required, and not their signatures: whoever may push the ledger may have "
            "written them; --signers FILE checks who did"
        )
    _log_omitted_inputs(settings, deployment, live)


def _log_omitted_inputs(settings: ServeSettings, deployment: Deployment, live: Pointer) -> None:
    """Log which input columns the prediction log omits."""
    log_settings = settings.log
    if log_settings.durability == "off":
        log.info("the prediction log is off: predictions cannot be traced")
        return
    for slot in live.slots:
        manifest = deployment.manifest(slot.digest)
        if manifest is None:
            raise BundleError(f"the manifest of {slot.name}@{slot.version} has been deleted")
        columns = manifest.schema.features
        logged = logged_columns(columns, log_settings.inputs, log_settings.redact)
        omitted = [column.name for column in columns if column.name not in logged]
        if omitted:
            log.info("the prediction log of %s omits %s", slot.name, json.dumps(omitted)[:500])
