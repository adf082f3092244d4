"""The verdict of all gates on a bundle, for one stage and incumbent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from lockgate.data.io.digests import sha256_bytes
from lockgate.errors import LedgerError
from lockgate.registry.provenance.formats import UnreadableRecord, decode_record
from lockgate.registry.provenance.policy import StagePolicy

__all__ = ["GateRecord", "Incumbent", "Verdict"]


class Incumbent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The version that was in the stage when the gates ran."""

    version: str
    digest: str


class GateRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The result of one gate.

    Attributes
    ----------
    gate : str
        Instance name of the gate in the configuration.
    plugin, provider : str
        Name of the plugin, and its code, as ``params.yaml`` records it.
    passed : bool or None
        None where the gate does not apply, e.g. without an incumbent.
    sentence : str
        The message of the gate.
    figures : dict
        The metrics that it measured.

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
    """The results of all gates.

    Attributes
    ----------
    v : int
        Version of this format.
    name, stage : str
        The model and the stage.
    bundle : str
        Digest of the judged bundle.
    incumbent : Incumbent or None
        The version that was in the stage. Gates compare with the last that passed them, which
        may be an earlier version.
    policy : str
        sha256 of the policy: the gates with their settings, and who may promote.
    rows : str or None
        Digest of the evaluation rows.
    passed : bool
        Whether no gate refused the bundle.
    judged : tuple of GateRecord
        Results in the order of the gates.
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
        """Return the content of the file, which is named by its sha256."""
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
            If it is not a verdict, or contradicts itself.

        """
        try:
            verdict = decode_record(raw, cls)
        except UnreadableRecord as error:
            raise LedgerError(f"the verdict {error}") from None
        if verdict.passed != (not any(record.refused for record in verdict.judged)):
            raise LedgerError("the verdict contradicts the results of its gates")
        return verdict

    def check_policy(self, policy: StagePolicy) -> None:
        """Check that the verdict has a result of every gate of its policy.

        Raises
        ------
        LedgerError
            If a gate was left out, or others were run.

        """
        judged = [(record.gate, record.plugin) for record in self.judged]
        expected = [(name, node.get("plugin")) for name, node in policy.gates.items()]
        if sorted(judged) != sorted(expected, key=str):
            raise LedgerError(
                f"the verdict has results of the gates {_names(judged)}, and its policy has "
                f"{_names(expected)}"
            )

    @property
    def failed(self) -> list[GateRecord]:
        """Results of the gates that refused the bundle."""
        return [record for record in self.judged if record.refused]


def _names(gates: Sequence[tuple[str, object]]) -> str:
    return ", ".join(name for name, _ in gates) or "none"
