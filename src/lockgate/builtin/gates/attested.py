"""Gate `attested`: a rebuild gave the same bytes."""

from __future__ import annotations

import lockgate

__all__ = ["Attested"]


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
