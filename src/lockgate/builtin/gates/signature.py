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
    def judge(self, case: lockgate.Case) -> lockgate.Ruling:
        """Compare what is asked for and what is answered."""
        from lockgate.data.compatibility import breaking

        if case.incumbent is None:
            return lockgate.Ruling(None, f"nothing is in {case.stage} to compare with")
        found = breaking(case.incumbent, case.candidate)
        if not found:
            return lockgate.Ruling(True, f"requests for {case.incumbent.version} still do")
        return lockgate.Ruling(
            self.breaking, f"requests for {case.incumbent.version} may fail: {'; '.join(found)}"
        )
