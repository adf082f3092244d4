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
    entered = []
    for slot in deployment.pointer().slots:
        held = [one.version for one in slot.before if one.held]
        if not slot.ledger or not (slot.local or held):
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
                reason=_reason(deployment, slot),
            )
            entered += [one for one in ledger.history(slot.name) if one.seq == standing.seq]
        deployment.mark(slot.name, slot.stage, (standing.seq, standing.id))
    return entered


def _check_unchanged(directory: Path, slot: Slot, standing: StageRecord) -> None:
    """Refuse where the ledger has gone on, or never had what is served."""
    what = f"{directory} serves {slot.name}@{slot.version} in {slot.stage}"
    if (standing.seq, standing.id) != (slot.ledger, slot.event):
        raise LedgerConflict(
            f"{what} since a rollback there, and the ledger has put {standing.slot.version} there "
            f"since; say which it is: lockgate promote or rollback {slot.name} {slot.stage}"
        )
    if slot.digest not in {one.digest for one in standing.slot.before}:
        raise LedgerConflict(
            f"{what}, which the ledger never had there; register and promote it, or go back to "
            f"the ledger's: lockgate rollback --here {directory} --to {standing.slot.version}"
        )


def _reason(deployment: Deployment, slot: Slot) -> str:
    """Say who took it, where and when, in the words of the directory's own record."""
    for event in reversed(deployment.history()):
        if (event.name, event.stage) == (slot.name, slot.stage):
            why = f": {event.reason}" if event.reason else ""
            return f"taken at {deployment.path} at {event.at} by {event.actor}{why}"
    return f"taken at {deployment.path}"
