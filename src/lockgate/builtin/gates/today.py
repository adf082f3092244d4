"""Gate `today`: recent rows look like those that the model was trained on."""

from __future__ import annotations

import lockgate

__all__ = ["DataDrift"]


@lockgate.plugin
class DataDrift:
    """Refuse a bundle whose training data differ from today's data.

    Runs the tests of the monitor ``drift`` on recent rows against the training rows.
    """

    max_drifted: int = lockgate.setting(
        0, at_least=0, help="number of drifted columns that is allowed"
    )
    level: float = lockgate.setting(0.05, above=0, below=1, help="probability of any false alarm")
    min_rows: int = lockgate.setting(100, at_least=1, help="fewest rows that are compared")
    effect: float = lockgate.setting(
        0.1, at_least=0, at_most=1, help="smallest difference that counts as drift"
    )

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Test every column for drift."""
        from lockgate.builtin.monitors.drift import Drift
        from lockgate.data.conform import conform_to_schema
        from lockgate.modeling.statistics.histograms import count_window

        if request.today is None:
            return lockgate.GateResult(False, "no recent rows: pass --today FILE")
        if len(request.today) < self.min_rows:
            return lockgate.GateResult(
                False, f"too few recent rows: {len(request.today)}; required: {self.min_rows}"
            )
        candidate = request.candidate
        features = conform_to_schema(request.today, candidate.schema)
        counts = count_window(candidate.reference, features, request.backend)
        monitor_request = lockgate.MonitorRequest(
            reference=candidate.reference,
            window=lockgate.MonitoringWindow(counts, len(features)),
            schema=candidate.schema,
        )
        drift = Drift(level=self.level, effect=self.effect, correction="holm")
        findings = drift.monitor(monitor_request)
        alarms = [finding for finding in findings.findings if finding.severity == "alarm"]
        drifted_columns = (
            f": {', '.join(finding.column for finding in alarms[:5])}" if alarms else ""
        )
        return lockgate.GateResult(
            len(alarms) <= self.max_drifted,
            f"{len(alarms)} of {len(findings.findings)} columns drifted in {len(features)} rows"
            f"{drifted_columns}; allowed: {self.max_drifted}",
            {"drifted": float(len(alarms))},
        )
