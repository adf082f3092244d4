"""The monitor ``drift``: columns whose distribution differs from the training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lockgate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.contract.monitoring import BinCounts, Severity


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
        reference = [*request.reference.columns]
        reference += request.reference.scores
        read = self._test(request, reference, read=True)
        if not read:
            return lockgate.Findings()
        unread = self._test(request, request.reference.unread, read=False)
        drifted = [f.column for f in unread if f.severity != "ok" and f.effect >= self.effect]
        return lockgate.Findings((*read, *unread), (_summarize(read, drifted, len(unread)),))

    def _test(
        self, request: lockgate.MonitorRequest, columns: Sequence[BinCounts], *, read: bool
    ) -> list[lockgate.Finding]:
        """Test each column that the window has."""
        import numpy as np

        from lockgate.modeling.statistics.shifts import describe_shift
        from lockgate.modeling.statistics.two_sample import adjust_p_values, compare_counts

        counts, since = request.window.counts, request.window.since
        pairs = [(bins, counts[bins.column]) for bins in columns if bins.column in counts]
        results = [compare_counts(before, now) for before, now in pairs]
        if not results:
            return []
        adjusted = adjust_p_values(np.array([p for _, _, p in results]), self.correction)
        findings = []
        for (before, now), (test, effect, p), adjusted_p in zip(
            pairs, results, adjusted, strict=True
        ):
            severity, message = self._judge(before.column, effect, float(adjusted_p), read=read)
            if severity != "ok":
                message += f"; {describe_shift(before, now)}"
            findings.append(
                lockgate.Finding(before.column, test, effect, p, severity, since, message, read)
            )
        return findings

    def _judge(self, column: str, effect: float, p: float, *, read: bool) -> tuple[Severity, str]:
        """Return how severe a difference is, and say so; only columns that are read alarm."""
        if p > self.level:
            return "ok", f"{column} shows no drift"
        if effect < self.effect:
            text = f"effect size {effect:.3f}, below the alarm threshold"
            return "notice", f"{column} differs slightly: {text}"
        message = f"{column} has drifted: effect size {effect:.2f}"
        return ("alarm", message) if read else ("notice", f"{message}, not read by the model")


def _summarize(read: list[lockgate.Finding], drifted: list[str], unread: int) -> str:
    """Return what drifted, the columns that the model does not read apart."""
    text = _summarize_read(read)
    if drifted:
        text += f"; of {unread} columns that the model does not read: {', '.join(drifted)}"
    return text


def _summarize_read(findings: list[lockgate.Finding]) -> str:
    alarms = [finding.column for finding in findings if finding.severity == "alarm"]
    if not alarms:
        return f"no drift in {len(findings)} columns"
    return f"drift detected in {len(alarms)} of {len(findings)} columns: {', '.join(alarms)}"
