"""Gate `no-worse`: not worse than the incumbent, beyond a margin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import lockgate
from lockgate.builtin.gates.metrics import DEFAULT_METRICS, weighted_metric

__all__ = ["NoWorse"]


@lockgate.plugin
class NoWorse:
    """Refuse what may be worse than the incumbent by more than a tolerance.

    Both answer the same rows in the same run; rows are drawn again and again,
    for both alike, and the 95 % interval of the difference must lie above the
    tolerance (a test of non-inferiority). Few rows prove little: then more rows
    or a larger tolerance are needed.
    """

    metric: str = lockgate.setting(
        "auto", help="roc_auc, log_loss, business.per_1000, ...; auto: roc_auc, accuracy or r2"
    )
    margin: float = lockgate.setting(
        0.01, at_least=0, help="loss that does not matter, in its unit"
    )
    use_interval: bool = lockgate.setting(
        True, help="the whole interval must lie above the tolerance, not only the estimate"
    )
    direction: str = lockgate.setting(
        "auto", choices=("auto", "higher", "lower"), help="for figures of evaluators of your own"
    )
    min_rows: int = lockgate.setting(50, at_least=1, help="rows below which nothing is proved")
    resamples: int = lockgate.setting(500, at_least=50, at_most=100_000, help="of the bootstrap")

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Measure the difference."""
        candidate, incumbent = request.candidate, request.incumbent
        if incumbent is None:
            return lockgate.GateResult(None, f"nothing is in {request.stage} to compare with")
        reason = candidate.not_measured_because or incumbent.not_measured_because
        if reason:
            return lockgate.GateResult(
                False, f"cannot be compared with {incumbent.version}: {reason}"
            )
        if candidate.task != incumbent.task:
            return lockgate.GateResult(
                False,
                f"answers {candidate.task}, and {incumbent.version} {incumbent.task}: there is no comparison",
            )
        metric_name = DEFAULT_METRICS[candidate.task] if self.metric == "auto" else self.metric
        direction = self._find_direction(metric_name)
        rows = 0 if candidate.table is None else len(candidate.table)
        if rows < self.min_rows:
            return lockgate.GateResult(
                False, f"{rows} rows prove nothing; {self.min_rows} are needed (gate setting least)"
            )
        metric = self._bootstrap_difference(
            metric_name, direction, candidate, incumbent, request.seed
        )
        low = metric.low if self.use_interval and metric.low is not None else metric.estimate
        passed = low >= -self.margin
        interval = (
            ""
            if metric.low is None or metric.high is None
            else f" ({metric.low:+.3g} to {metric.high:+.3g})"
        )
        sentence = (
            f"{metric_name} against {incumbent.version}: {metric.estimate:+.3g}{interval} on {rows} rows, "
            f"more is better; a loss of {self.margin:g} is allowed"
        )
        if not passed and metric.estimate >= -self.margin:
            sentence += "; not certain enough: measure more rows, or allow more"
        return lockgate.GateResult(passed, sentence, {"difference": metric.estimate})

    def _find_direction(self, metric_name: str) -> float:
        from lockgate.modeling.metrics.losses import HIGHER_IS_BETTER, LOWER_IS_BETTER

        evaluator, _, name = metric_name.rpartition(".")
        if self.direction != "auto":
            return 1.0 if self.direction == "higher" else -1.0
        if (
            name not in LOWER_IS_BETTER | HIGHER_IS_BETTER | {"rows_per_second"}
            and evaluator != "business"
        ):
            raise lockgate.UsageError(
                f"gate no-worse: is more of {metric_name} better or worse? set direction=higher or lower"
            )
        return -1.0 if name in LOWER_IS_BETTER else 1.0

    def _bootstrap_difference(
        self, metric_name: str, direction: float, candidate: Any, incumbent: Any, seed: int
    ) -> lockgate.Metric:
        """Return by how much the candidate is better, in the figure's unit."""
        from lockgate.modeling.metrics.intervals import bootstrap_intervals

        # what outcomes are worth is one thing for both: what it was for the incumbent
        measures = [
            weighted_metric(metric_name, bundle, incumbent.value_matrix or candidate.value_matrix)
            for bundle in (candidate, incumbent)
        ]
        if None in measures:
            return self._compare_metrics(metric_name, direction, candidate, incumbent)
        candidate_measure, incumbent_measure = measures
        name = metric_name.rpartition(".")[2]

        def differences(weight: Any) -> Mapping[str, float]:
            values = [
                dict(measure(weight))
                for measure in (candidate_measure, incumbent_measure)
                if measure is not None
            ]
            if name not in values[0]:
                known = ", ".join(values[0])
                raise lockgate.UsageError(f"gate no-worse: no figure {name!r}; there are {known}")
            return {"difference": direction * (values[0][name] - values[1][name])}

        table = candidate.table
        intervals = bootstrap_intervals(
            differences,
            len(table),
            weight=table.weight,
            groups=table.groups,
            resamples=self.resamples,
            seed=seed,
        )
        if "difference" not in intervals:
            raise lockgate.DataError(f"these rows do not define {metric_name}")
        return intervals["difference"]

    def _compare_metrics(
        self, metric_name: str, direction: float, candidate: Any, incumbent: Any
    ) -> lockgate.Metric:
        """Compare what an evaluator said of each; wider than of pairs, never too sure."""
        evaluator, _, name = metric_name.rpartition(".")
        pair = [bundle.metrics.get(evaluator, {}).get(name) for bundle in (candidate, incumbent)]
        if None in pair:
            known = ", ".join(
                f"{e}.{k}" for e, metrics in candidate.metrics.items() for k in metrics
            )
            raise lockgate.UsageError(
                f"gate no-worse: nobody measured {metric_name!r} of both; there are {known}"
            )
        first, second = pair
        difference = direction * (first.estimate - second.estimate)
        if None in (first.low, first.high, second.low, second.high):
            return lockgate.Metric(difference)
        spread = math.hypot((first.high - first.low) / 2, (second.high - second.low) / 2)
        return lockgate.Metric(difference, difference - spread, difference + spread)
