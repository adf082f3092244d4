"""Gate `signed`: registered with the key of an allowed signer."""

from __future__ import annotations

import lockgate

__all__ = ["Signed"]


@lockgate.plugin
class Signed:
    """Refuse a bundle whose registration was not signed by an allowed signer."""

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Look at the signature of the registration."""
        signer = request.origin.signed_by
        if signer is None:
            return lockgate.GateResult(
                False,
                "its registration is not signed by an allowed signer "
                "(.lockgate/allowed_signers of the main branch)",
            )
        return lockgate.GateResult(True, f"registered and signed by {signer}")
