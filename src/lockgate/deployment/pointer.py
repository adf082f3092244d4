"""What the pointer of a deployment directory holds."""

from __future__ import annotations

import msgspec

from lockgate.errors import DeploymentError
from lockgate.registry.slots import PreviousBundle, Slot

__all__ = ["Event", "Pointer", "check_version"]


class Event(msgspec.Struct, frozen=True, rename={"before": "from", "after": "to"}):
    """Something that was done to the directory.

    Attributes
    ----------
    seq : int
        Counted from 1.
    op : {"deploy", "rollback", "refused", "remove"}
        What was done; `refused` takes back a deployment that a server would not load.
    name, stage : str
        To which model.
    before, after : Past or None
        What was served before and after it.
    at : str
        Time, UTC, ISO 8601.
    actor, reason : str
        Who did it, and why, where it was said.

    """

    seq: int
    op: str
    name: str
    stage: str
    before: PreviousBundle | None
    after: PreviousBundle | None
    at: str
    actor: str
    reason: str = ""


class Pointer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is served."""

    schema_version: int = 1
    event: Event | None = None
    slots: tuple[Slot, ...] = ()

    @property
    def seq(self) -> int:
        """How many events led here."""
        return 0 if self.event is None else self.event.seq


def check_version(record: list[Event], pointer: Pointer, slot: Slot) -> None:
    """See to it that a name with a version, or with a stage, means one thing for good.

    Raises
    ------
    DeploymentError
        If the version was another bundle before, or is the name of a stage.

    """
    for event in record:
        after = event.after
        if after is None or (event.name, after.version) != (slot.name, slot.version):
            continue
        if after.digest != slot.digest:
            raise DeploymentError(
                f"{slot.name}@{slot.version} was another bundle (event {event.seq}); "
                "choose another version"
            )
    same_name = [entry for entry in pointer.slots if entry.name == slot.name]
    if slot.version in {entry.stage for entry in same_name} | {slot.stage} or slot.stage in {
        entry.version for entry in same_name
    }:
        raise DeploymentError(f"a version and a stage of {slot.name} cannot have one name")
