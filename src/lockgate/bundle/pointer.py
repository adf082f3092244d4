"""What the pointer of a deployment directory holds."""

from __future__ import annotations

import msgspec

__all__ = ["STAGE", "Event", "Past", "Pointer", "Slot"]

STAGE = "prod"
"""Stage that answers where a request names none."""


class Past(msgspec.Struct, frozen=True):
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
    before: tuple[Past, ...] = ()
    verdict: str | None = None
    ledger: int = 0
    event: str = ""
    local: bool = False
    override: bool = False

    @property
    def address(self) -> tuple[str, str, str, str]:
        """What is served, as requests ask for it, and which bundle it is."""
        return self.name, self.stage, self.version, self.digest

    def past(self, *, left: bool = False, held: bool = False) -> Past:
        """Return it as something that was served before."""
        return Past(self.version, self.digest, left, self.verdict, self.override, held)


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
    before: Past | None
    after: Past | None
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
