"""What a stage serves and served before, and which of those a rollback chooses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from lockgate.errors import DeploymentError, nearest

__all__ = ["STAGE", "PreviousBundle", "Slot", "choose_previous", "promoted", "rolled_back"]


STAGE = "prod"
"""Stage that answers where a request names none."""


class PreviousBundle(msgspec.Struct, frozen=True):
    """A bundle that was served before.

    Attributes
    ----------
    version, digest : str
        What it was called, and which it is.
    left : bool
        Whether it was rolled back from: a rollback takes it only when it is named.
    verdict : str or None
        sha256 of the gates' verdict with which it came, where there was one.
    override : bool
        Whether it came against its gates.
    held : bool
        Whether it was rolled back from here, and the ledger was not told.

    """

    version: str
    digest: str
    left: bool = False
    verdict: str | None = None
    override: bool = False
    held: bool = False


class Slot(msgspec.Struct, frozen=True):
    """What one model serves in one stage.

    Attributes
    ----------
    name, stage, version : str
        Which model, where, and what its version is called.
    digest : str
        The bundle's.
    before : tuple of Past
        What was served there before, the latest first.
    verdict : str or None
        sha256 of the gates' verdict with which it came, where there was one.
    ledger : int
        Number of the ledger's event that was followed last; 0 where none was.
    event : str
        Id of that event: two clones may have counted apart.
    local : bool
        Whether something else was done here since, of which the ledger does not know.
    override : bool
        Whether it came against its gates.

    """

    name: str
    stage: str
    version: str
    digest: str
    before: tuple[PreviousBundle, ...] = ()
    verdict: str | None = None
    ledger: int = 0
    event: str = ""
    local: bool = False
    override: bool = False

    @property
    def address(self) -> tuple[str, str, str, str]:
        """What is served, as requests ask for it, and which bundle it is."""
        return self.name, self.stage, self.version, self.digest

    def as_previous(self, *, left: bool = False, held: bool = False) -> PreviousBundle:
        """Return it as something that was served before."""
        return PreviousBundle(self.version, self.digest, left, self.verdict, self.override, held)


def choose_previous(slot: Slot, to: str | None) -> PreviousBundle:
    """Return what to go back to.

    Raises
    ------
    DeploymentError
        If there is nothing, or nothing of that name.

    """
    if not slot.before:
        raise DeploymentError(f"nothing was served before {slot.name}@{slot.version}")
    if to is None:
        earlier = [bundle for bundle in slot.before if not bundle.left]
        if earlier:
            return earlier[0]
        names = ", ".join(bundle.version for bundle in slot.before)
        raise DeploymentError(
            f"nothing was served before {slot.name}@{slot.version}; rolled back from were {names}: "
            "--to names one"
        )
    matching = [bundle for bundle in slot.before if bundle.version == to] or [
        bundle for bundle in slot.before if len(to) >= 6 and bundle.digest.startswith(to)
    ]
    if matching:
        return matching[0]
    versions: Sequence[str] = [bundle.version for bundle in slot.before]
    raise DeploymentError(
        f"no earlier {slot.name} {to}{nearest(to, versions)}; kept are {', '.join(versions)}"
    )


def promoted(slot: Slot, new_slot: Slot, *, limit: int) -> Slot:
    """Return what a slot is when another bundle takes its place."""
    before = _distinct((slot.as_previous(), *slot.before), new_slot.digest)[:limit]
    return msgspec.structs.replace(new_slot, before=before)


def rolled_back(slot: Slot, previous: PreviousBundle, *, limit: int, held: bool = False) -> Slot:
    """Return what a slot is when it goes back to an earlier bundle.

    Parameters
    ----------
    slot, previous : Slot, Past
        What is there, and what it goes back to.
    limit : int
        How many can be gone back to afterwards.
    held : bool
        Whether what is left must not come back by itself.

    """
    return msgspec.structs.replace(
        slot,
        version=previous.version,
        digest=previous.digest,
        verdict=previous.verdict,
        override=previous.override,
        before=_behind(slot, previous, held=held)[:limit],
    )


def _behind(slot: Slot, previous: PreviousBundle, *, held: bool) -> tuple[PreviousBundle, ...]:
    """Return what can be gone back to from `previous`: what was before it, then what was left."""
    if previous.left:  # forward again, to what was rolled back from
        return _distinct((slot.as_previous(), *slot.before), previous.digest)
    index = slot.before.index(previous)
    earlier = [bundle for bundle in slot.before[index + 1 :] if not bundle.left]
    reverted = [slot.as_previous(left=True, held=held)]
    reverted += [
        msgspec.structs.replace(bundle, left=True, held=held) for bundle in slot.before[:index]
    ]
    reverted += [bundle for bundle in slot.before[index + 1 :] if bundle.left]
    return _distinct((*earlier, *reverted), previous.digest)


def _distinct(bundles: Iterable[PreviousBundle], served: str) -> tuple[PreviousBundle, ...]:
    """Return each bundle once, where it stands first, without the one that is served."""
    by_digest = {served: PreviousBundle("", served)}
    for bundle in bundles:
        by_digest.setdefault(bundle.digest, bundle)
    return tuple(by_digest.values())[1:]
