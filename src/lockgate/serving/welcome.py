"""Where a server listens, and what it says when it begins to answer."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from lockgate.errors import BundleError
from lockgate.serving.listener import address

if TYPE_CHECKING:
    from lockgate.serving.supervisor import Supervisor

__all__ = ["welcome"]

log = logging.getLogger("lockgate.serve")


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
