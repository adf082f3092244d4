"""Brings together what was done apart: events queued here, rollbacks taken at a server."""

from __future__ import annotations

from pathlib import Path

from lockgate.bundle.deployment import Deployment
from lockgate.bundle.pointer import Slot
from lockgate.errors import LedgerConflict
from lockgate.ledger.ledger import Ledger
from lockgate.ledger.repository import LEDGER
from lockgate.ledger.state import StageRecord
from lockgate.proof.events import Event

__all__ = ["enter_rollbacks", "mend_tags", "push_queued"]


def push_queued(ledger: Ledger, *, drop: bool = False) -> tuple[list[Event], list[Event]]:
    """Push events that were queued here.

    Parameters
    ----------
    ledger : Ledger
        With or without a remote.
    drop : bool
        Give them up instead.

    Returns
    -------
    tuple of list of Event
        Those pushed, and those given up.

    Raises
    ------
    LedgerConflict
        If one does not fit what others have done since.

    """
    if ledger.remote is None:
        return [], []
    repository = ledger.repository
    if drop:
        with repository.locked():
            there = ledger.remote.fetch()
            if there is None:
                raise LedgerConflict(
                    f"{ledger.remote.name} has no ledger: all of it is here, and nothing is queued"
                )
            known = {oid for oid, _ in repository.walk(there)}
            gone = [event for event, _, oid in ledger.commits() if oid not in known]
            repository.point(LEDGER, ledger.tip, there)
        return [], gone[::-1]
    with repository.locked():
        there = ledger.remote.fetch()
        known = {oid for oid, _ in repository.walk(there)}
    queued = {event.id for event, _, oid in ledger.commits() if oid not in known}
    ledger.writer.push()
    pushed = [event for event in ledger.history() if event.id in queued]
    return pushed[::-1], []


def mend_tags(ledger: Ledger) -> list[str]:
    """Write the tags for GTO that are not there, here and at the remote; return their names."""
    writer = ledger.writer
    events = [(event, commit) for event, commit, _ in ledger.commits()][::-1]
    wanted = writer.mirror.all(events)
    lacking = set(writer.mirror.missing(wanted))
    with ledger.repository.locked():
        writer.mirror.write(wanted)
        if ledger.remote is not None and ledger.tip is not None and wanted:
            there = ledger.remote.tags()
            away = [ref for ref, oid in wanted.items() if there.get(ref) != oid]
            if away:
                ledger.remote.push(ledger.tip, *(f"{wanted[ref] or ''}:{ref}" for ref in away))
            lacking |= set(away)
    return sorted(ref.removeprefix("refs/tags/") for ref in lacking)


def enter_rollbacks(ledger: Ledger, directory: Path) -> list[Event]:
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
                slot.name, slot.stage, to=slot.digest, expect=standing.slot.version,
                reason=_reason(deployment, slot),
            )  # fmt: skip
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
