"""Gate `signature`: requests for the incumbent remain valid."""

from __future__ import annotations

import lockgate

__all__ = ["Signature"]


@lockgate.plugin
class Signature:
    """Refuse a bundle that may break the requests which the incumbent answers."""

    breaking: bool = lockgate.setting(
        False, help="let breaking changes in; every caller is ready for them"
    )

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Compare what is asked for and what is answered."""
        from lockgate.data.compatibility import find_breaking_changes

        if request.incumbent is None:
            return lockgate.GateResult(None, f"nothing is in {request.stage} to compare with")
        breaking_changes = find_breaking_changes(request.incumbent, request.candidate)
        if not breaking_changes:
            return lockgate.GateResult(True, f"requests for {request.incumbent.version} still do")
        return lockgate.GateResult(
            self.breaking,
            f"requests for {request.incumbent.version} may fail: {'; '.join(breaking_changes)}",
        )
