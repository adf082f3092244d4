"""What the gates said of a bundle, against one incumbent, for one stage."""

from __future__ import annotations

from typing import Any

import msgspec

from lockgate.data.io.digests import sha256_bytes
from lockgate.errors import LedgerError

__all__ = ["GateRecord", "Incumbent", "Verdict"]


class Incumbent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The version that was in the stage when the gates were asked."""

    version: str
    digest: str


class GateRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one gate said.

    Attributes
    ----------
    gate : str
        Its instance in the configuration.
    plugin, provider : str
        Which plugin it is, and whose code, as ``params.yaml`` records it.
    passed : bool or None
        None where it had nothing to say, e.g. without an incumbent.
    sentence : str
        Why.
    figures : dict
        What it measured.

    """

    gate: str
    plugin: str
    provider: str
    passed: bool | None
    sentence: str
    figures: dict[str, Any] = {}

    @property
    def refused(self) -> bool:
        """Whether it blocks the bundle: any value but True and None does, as 0 is not False."""
        return not (self.passed is True or self.passed is None)


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all gates said.

    Attributes
    ----------
    v : int
        Version of this form.
    name, stage : str
        Which model, and where it is to go.
    bundle : str
        Digest of the bundle that was judged.
    incumbent : Rival or None
        What it was compared with.
    policy : str
        sha256 of the gates' settings.
    rows : str or None
        Digest of the rows on which both were measured.
    passed : bool
        Whether every gate that had something to say was content.
    judged : tuple of Judged
        One after the other.
    made_with : str
        Version of lockgate.
    at : str
        Time, UTC, ISO 8601.

    """

    v: int = 1
    name: str
    stage: str
    bundle: str
    incumbent: Incumbent | None
    policy: str
    rows: str | None = None
    passed: bool
    judged: tuple[GateRecord, ...]
    made_with: str
    at: str

    def encode(self) -> bytes:
        """Return the file; its sha256 names it."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"

    @property
    def digest(self) -> str:
        """sha256 of the file."""
        return sha256_bytes(self.encode())

    @classmethod
    def decode(cls, raw: bytes) -> Verdict:
        """Read the file.

        Raises
        ------
        LedgerError
            If it is none, or contradicts itself.

        """
        try:
            verdict = msgspec.json.decode(raw, type=cls)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise LedgerError(f"this is no verdict: {str(error)[:200]}") from None
        if verdict.passed != (not any(record.refused for record in verdict.judged)):
            raise LedgerError("a verdict says otherwise than its gates")
        return verdict

    @property
    def failed(self) -> list[GateRecord]:
        """Gates that were not content."""
        return [record for record in self.judged if record.refused]
