"""Gate `lineage`: the origin of the bundle is recorded."""

from __future__ import annotations

import lockgate

__all__ = ["Lineage"]


@lockgate.plugin
class Lineage:
    """Refuse a bundle with less lineage than required.

    `pipeline`: registered from a clean commit whose ``dvc.lock`` names the bundle;
    `declared`: also bundles whose author declared where they come from;
    `unknown`: any bundle.
    """

    minimum: str = lockgate.setting(
        "pipeline", choices=("pipeline", "declared", "unknown"), help="required lineage"
    )

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Compare the recorded lineage with the required one."""
        order = ("unknown", "declared", "pipeline")
        lineage = request.origin.lineage
        commit = f", commit {request.origin.commit[:12]}" if request.origin.commit else ""
        edited = ", params.yaml edited" if request.origin.params_edited else ""
        problem = f" ({request.origin.problem})" if request.origin.problem else ""
        return lockgate.GateResult(
            order.index(lineage) >= order.index(self.minimum),
            f"lineage is {lineage}{commit}{edited}{problem}; required: {self.minimum}",
        )
