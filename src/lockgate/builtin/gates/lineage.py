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

    least: str = lockgate.setting(
        "pipeline", choices=("pipeline", "declared", "unknown"), help="what must be known"
    )

    @lockgate.hookimpl
    def judge(self, case: lockgate.Case) -> lockgate.Ruling:
        """Look at the record."""
        order = ("unknown", "declared", "pipeline")
        found = case.origin.lineage
        commit = f", commit {case.origin.commit[:12]}" if case.origin.commit else ""
        return lockgate.Ruling(
            order.index(found) >= order.index(self.least),
            f"its lineage is {found}{commit}; needed: {self.least}",
        )
