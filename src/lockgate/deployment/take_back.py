"""Records rollbacks made in a deployment directory in the ledger."""

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
    """Record the rollbacks of a deployment directory in the ledger.

    Parameters
    ----------
    ledger : Ledger
        The ledger.
    directory : pathlib.Path
        The deployment directory.

    Returns
    -------
    list of Event
        The events that were added to the ledger.

    Raises
    ------
    LedgerConflict
        If the stage has changed in the ledger since, or never had that bundle.
    DeploymentChanged
        If the directory is changed at the same time.

    """
    deployment = Deployment(directory)
    recorded_events = []
    pointer = deployment.pointer()
    for slot in pointer.slots:
        unsynced_versions = [previous.version for previous in slot.before if previous.held]
        if not slot.ledger or not (slot.local or unsynced_versions):
            continue
        stage_record = ledger.state.stage(slot.name, slot.stage)
        if stage_record is None:
            raise LedgerConflict(
                f"stage {slot.stage} of {slot.name} is empty in the ledger, and {directory} still "
                f"serves {slot.version}"
            )
        if stage_record.slot.digest != slot.digest and slot.local:
            _check_unchanged(directory, slot, stage_record)
            stage_record = ledger.rollback(
                slot.name,
                slot.stage,
                to=slot.digest,
                expect=stage_record.slot.version,
                reason=_describe_rollback(deployment, slot),
            )
            recorded_events += [
                event for event in ledger.history(slot.name) if event.seq == stage_record.seq
            ]
        following = stage_record.seq, stage_record.id
        # what was done here meanwhile is not in the ledger: the next sync records it
        deployment.mark(slot.name, slot.stage, following, expect_seq=pointer.seq)
    return recorded_events


def _check_unchanged(directory: Path, slot: Slot, stage_record: StageRecord) -> None:
    """Raise if the ledger's stage has changed since, or never had the served bundle."""
    subject = f"{directory} serves {slot.name}@{slot.version} in {slot.stage}"
    if (stage_record.seq, stage_record.id) != (slot.ledger, slot.event):
        raise LedgerConflict(
            f"{subject} after a rollback, and the ledger has moved to "
            f"{stage_record.slot.version} since; decide with "
            f"lockgate promote or lockgate rollback {slot.name} {slot.stage}"
        )
    if slot.digest not in {previous.digest for previous in stage_record.slot.before}:
        raise LedgerConflict(
            f"{subject}, which the ledger never had in that stage; register and promote it, or "
            f"return to the ledger's: lockgate rollback --here {directory} --to "
            f"{stage_record.slot.version}"
        )


def _describe_rollback(deployment: Deployment, slot: Slot) -> str:
    """Describe when, where and by whom the rollback was made, from the directory's record."""
    for event in reversed(deployment.history()):
        if (event.name, event.stage) == (slot.name, slot.stage):
            reason = f": {event.reason}" if event.reason else ""
            return f"made in {deployment.path} at {event.at} by {event.actor}{reason}"
    return f"made in {deployment.path}"
