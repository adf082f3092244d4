"""Gate `lineage`: where the bundle comes from is known."""

from __future__ import annotations

import lockgate

__all__ = ["Lineage"]


@lockgate.plugin
class Lineage:
    """Refuse a bundle of which too little is known.

    `pipeline`: a commit with a clean work tree, whose ``dvc.lock`` names it;
    `declared`: also what its maker says of it; `unknown`: anything.
    """

    minimum: str = lockgate.setting(
        "pipeline", choices=("pipeline", "declared", "unknown"), help="what must be known"
    )

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Look at the record."""
        order = ("unknown", "declared", "pipeline")
        lineage = request.origin.lineage
        commit = f", commit {request.origin.commit[:12]}" if request.origin.commit else ""
        return lockgate.GateResult(
            order.index(lineage) >= order.index(self.minimum),
            f"its lineage is {lineage}{commit}; needed: {self.minimum}",
        )
