"""Events of the ledger, as a subject line for people and a JSON object for programs."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from lockgate.registry.provenance.formats import UnreadableRecord, decode_record

__all__ = ["VERSION", "Event", "InvalidEvent", "Op"]

VERSION = re.compile(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})")
"""Versions as of semver.org, without labels."""

Op = Literal["register", "gate", "promote", "rollback", "retire", "attest"]


class InvalidEvent(ValueError):
    """A commit message without a valid event."""


class Event(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    rename={"before": "from", "after": "to"},
):
    """An operation on a model's versions.

    Attributes
    ----------
    v : int
        Version of this format.
    seq : int
        Number of the event, from 1.
    id : str
        Fixed before the event is first written, so that it cannot be written twice.
    op : {"register", "gate", "promote", "rollback", "retire", "attest"}
        The operation.
    name : str
        Name of the model.
    stage : str or None
        The stage, where the operation has one.
    before, after : str or None
        The versions before and after the event.
    digest : str or None
        Digest of the bundle of `after` (for `retire`, of `before`).
    gate : str or None
        sha256 of the verdict that it is based on.
    attached : str or None
        sha256 of the attached record or attestation.
    override : bool
        Whether the gates were overridden.
    actor, reason : str
        Who did it, and why.
    at : str
        Time, UTC, ISO 8601. Events are ordered by their parents, not by time.

    """

    v: int = 1
    seq: int
    id: str
    op: Op
    name: str
    stage: str | None = None
    before: str | None = None
    after: str | None = None
    digest: str | None = None
    gate: str | None = None
    attached: str | None = None
    override: bool = False
    actor: str
    at: str
    reason: str = ""

    @property
    def subject(self) -> str:
        """The event in one line, e.g. ``promote fraud 1.4.0 -> prod``."""
        parts = [self.op, self.name]
        if self.op in ("gate", "promote", "rollback"):
            parts += [self.after or "-", "->", self.stage or "-"]
        elif self.op == "retire":
            parts += [self.before or "-", *(["from", self.stage] if self.stage else [])]
        else:
            parts += [self.after or "-"]
        return " ".join(parts) + (" (override)" if self.override else "")

    @property
    def changes_stage(self) -> bool:
        """Whether it puts a version into a stage, or empties one."""
        return self.stage is not None and self.op != "gate"

    def message(self) -> str:
        """Return the commit message."""
        return f"{self.subject}\n\n{msgspec.json.encode(self).decode()}\n"

    @classmethod
    def parse(cls, message: str) -> Event:
        """Read the event of a commit message.

        Raises
        ------
        InvalidEvent
            If it is not exactly as `message` writes it.

        """
        _, _, raw = message.partition("\n\n")
        if not raw:
            raise InvalidEvent("its message does not contain an event")
        try:
            event = decode_record(raw.encode("utf-8", "replace"), cls)
        except UnreadableRecord as error:
            raise InvalidEvent(f"the event in its message {error}") from None
        if event.message() != message:
            raise InvalidEvent("its message differs from the one that lockgate writes")
        return event
