"""What becomes of a stage in a deployment directory, as values: apart from files and locks.

A stage is changed by three: a person here (`deployed`, `rolled_back_here`), the ledger through
`lockgate deploy NAME@STAGE` and its `--follow` (`next_step`, then `deployed`), and
`lockgate sync`, which tells the ledger what was done here (`synchronized`). A stage that the
ledger empties is removed with all that was held in it.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from lockgate.registry.slots import PreviousBundle, Slot, promoted, rolled_back

__all__ = ["NextStep", "deployed", "next_step", "rolled_back_here", "synchronized"]

MAX_PREVIOUS = 5
"""Earlier bundles that are kept for each stage."""


class NextStep(StrEnum):
    """What follows from the ledger for a stage here."""

    NOTHING = "up to date with the ledger"
    DEPLOY = "deploy the ledger's version"
    REMOVE = "remove the stage, which is empty in the ledger"
    ABSENT = "the stage is empty in the ledger, and was never filled from it"
    HELD = "the ledger's version was rolled back here, which the ledger does not know yet"
    REPLACED = "the ledger's version was replaced here"


def next_step(slot: Slot | None, promotion: Slot | None) -> NextStep:
    """Compare a stage here with the ledger.

    Parameters
    ----------
    slot : Slot or None
        The stage here; None if nothing is served in it.
    promotion : Slot or None
        The stage in the ledger, with number and id of its event; None if it is empty.

    """
    if promotion is None:
        return NextStep.ABSENT if slot is None or not slot.ledger else NextStep.REMOVE
    if slot is None:
        return NextStep.DEPLOY
    held = promotion.digest in {bundle.digest for bundle in slot.before if bundle.held}
    if (slot.ledger, slot.event) == (promotion.ledger, promotion.event):
        if slot.digest == promotion.digest:
            return NextStep.NOTHING
        return NextStep.HELD if held else NextStep.REPLACED
    return NextStep.HELD if held else NextStep.DEPLOY


def deployed(old: Slot | None, new: Slot) -> tuple[Slot, bool]:
    """Return a stage after a deployment, and whether another bundle or version is served now.

    Parameters
    ----------
    old : Slot or None
        The stage before.
    new : Slot
        The new bundle; `ledger` is 0 for one that is deployed by hand.

    """
    if old is not None and (old.version, old.digest) == (new.version, new.digest):
        if not new.ledger:
            return old, False
        # the ledger may have promoted the same bundle again, with another verdict
        renewed = msgspec.structs.replace(
            old, verdict=new.verdict or old.verdict, override=new.override
        )
        return _following(renewed, new.ledger, new.event), False
    if old is None:
        return new, True
    if not new.ledger and old.ledger:
        # a deployment by hand over one that follows the ledger is not undone by following
        new = msgspec.structs.replace(new, ledger=old.ledger, event=old.event, local=True)
    return promoted(old, new, limit=MAX_PREVIOUS), True


def rolled_back_here(slot: Slot, previous: PreviousBundle, *, by_person: bool) -> Slot:
    """Return a stage after a rollback.

    What a person rolls back from is held where the ledger is followed: it would be deployed
    again at once. A server that returns to the bundle before holds nothing.
    """
    held = by_person and bool(slot.ledger)
    new_slot = rolled_back(slot, previous, limit=MAX_PREVIOUS, held=held)
    return msgspec.structs.replace(new_slot, local=slot.local or held)


def synchronized(slot: Slot, number: int, event: str) -> Slot:
    """Return a stage whose state is known to the ledger, as of this event."""
    before = tuple(msgspec.structs.replace(bundle, held=False) for bundle in slot.before)
    return _following(msgspec.structs.replace(slot, before=before), number, event)


def _following(slot: Slot, number: int, event: str) -> Slot:
    return msgspec.structs.replace(slot, ledger=number, event=event, local=False)
