"""The policy of a stage: what must be true of a version before it is put there."""

from __future__ import annotations

import fnmatch
from typing import Any

import msgspec

from lockgate.data.io.digests import sha256_bytes
from lockgate.errors import LedgerError
from lockgate.registry.provenance.formats import UnreadableRecord, decode_record

__all__ = ["StagePolicy"]


class StagePolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The gates of a stage, and who may promote to it.

    A verdict names the sha256 of this file, so that it counts for this policy only.

    Attributes
    ----------
    v : int
        Version of this format.
    stage : str
        The stage.
    gates : dict
        Plugin and settings of each gate, by its instance name.
    evaluators : dict
        Plugin and settings of each evaluator that measures metrics for the gates; empty for that
        of the task.
    promoters : tuple of str
        Addresses, or patterns of them, of those that may promote; empty for all that may push.

    """

    v: int = 1
    stage: str
    gates: dict[str, dict[str, Any]]
    evaluators: dict[str, dict[str, Any]] = {}
    promoters: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Return the file that the ledger keeps; equal policies have equal bytes."""
        return msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=1) + b"\n"

    @property
    def digest(self) -> str:
        """sha256 of the file."""
        return sha256_bytes(self.encode())

    def lets_promote(self, email: str) -> bool:
        """Whether the owner of an address may promote to the stage."""
        return not self.promoters or any(
            fnmatch.fnmatchcase(email, pattern) for pattern in self.promoters
        )

    @classmethod
    def decode(cls, raw: bytes) -> StagePolicy:
        """Read the file.

        Raises
        ------
        LedgerError
            If it is not a policy.

        """
        try:
            return decode_record(raw, cls)
        except UnreadableRecord as error:
            raise LedgerError(f"the policy {error}") from None
