"""Which version may be called what, and which one is gone back to."""

from __future__ import annotations

from lockgate.deployment.pointer import Event, Pointer
from lockgate.errors import DeploymentError
from lockgate.registry.slots import Slot

__all__ = ["check_version"]


def check_version(record: list[Event], pointer: Pointer, slot: Slot) -> None:
    """See to it that a name with a version, or with a stage, means one thing for good.

    Raises
    ------
    DeploymentError
        If the version was another bundle before, or is the name of a stage.

    """
    for event in record:
        known = event.after
        if known is None or (event.name, known.version) != (slot.name, slot.version):
            continue
        if known.digest != slot.digest:
            raise DeploymentError(
                f"{slot.name}@{slot.version} was another bundle (event {event.seq}); "
                "choose another version"
            )
    same = [one for one in pointer.slots if one.name == slot.name]
    if slot.version in {one.stage for one in same} | {slot.stage} or slot.stage in {
        one.version for one in same
    }:
        raise DeploymentError(f"a version and a stage of {slot.name} cannot have one name")
