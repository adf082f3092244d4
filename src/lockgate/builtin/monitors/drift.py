"""The monitor ``drift``: columns whose distribution differs from the training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lockgate

if TYPE_CHECKING:
    from lockgate.contract.monitoring import Severity


@lockgate.plugin
class Drift:
    """Two-sample tests on every column, corrected for multiple testing.

    A column raises an alarm when its difference is significant (at `level`, after
    `correction`) and large enough to matter (at least `effect`). A significant but small
    difference is a notice: with enough rows, every column differs a little.
    """

    level: float = lockgate.setting(
        0.05,
        above=0,
        below=1,
        help="significance level: family-wise error rate for holm, false discovery rate for "
        "benjamini-hochberg",
    )
    effect: float = lockgate.setting(
        0.1, at_least=0, at_most=1, help="smallest effect size that raises an alarm"
    )
    correction: str = lockgate.setting(
        "holm", choices=("holm", "benjamini-hochberg"), help="correction for multiple testing"
    )

    @lockgate.hookimpl
    def monitor(self, request: lockgate.MonitorRequest) -> lockgate.Findings:
        """Compare the counts of the window with those of the training rows."""
        import numpy as np

        from lockgate.modeling.statistics.two_sample import adjust_p_values, compare_counts

        reference = [*request.reference.columns]
        if request.reference.scores is not None:
            reference.append(request.reference.scores)
        pairs = [
            (column, request.window.counts[column.column])
            for column in reference
            if column.column in request.window.counts
        ]
        results = [compare_counts(before, now) for before, now in pairs]
        if not results:
            return lockgate.Findings()
        adjusted = adjust_p_values(np.array([p for _, _, p in results]), self.correction)
        findings = []
        for (before, _), (test, effect, p), adjusted_p in zip(
            pairs, results, adjusted, strict=True
        ):
            severity = self._severity(effect, float(adjusted_p))
            findings.append(
                lockgate.Finding(
                    before.column,
                    test,
                    effect,
                    p,
                    severity,
                    request.window.since,
                    _describe_column(before.column, effect, severity),
                )
            )
        return lockgate.Findings(tuple(findings), (_summarize(findings),))

    def _severity(self, effect: float, p: float) -> Severity:
        if p > self.level:
            return "ok"
        return "alarm" if effect >= self.effect else "notice"


def _describe_column(column: str, effect: float, severity: str) -> str:
    if severity == "alarm":
        return f"{column} has drifted: effect size {effect:.2f}"
    if severity == "notice":
        return f"{column} differs slightly: effect size {effect:.3f}, below the alarm threshold"
    return f"{column} shows no drift"


def _summarize(findings: list[lockgate.Finding]) -> str:
    alarms = [finding.column for finding in findings if finding.severity == "alarm"]
    if not alarms:
        return f"no drift in {len(findings)} columns"
    return f"drift detected in {len(alarms)} of {len(findings)} columns: {', '.join(alarms)}"
