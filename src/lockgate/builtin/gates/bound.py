"""Gate `bound`: a metric within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import lockgate
from lockgate.modeling.metrics.number_texts import format_metric
from lockgate.suggestions import nearest

__all__ = ["Bound"]


@lockgate.plugin
class Bound:
    """Compare one metric with a lower bound, an upper bound, or both.

    With evaluation rows, the metric measured on them counts; without, the one
    that the bundle reports for its own test rows.
    """

    in_report: ClassVar = True
    metric: str = lockgate.setting(help="e.g. roc_auc, or of another evaluator: business.per_1000")
    at_least: float | None = lockgate.setting(None, help="smallest value that passes")
    at_most: float | None = lockgate.setting(None, help="largest value that passes")
    use_interval: bool = lockgate.setting(
        False, help="compare the worse end of the 95 % interval, not the estimate"
    )

    def __post_init__(self) -> None:
        """Check that there is a bound."""
        if self.at_least is None and self.at_most is None:
            raise lockgate.UsageError("gate bound: set at_least, at_most, or both")

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Look up the metric and compare it."""
        metric, where = self._find_metric(request.candidate, rows=request.rows is not None)
        low = metric.low if self.use_interval and metric.low is not None else metric.estimate
        high = metric.high if self.use_interval and metric.high is not None else metric.estimate
        passed = (self.at_least is None or low >= self.at_least) and (
            self.at_most is None or high <= self.at_most
        )
        bounds = [f"at least {self.at_least:g}"] if self.at_least is not None else []
        bounds += [f"at most {self.at_most:g}"] if self.at_most is not None else []
        message = (
            f"{self.metric} is {format_metric(metric)} {where}; allowed: {' and '.join(bounds)}"
        )
        if self.use_interval and metric.low is None:
            message += "; it has no interval, so the estimate was compared"
        return lockgate.GateResult(passed, message, {self.metric: metric.estimate})

    def _find_metric(
        self, candidate: lockgate.EvaluatedBundle, *, rows: bool
    ) -> tuple[lockgate.Metric, str]:
        from lockgate.modeling.metrics.losses import EVALUATORS

        evaluator, _, name = self.metric.rpartition(".")
        evaluator = evaluator or EVALUATORS[candidate.task]
        measured = candidate.metrics.get(evaluator, {})
        if name in measured:
            return measured[name], "on the evaluation rows"
        if rows and candidate.not_measured_because:
            raise lockgate.DataError(
                f"{self.metric} was not measured on the evaluation rows: "
                f"{candidate.not_measured_because}"
            )
        if rows:
            raise self._unknown(candidate.metrics)
        reported = candidate.reported_metrics.get(evaluator, {})
        if name in reported:
            return lockgate.Metric(reported[name]), "in the bundle"
        raise self._unknown(candidate.reported_metrics)

    def _unknown(self, known: Mapping[str, Mapping[str, object]]) -> lockgate.UsageError:
        names = sorted(f"{evaluator}.{name}" for evaluator in known for name in known[evaluator])
        hint = nearest(self.metric, names)
        return lockgate.UsageError(
            f"gate bound: {self.metric!r} was not measured{hint}; available: "
            f"{', '.join(names) or 'no metrics'}; the key `evaluators` of the stage adds others"
        )
