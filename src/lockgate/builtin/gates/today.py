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
        from lockgate.modeling.statistics.histograms import window_counts

        if request.today is None:
            return lockgate.GateResult(False, "needs today's rows: --today FILE")
        if len(request.today) < self.min_rows:
            return lockgate.GateResult(
                False, f"{len(request.today)} rows of today; needed: {self.min_rows}"
            )
        one = request.candidate
        features = conform_to_schema(request.today, one.inputs)
        counts: Any = window_counts(one.reference, features, request.backend)
        watch = lockgate.MonitorRequest(
            reference=one.reference,
            window=lockgate.MonitoringWindow(counts, len(features)),
            schema=one.inputs,
        )
        drift = Drift(level=self.level, effect=self.effect, correction="holm")
        found = drift.monitor(watch)
        alarms = [finding for finding in found.findings if finding.severity == "alarm"]
        named = f": {', '.join(one.column for one in alarms[:5])}" if alarms else ""
        return lockgate.GateResult(
            len(alarms) <= self.max_drifted,
            f"{len(alarms)} of {len(found.findings)} columns drifted in {len(features)} rows of "
            f"today{named}; allowed: {self.max_drifted}",
            {"drifted": float(len(alarms))},
        )
