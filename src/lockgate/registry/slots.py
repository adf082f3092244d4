"""The bundle that a stage serves, those before it, and the choice of a rollback."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec

from lockgate.errors import DeploymentError
from lockgate.suggestions import nearest

__all__ = [
    "STAGE",
    "PreviousBundle",
    "Slot",
    "choose_previous",
    "promoted",
    "rolled_back",
    "with_left",
]


STAGE = "prod"
"""The default stage: it serves requests that name none."""


class PreviousBundle(msgspec.Struct, frozen=True):
    """A bundle that was served before.

    Attributes
    ----------
    version, digest : str
        The version, and the digest of the bundle.
    left : bool
        Whether it was rolled back from: a rollback returns to it only by name.
    verdict : str or None
        sha256 of the verdict with which it was promoted, where there was one.
    override : bool
        Whether its gates were overridden.
    held : bool
        Whether it was rolled back from in this deployment only, not in the ledger.

    """

    version: str
    digest: str
    left: bool = False
    verdict: str | None = None
    override: bool = False
    held: bool = False


class Slot(msgspec.Struct, frozen=True):
    """The version of one model in one stage.

    Attributes
    ----------
    name, stage, version : str
        The model, the stage, and the version.
    digest : str
        Digest of the bundle.
    before : tuple of PreviousBundle
        Bundles that were served before, latest first.
    verdict : str or None
        sha256 of the verdict with which it was promoted, where there was one.
    ledger : int
        Number of the ledger's event that was applied last; 0 where none was.
    event : str
        Id of that event, as numbers may differ between clones.
    local : bool
        Whether it was changed here since, without an event in the ledger.
    override : bool
        Whether its gates were overridden.

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
        """Model, stage, version and digest: what requests can name, and the bundle."""
        return self.name, self.stage, self.version, self.digest

    def as_previous(self, *, left: bool = False, held: bool = False) -> PreviousBundle:
        """Return it as a bundle that was served before."""
        return PreviousBundle(self.version, self.digest, left, self.verdict, self.override, held)


def choose_previous(slot: Slot, to: str | None) -> PreviousBundle:
    """Return the bundle that a rollback returns to.

    Parameters
    ----------
    slot : Slot
        What is served now.
    to : str or None
        A version, or at least 6 characters of a digest; None for the latest that was
        not rolled back from.

    Raises
    ------
    DeploymentError
        If there is none.

    """
    if not slot.before:
        raise DeploymentError(f"nothing was served before {slot.name}@{slot.version}")
    if to is None:
        earlier = [bundle for bundle in slot.before if not bundle.left]
        if earlier:
            return earlier[0]
        names = ", ".join(bundle.version for bundle in slot.before)
        raise DeploymentError(
            f"no version of {slot.name} to roll back to but those rolled back from: {names}; "
            "choose one with --to"
        )
    matching = [bundle for bundle in slot.before if bundle.version == to] or [
        bundle for bundle in slot.before if len(to) >= 6 and bundle.digest.startswith(to)
    ]
    if matching:
        return matching[0]
    versions: Sequence[str] = [bundle.version for bundle in slot.before]
    raise DeploymentError(
        f"{to} is not an earlier version of {slot.name} here{nearest(to, versions)}; available: "
        f"{', '.join(versions)}"
    )


def with_left(slot: Slot, digests: Collection[str]) -> Slot:
    """Return a slot whose earlier bundles of these digests count as rolled back from."""
    before = tuple(
        msgspec.structs.replace(bundle, left=bundle.left or bundle.digest in digests)
        for bundle in slot.before
    )
    return msgspec.structs.replace(slot, before=before)


def promoted(slot: Slot, new_slot: Slot, *, limit: int) -> Slot:
    """Return a slot after the promotion of another bundle, with at most `limit` earlier ones."""
    before = _distinct((slot.as_previous(), *slot.before), new_slot.digest)[:limit]
    return msgspec.structs.replace(new_slot, before=before)


def rolled_back(slot: Slot, previous: PreviousBundle, *, limit: int, held: bool = False) -> Slot:
    """Return a slot after a rollback to an earlier bundle.

    Parameters
    ----------
    slot : Slot
        What is served now.
    previous : PreviousBundle
        The bundle to return to.
    limit : int
        Number of earlier bundles to keep.
    held : bool
        Whether the bundle that is rolled back from must not be deployed again by itself.

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
    """Return the bundles before `previous`: the earlier ones, then those rolled back from."""
    if previous.left:  # forward again, to a bundle that was rolled back from
        return _distinct((slot.as_previous(held=held), *slot.before), previous.digest)
    index = slot.before.index(previous)
    earlier = [bundle for bundle in slot.before[index + 1 :] if not bundle.left]
    reverted = [slot.as_previous(left=True, held=held)]
    reverted += [
        msgspec.structs.replace(bundle, left=True, held=held) for bundle in slot.before[:index]
    ]
    reverted += [bundle for bundle in slot.before[index + 1 :] if bundle.left]
    return _distinct((*earlier, *reverted), previous.digest)


def _distinct(bundles: Iterable[PreviousBundle], served: str) -> tuple[PreviousBundle, ...]:
    """Return each bundle once, at its first position, without the served one."""
    by_digest = {served: PreviousBundle("", served)}
    for bundle in bundles:
        by_digest.setdefault(bundle.digest, bundle)
    return tuple(by_digest.values())[1:]
