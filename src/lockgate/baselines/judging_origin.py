"""The gates ``lineage``, ``signed`` and ``attested``: where a bundle comes from."""

from __future__ import annotations

import lockgate


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


@lockgate.plugin
class Signed:
    """Refuse a bundle that nobody registered with a key that may."""

    @lockgate.hookimpl
    def judge(self, case: lockgate.Case) -> lockgate.Ruling:
        """Look at the event that registered it."""
        who = case.origin.signed_by
        if who is None:
            return lockgate.Ruling(
                False, "no allowed signer registered it (.lockgate/allowed_signers, main branch)"
            )
        return lockgate.Ruling(True, f"registered and signed by {who}")


@lockgate.plugin
class Attested:
    """Refuse a bundle that was not built a second time from its commit, byte for byte."""

    @lockgate.hookimpl
    def judge(self, case: lockgate.Case) -> lockgate.Ruling:
        """Look at its attestations."""
        one = case.candidate
        if case.origin.attested is None:
            return lockgate.Ruling(
                False, f"nobody built it again: lockgate attest {one.name}@{one.version}"
            )
        words = "the same bytes" if case.origin.attested else "other bytes"
        return lockgate.Ruling(case.origin.attested, f"built again, it gave {words}")
