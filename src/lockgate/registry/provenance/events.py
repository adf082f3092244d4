"""What happened to a version, as one line for people and one JSON object for programs."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

__all__ = ["NAME", "VERSION", "Event", "InvalidEvent", "Op"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
"""Names of models and stages."""

VERSION = re.compile(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})")
"""Versions: semver.org's, without labels."""

Op = Literal["register", "gate", "promote", "rollback", "retire", "attest"]


class InvalidEvent(ValueError):
    """A message that holds no event, or one that contradicts itself."""


class Event(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    rename={"before": "from", "after": "to"},
):
    """Something that happened to a model's versions.

    Attributes
    ----------
    v : int
        Version of this form.
    seq : int
        Counted from 1.
    id : str
        Fixed before the event is first written, so that it cannot be written twice.
    op : {"register", "gate", "promote", "rollback", "retire", "attest"}
        What happened.
    name : str
        To which model.
    stage : str or None
        In which stage.
    before, after : str or None
        The versions there before it and after it.
    digest : str or None
        The bundle that `after` is (for `retire`, that `before` was).
    gate : str or None
        sha256 of the verdict that it rests on.
    attached : str or None
        sha256 of what it brought along: a record or an attestation.
    override : bool
        Whether it was done against the gates.
    actor, reason : str
        Who did it, and why.
    at : str
        Time, UTC, ISO 8601; the order of events is that of their parents, not of times.

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
        """The event in a line, e.g. ``promote fraud 1.4.0 -> prod``."""
        parts = [self.op, self.name]
        if self.op in ("gate", "promote", "rollback"):
            parts += [self.after or "-", "->", self.stage or "-"]
        elif self.op == "retire":
            parts += [self.before or "-", *(["from", self.stage] if self.stage else [])]
        else:
            parts += [self.after or "-"]
        return " ".join(parts) + (" (override)" if self.override else "")

    def message(self) -> str:
        """Return a commit's message."""
        return f"{self.subject}\n\n{msgspec.json.encode(self).decode()}\n"

    @classmethod
    def parse(cls, message: str) -> Event:
        """Read a commit's message.

        Raises
        ------
        BadEvent
            If it is not exactly what `message` writes.

        """
        try:
            event = msgspec.json.decode(message.split("\n\n", 1)[1], type=cls)
        except (IndexError, msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise InvalidEvent(f"its message holds no event: {str(error)[:200]}") from None
        if event.v != 1:
            raise InvalidEvent(f"its event has form {event.v}; this lockgate reads 1: upgrade it")
        if event.message() != message:
            raise InvalidEvent("its message is not as lockgate writes it")
        return event
