"""Enters rollbacks that were taken at a deployment directory into the ledger."""

from __future__ import annotations

from pathlib import Path

from lockgate.deployment.directory import Deployment
from lockgate.errors import LedgerConflict
from lockgate.registry.api import Ledger
from lockgate.registry.ledger.state import StageRecord
from lockgate.registry.provenance.events import Event
from lockgate.registry.slots import Slot

__all__ = ["record_rollbacks"]


def record_rollbacks(ledger: Ledger, directory: Path) -> list[Event]:
    """Tell the ledger of rollbacks that were taken at a deployment directory.

    Raises
    ------
    LedgerConflict
        If the stage has changed in the ledger since.

    """
    deployment = Deployment(directory)
    recorded_events = []
    for slot in deployment.pointer().slots:
        held_versions = [previous.version for previous in slot.before if previous.held]
        if not slot.ledger or not (slot.local or held_versions):
            continue
        standing = ledger.current(slot.name, slot.stage)
        if standing is None:
            raise LedgerConflict(f"{slot.name} has nothing in {slot.stage} of the ledger any more")
        if standing.slot.digest != slot.digest and slot.local:
            _check_unchanged(directory, slot, standing)
            standing = ledger.rollback(
                slot.name,
                slot.stage,
                to=slot.digest,
                expect=standing.slot.version,
                reason=_describe_rollback(deployment, slot),
            )
            recorded_events += [
                event for event in ledger.history(slot.name) if event.seq == standing.seq
            ]
        deployment.mark(slot.name, slot.stage, (standing.seq, standing.id))
    return recorded_events


def _check_unchanged(directory: Path, slot: Slot, standing: StageRecord) -> None:
    """Refuse where the ledger has gone on, or never had what is served."""
    subject = f"{directory} serves {slot.name}@{slot.version} in {slot.stage}"
    if (standing.seq, standing.id) != (slot.ledger, slot.event):
        raise LedgerConflict(
            f"{subject} since a rollback there, and the ledger has put {standing.slot.version} there "
            f"since; say which it is: lockgate promote or rollback {slot.name} {slot.stage}"
        )
    if slot.digest not in {previous.digest for previous in standing.slot.before}:
        raise LedgerConflict(
            f"{subject}, which the ledger never had there; register and promote it, or go back to "
            f"the ledger's: lockgate rollback --here {directory} --to {standing.slot.version}"
        )


def _describe_rollback(deployment: Deployment, slot: Slot) -> str:
    """Say who took it, where and when, in the words of the directory's own record."""
    for event in reversed(deployment.history()):
        if (event.name, event.stage) == (slot.name, slot.stage):
            reason = f": {event.reason}" if event.reason else ""
            return f"taken at {deployment.path} at {event.at} by {event.actor}{reason}"
    return f"taken at {deployment.path}"
