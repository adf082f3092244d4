"""Which version may be called what, and which one is gone back to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from lockgate.bundle.pointer import Event, Past, Pointer, Slot
from lockgate.errors import DeploymentError, nearest

__all__ = ["advanced", "check_version", "chosen", "gone_back"]


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


def chosen(slot: Slot, to: str | None) -> Past:
    """Return what to go back to.

    Raises
    ------
    DeploymentError
        If there is nothing, or nothing of that name.

    """
    if not slot.before:
        raise DeploymentError(f"nothing was served before {slot.name}@{slot.version}")
    if to is None:
        earlier = [one for one in slot.before if not one.left]
        if earlier:
            return earlier[0]
        names = ", ".join(one.version for one in slot.before)
        raise DeploymentError(
            f"nothing was served before {slot.name}@{slot.version}; rolled back from were {names}: "
            "--to names one"
        )
    found = [p for p in slot.before if p.version == to] or [
        p for p in slot.before if len(to) >= 6 and p.digest.startswith(to)
    ]
    if found:
        return found[0]
    listed: Sequence[str] = [p.version for p in slot.before]
    raise DeploymentError(
        f"no earlier {slot.name} {to}{nearest(to, listed)}; kept are {', '.join(listed)}"
    )


def advanced(slot: Slot, made: Slot, *, kept: int) -> Slot:
    """Return what a slot is when another bundle takes its place."""
    before = _distinct((slot.past(), *slot.before), made.digest)[:kept]
    return msgspec.structs.replace(made, before=before)


def gone_back(slot: Slot, past: Past, *, kept: int, held: bool = False) -> Slot:
    """Return what a slot is when it goes back to an earlier bundle.

    Parameters
    ----------
    slot, past : Slot, Past
        What is there, and what it goes back to.
    kept : int
        How many can be gone back to afterwards.
    held : bool
        Whether what is left must not come back by itself.

    """
    return msgspec.structs.replace(
        slot, version=past.version, digest=past.digest, verdict=past.verdict,
        override=past.override, before=_behind(slot, past, held=held)[:kept],
    )  # fmt: skip


def _behind(slot: Slot, past: Past, *, held: bool) -> tuple[Past, ...]:
    """Return what can be gone back to from `past`: what was before it, then what was left."""
    if past.left:  # forward again, to what was rolled back from
        return _distinct((slot.past(), *slot.before), past.digest)
    place = slot.before.index(past)
    earlier = [one for one in slot.before[place + 1 :] if not one.left]
    gone = [slot.past(left=True, held=held)]
    gone += [msgspec.structs.replace(one, left=True, held=held) for one in slot.before[:place]]
    gone += [one for one in slot.before[place + 1 :] if one.left]
    return _distinct((*earlier, *gone), past.digest)


def _distinct(past: Iterable[Past], served: str) -> tuple[Past, ...]:
    """Return each bundle once, where it stands first, without the one that is served."""
    made = {served: Past("", served)}
    for one in past:
        made.setdefault(one.digest, one)
    return tuple(made.values())[1:]
