"""Gate `signature`: requests for the incumbent remain valid."""

from __future__ import annotations

import lockgate
from lockgate.data.compatibility import find_breaking_changes

__all__ = ["Signature"]


@lockgate.plugin
class Signature:
    """Refuse a bundle that may break requests which are valid for the incumbent."""

    breaking: bool = lockgate.setting(
        False, help="allow breaking changes, because every client is ready for them"
    )

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Compare inputs and outputs with those of the incumbent."""
        if request.incumbent is None:
            return lockgate.GateResult(None, f"no incumbent in {request.stage} to compare with")
        breaking_changes = find_breaking_changes(request.incumbent, request.candidate)
        if not breaking_changes:
            return lockgate.GateResult(
                True, f"requests for {request.incumbent.version} remain valid"
            )
        return lockgate.GateResult(
            self.breaking,
            f"requests for {request.incumbent.version} may fail: {'; '.join(breaking_changes)}",
        )
