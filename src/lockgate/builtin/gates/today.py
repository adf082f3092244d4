"""Gate `today`: recent rows look like those that the model was trained on."""

from __future__ import annotations

from typing import Any

import lockgate

__all__ = ["DataDrift"]


@lockgate.plugin
class DataDrift:
    """Refuse a bundle whose training data are no longer what comes in today.

    The same tests as the monitor ``drift``, on recent rows against those that it
    was trained on.
    """

    max_drifted: int = lockgate.setting(0, at_least=0, help="drifted columns that are allowed")
    level: float = lockgate.setting(0.05, above=0, below=1, help="chance of any false alarm")
    min_rows: int = lockgate.setting(100, at_least=1, help="rows below which nothing can be said")
    effect: float = lockgate.setting(
        0.1, at_least=0, at_most=1, help="smallest difference of shares that matters"
    )

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Count today's rows and compare."""
        from lockgate.builtin.monitors.drift import Drift
        from lockgate.data.conform import conform_to_schema
        from lockgate.modeling.statistics.histograms import count_window

        if request.today is None:
            return lockgate.GateResult(False, "needs today's rows: --today FILE")
        if len(request.today) < self.min_rows:
            return lockgate.GateResult(
                False, f"{len(request.today)} rows of today; needed: {self.min_rows}"
            )
        candidate = request.candidate
        features = conform_to_schema(request.today, candidate.inputs)
        counts: Any = count_window(candidate.reference, features, request.backend)
        monitor_request = lockgate.MonitorRequest(
            reference=candidate.reference,
            window=lockgate.MonitoringWindow(counts, len(features)),
            schema=candidate.inputs,
        )
        drift = Drift(level=self.level, effect=self.effect, correction="holm")
        findings = drift.monitor(monitor_request)
        alarms = [finding for finding in findings.findings if finding.severity == "alarm"]
        drifted_columns = (
            f": {', '.join(finding.column for finding in alarms[:5])}" if alarms else ""
        )
        return lockgate.GateResult(
            len(alarms) <= self.max_drifted,
            f"{len(alarms)} of {len(findings.findings)} columns drifted in {len(features)} rows of "
            f"today{drifted_columns}; allowed: {self.max_drifted}",
            {"drifted": float(len(alarms))},
        )
