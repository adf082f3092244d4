"""Brings together what was done apart: events queued here, rollbacks taken at a server."""

from __future__ import annotations

from pathlib import Path

from lockgate.bundle.deployment import Deployment
from lockgate.bundle.pointer import Slot
from lockgate.errors import LedgerConflict
from lockgate.ledger.ledger import Ledger
from lockgate.ledger.repository import LEDGER
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
    lacking = set(writer.missing(wanted))
    with ledger.repository.locked():
        writer.tag(wanted)
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
        if not slot.local:
            continue
        standing = ledger.current(slot.name, slot.stage)
        if standing is None or (
            standing.seq != slot.ledger and standing.slot.digest != slot.digest
        ):
            there = "nothing" if standing is None else standing.slot.version
            raise LedgerConflict(
                f"{directory} serves {slot.name}@{slot.version} in {slot.stage} since a rollback "
                f"there, and the ledger has put {there} there since; say which it is: lockgate "
                f"promote or rollback {slot.name} {slot.stage}"
            )
        if standing.slot.digest != slot.digest:
            reason = _reason(deployment, slot)
            standing = ledger.rollback(slot.name, slot.stage, to=slot.version, reason=reason)
            entered += [one for one in ledger.history(slot.name) if one.seq == standing.seq]
        deployment.mark(slot.name, slot.stage, standing.seq)
    return entered


def _reason(deployment: Deployment, slot: Slot) -> str:
    """Say who took it, where and when, in the words of the directory's own record."""
    for event in reversed(deployment.history()):
        if (event.name, event.stage) == (slot.name, slot.stage):
            why = f": {event.reason}" if event.reason else ""
            return f"taken at {deployment.path} at {event.at} by {event.actor}{why}"
    return f"taken at {deployment.path}"
