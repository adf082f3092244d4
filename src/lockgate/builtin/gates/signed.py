"""Gate `signed`: registered with a key that is allowed to."""

from __future__ import annotations

import lockgate

__all__ = ["Signed"]


@lockgate.plugin
class Signed:
    """Refuse a bundle that nobody registered with a key that may."""

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Look at the event that registered it."""
        signer = request.origin.signed_by
        if signer is None:
            return lockgate.GateResult(
                False, "no allowed signer registered it (.lockgate/allowed_signers, main branch)"
            )
        return lockgate.GateResult(True, f"registered and signed by {signer}")
