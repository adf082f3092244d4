"""The pointer of a deployment directory: which bundles are served, and the event behind it."""

from __future__ import annotations

import msgspec

from lockgate.contract.names import NAME
from lockgate.errors import DeploymentError, UsageError
from lockgate.registry.slots import PreviousBundle, Slot
from lockgate.suggestions import nearest

__all__ = ["DeploymentEvent", "Pointer", "check_label", "check_version"]


class DeploymentEvent(msgspec.Struct, frozen=True, rename={"before": "from", "after": "to"}):
    """A change of a deployment directory.

    Attributes
    ----------
    seq : int
        Number of the event, counted from 1.
    op : {"deploy", "rollback", "refused", "remove"}
        The operation; `refused` reverts a deployment that the running server rejected.
    name, stage : str
        Model and stage that changed.
    before, after : PreviousBundle or None
        Bundle that was served before the event, and after it.
    at : str
        Time, UTC, ISO 8601.
    actor, reason : str
        User who made the change, and the reason, if any.

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
    """What is served.

    Attributes
    ----------
    schema_version : int
        Version of this format.
    event : Event or None
        The last change of the directory.
    slots : tuple of Slot
        The bundle that is served for each model and stage.

    """

    schema_version: int = 1
    event: DeploymentEvent | None = None
    slots: tuple[Slot, ...] = ()

    @property
    def seq(self) -> int:
        """Number of the last event, 0 before the first."""
        return 0 if self.event is None else self.event.seq

    def find(self, name: str, stage: str) -> Slot | None:
        """Return what is served for a model and stage."""
        matches = (slot for slot in self.slots if (slot.name, slot.stage) == (name, stage))
        return next(matches, None)

    def require(self, name: str | None, stage: str) -> Slot:
        """Return what is served for a model and stage; without a name, for the only model.

        Raises
        ------
        DeploymentError
            If the model is not served in that stage, or the name is missing and ambiguous.

        """
        in_stage = [slot for slot in self.slots if slot.stage == stage]
        matches = [slot for slot in in_stage if name is None or slot.name == name]
        if len(matches) == 1:
            return matches[0]
        names = sorted({slot.name for slot in in_stage})
        served = ", ".join(names) or "nothing"
        if name is None:
            raise DeploymentError(
                f"expected the name of a model in stage {stage}; served there: {served}"
            )
        hint = nearest(name, names)
        raise DeploymentError(
            f"{name} is not served in stage {stage}{hint}; served there: {served}"
        )


def check_label(label: str) -> None:
    """Check that a version or stage can be part of a URL path.

    Raises
    ------
    UsageError
        If it has other characters, or is too long.

    """
    if not NAME.fullmatch(label):
        raise UsageError(
            f"{label[:80]!r} is not a valid version or stage; "
            "allowed are letters, digits and . _ + -"
        )


def check_version(record: list[DeploymentEvent], pointer: Pointer, slot: Slot) -> None:
    """Check that a name with a version, or with a stage, is never used for two things.

    Raises
    ------
    DeploymentError
        If the version was another bundle before, or is also the name of a stage.

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
        raise DeploymentError(f"a version and a stage of {slot.name} cannot have the same name")
