"""The monitor ``drift``: which columns are no longer what the model was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lockgate

if TYPE_CHECKING:
    from lockgate.contract.monitoring import Severity


@lockgate.plugin
class Drift:
    """Two-sample tests on every column, corrected for their number, with an effect floor.

    A column alarms when the difference is certain (`level`, after `correction`)
    and large enough to matter (`effect`). Certain but small is a notice: with
    enough rows everything differs a little.
    """

    level: float = lockgate.setting(
        0.05,
        above=0,
        below=1,
        help="chance of any false alarm in a window (or share, see correction)",
    )
    effect: float = lockgate.setting(
        0.1, at_least=0, at_most=1, help="smallest difference of shares that matters"
    )
    correction: str = lockgate.setting(
        "holm", choices=("holm", "benjamini-hochberg"), help="for asking about many columns"
    )

    @lockgate.hookimpl
    def monitor(self, request: lockgate.MonitorRequest) -> lockgate.Findings:
        """Compare the window's counts with the reference's."""
        import numpy as np

        from lockgate.modeling.statistics.two_sample import adjust_p_values, compare_counts

        reference = [*request.reference.columns]
        if request.reference.scores is not None:
            reference.append(request.reference.scores)
        pairs = [
            (one, request.window.counts[one.column])
            for one in reference
            if one.column in request.window.counts
        ]
        results = [compare_counts(before, now) for before, now in pairs]
        if not results:
            return lockgate.Findings()
        corrected = adjust_p_values(np.array([p for _, _, p in results]), self.correction)
        found = []
        for (before, _), (test, effect, p), certain in zip(pairs, results, corrected, strict=True):
            severity = self._severity(effect, float(certain))
            found.append(
                lockgate.Finding(
                    before.column,
                    test,
                    effect,
                    p,
                    severity,
                    request.window.since,
                    _sentence(before.column, effect, severity),
                )
            )
        return lockgate.Findings(tuple(found), (_overall(found),))

    def _severity(self, effect: float, p: float) -> Severity:
        if p > self.level:
            return "ok"
        return "alarm" if effect >= self.effect else "notice"


def _sentence(column: str, effect: float, severity: str) -> str:
    if severity == "alarm":
        return f"{column} has drifted: {effect:.0%} of the rows lie elsewhere than in training"
    if severity == "notice":
        return f"{column} differs a little ({effect:.1%}), less than what matters"
    return f"{column} is as in training"


def _overall(found: list[lockgate.Finding]) -> str:
    alarms = [one.column for one in found if one.severity == "alarm"]
    if not alarms:
        return f"none of {len(found)} columns has drifted"
    return f"{len(alarms)} of {len(found)} columns have drifted: {', '.join(alarms)}"
