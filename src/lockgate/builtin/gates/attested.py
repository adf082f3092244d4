"""Gate `attested`: a rebuild gave the same bytes."""

from __future__ import annotations

import lockgate

__all__ = ["Attested"]


@lockgate.plugin
class Attested:
    """Refuse a bundle that was not built a second time from its commit, byte for byte."""

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Look at its attestations."""
        candidate = request.candidate
        if request.origin.attested is None:
            return lockgate.GateResult(
                False,
                f"nobody built it again: lockgate attest {candidate.name}@{candidate.version}",
            )
        outcome = "the same bytes" if request.origin.attested else "other bytes"
        return lockgate.GateResult(request.origin.attested, f"built again, it gave {outcome}")
