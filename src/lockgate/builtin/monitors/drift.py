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
        return f"{column} has drifted: {effect:.0%} of the rows lie elsewhere than in training"
    if severity == "notice":
        return f"{column} differs a little ({effect:.1%}), less than what matters"
    return f"{column} is as in training"


def _summarize(findings: list[lockgate.Finding]) -> str:
    alarms = [finding.column for finding in findings if finding.severity == "alarm"]
    if not alarms:
        return f"none of {len(findings)} columns has drifted"
    return f"{len(alarms)} of {len(findings)} columns have drifted: {', '.join(alarms)}"
