"""Gate `attested`: a rebuild gave the same bytes."""

from __future__ import annotations

import lockgate

__all__ = ["Attested"]


@lockgate.plugin
class Attested:
    """Refuse a bundle unless a rebuild from its commit gave the same bytes."""

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Look at the latest attestation."""
        candidate = request.candidate
        if request.origin.attested is None:
            return lockgate.GateResult(
                False,
                f"not rebuilt yet: run lockgate attest {candidate.name}@{candidate.version}",
            )
        outcome = "gave the same bytes" if request.origin.attested else "gave different bytes"
        return lockgate.GateResult(request.origin.attested, f"the rebuild {outcome}")
