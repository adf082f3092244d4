"""Gate `no-worse`: not worse than the incumbent, beyond a margin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import lockgate
from lockgate.builtin.gates.metrics import default_metric

if TYPE_CHECKING:
    import numpy as np

    from lockgate.modeling.metrics.evaluator_metrics import MetricFunction

__all__ = ["NoWorse"]

RENUMBERED = 0.05
"""Share of rows that would keep their cluster if numbers were matched, beyond those that do."""


@lockgate.plugin
class NoWorse:
    """Refuse a candidate that may be worse than the incumbent by more than a margin.

    A test of non-inferiority: both predict the same rows in the same run, the rows
    are resampled for both alike, and the 95 % interval of the difference must lie
    within the margin. Few rows give a wide interval: then more rows or a larger
    margin are needed.
    """

    metric: str = lockgate.setting(
        "auto",
        help="roc_auc, log_loss, business.per_1000, ...; auto: roc_auc, accuracy, r2, "
        "quantile_skill, silhouette or score_shift",
    )
    margin: float = lockgate.setting(
        0.01, at_least=0, help="loss that is allowed, in the unit of the metric"
    )
    use_interval: bool = lockgate.setting(
        True, help="the whole 95 % interval must lie within the margin, not only the estimate"
    )
    direction: str = lockgate.setting(
        "auto",
        choices=("auto", "higher", "lower"),
        help="which values are better; needed for metrics of other evaluators",
    )
    min_rows: int = lockgate.setting(50, at_least=1, help="fewest rows that are compared")
    min_per_class: int = lockgate.setting(
        20,
        at_least=1,
        help="fewest rows of each class that are compared: resampling fewer shows too little doubt",
    )
    resamples: int = lockgate.setting(
        500, at_least=50, at_most=100_000, help="resamples of the bootstrap"
    )

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Measure the difference."""
        candidate, incumbent = request.candidate, request.incumbent
        if incumbent is None:
            return lockgate.GateResult(None, f"no incumbent in {request.stage} to compare with")
        reason = candidate.not_measured_because or incumbent.not_measured_because
        if reason and request.rows is None:
            raise lockgate.NotMeasured(reason)
        if reason:
            return lockgate.GateResult(False, f"not compared with {incumbent.version}: {reason}")
        if mismatch := _describe_mismatch(candidate, incumbent):
            return lockgate.GateResult(False, f"not comparable: {mismatch}")
        rows = 0 if candidate.table is None else len(candidate.table)
        if rows < self.min_rows:
            return lockgate.GateResult(
                False, f"{rows} rows are too few to compare; required: {self.min_rows} (min_rows)"
            )
        metric_name = self._choose_metric(candidate, incumbent)
        fewest = _smallest_class(candidate)
        ranked = metric_name.rpartition(".")[2] != "accuracy"
        if ranked and fewest is not None and fewest < self.min_per_class:
            return lockgate.GateResult(
                False,
                f"{fewest} rows of a class are too few to compare; required: {self.min_per_class} "
                "(min_per_class)",
            )
        sign = self._find_sign(metric_name, candidate.schema.targets)
        gain = self._measure_gain(metric_name, sign, candidate, incumbent, request.seed)
        worst = gain.low if self.use_interval and gain.low is not None else gain.estimate
        passed = worst >= -self.margin
        renumbered = _describe_renumbered(candidate, incumbent)
        message = (
            f"{metric_name} {_describe_change(gain, sign)} from {incumbent.version} to "
            f"{candidate.version} on {rows} rows; {_describe_direction(gain, sign)}; "
            f"allowed loss: {self.margin:g}"
        )
        if not passed and gain.estimate >= -self.margin:
            message += "; the interval is too wide: use more rows or allow a larger margin"
        if renumbered:
            passed, message = False, f"{message}; {renumbered}"
        return lockgate.GateResult(passed, message, {"difference": gain.estimate})

    def _choose_metric(
        self, candidate: lockgate.EvaluatedBundle, incumbent: lockgate.EvaluatedBundle
    ) -> str:
        """Return the metric; of models that give labels alone it is of labels, not of margins."""
        if self.metric != "auto":
            return self.metric
        outputs = [bundle.output for bundle in (candidate, incumbent) if bundle.output is not None]
        if candidate.task == "binary" and any(output.score is None for output in outputs):
            return "accuracy"
        return default_metric(candidate)

    def _find_sign(self, metric_name: str, targets: tuple[str, ...]) -> float:
        """Return 1 where higher values are better, -1 where lower ones are."""
        from lockgate.modeling.metrics.losses import direction_of

        evaluator, _, name = metric_name.rpartition(".")
        if self.direction != "auto":
            return 1.0 if self.direction == "higher" else -1.0
        if evaluator == "business" or name == "rows_per_second":
            return 1.0
        sign = direction_of(name, targets)
        if sign is None:
            raise lockgate.UsageError(
                f"gate no-worse: unknown whether higher values of {metric_name} are better: "
                "set direction=higher or lower"
            )
        return sign

    def _measure_gain(
        self,
        metric_name: str,
        sign: float,
        candidate: lockgate.EvaluatedBundle,
        incumbent: lockgate.EvaluatedBundle,
        seed: int,
    ) -> lockgate.Metric:
        """Return by how much the candidate is better, in the unit of the metric."""
        from lockgate.modeling.metrics.evaluator_metrics import declared_values
        from lockgate.modeling.metrics.intervals import bootstrap_intervals

        # one value matrix for both, or a change of it would look like a change of the model
        values = declared_values(incumbent.value_matrix, candidate.value_matrix)
        candidate_metrics = _metrics_of(metric_name, candidate, values)
        incumbent_metrics = _metrics_of(metric_name, incumbent, values)
        table = candidate.table
        if table is None or candidate_metrics is None or incumbent_metrics is None:
            return _compare_metrics(metric_name, sign, candidate, incumbent)
        name = metric_name.rpartition(".")[2]

        def compute_gain(weight: np.ndarray | None) -> Mapping[str, float]:
            new, old = candidate_metrics(weight), incumbent_metrics(weight)
            if name not in new:
                raise lockgate.UsageError(
                    f"gate no-worse: unknown metric {name!r}; available: {', '.join(new)}"
                )
            return {"gain": sign * (new[name] - old[name])}

        intervals = bootstrap_intervals(
            compute_gain,
            len(table),
            weight=table.weight,
            groups=table.groups,
            resamples=self.resamples,
            seed=seed,
        )
        if "gain" not in intervals:
            raise lockgate.DataError(
                f"{metric_name} is undefined on these rows, e.g. as the target is constant there"
            )
        return intervals["gain"]


def _metrics_of(
    metric_name: str, bundle: lockgate.EvaluatedBundle, values: lockgate.ValueMatrix | None
) -> MetricFunction | None:
    """Return a function from row weights to metrics; None where lockgate cannot compute it."""
    from lockgate.modeling.metrics.evaluator_metrics import evaluator_metrics
    from lockgate.modeling.metrics.losses import EVALUATORS

    if bundle.table is None or bundle.output is None:
        return None
    return evaluator_metrics(
        metric_name.rpartition(".")[0] or EVALUATORS[bundle.task],
        bundle.table,
        bundle.task,
        bundle.output,
        bundle.classes,
        bundle.threshold,
        values,
    )


def _describe_mismatch(
    candidate: lockgate.EvaluatedBundle, incumbent: lockgate.EvaluatedBundle
) -> str:
    """Return why metrics of the two mean different things; empty if they mean the same."""
    from lockgate.models.comparison.comparable import Predicted, describe_mismatch

    new, old = (
        Predicted(
            bundle.version,
            bundle.task,
            bundle.classes,
            bundle.schema.targets,
            None if bundle.output is None else bundle.output.quantile,
        )
        for bundle in (candidate, incumbent)
    )
    return describe_mismatch(new, old)


def _describe_renumbered(
    candidate: lockgate.EvaluatedBundle, incumbent: lockgate.EvaluatedBundle
) -> str:
    """Return that clusters have other numbers than before; empty if they have not."""
    import numpy as np

    from lockgate.models.comparison.matched_clusters import match_clusters

    new, old = candidate.output, incumbent.output
    if candidate.task != "clustering" or new is None or old is None:
        return ""
    matched = match_clusters(np.asarray(old.label), np.asarray(new.label))
    if matched.alike - matched.same <= RENUMBERED:
        return ""
    pairs = ", ".join(f"{before} is {now}" for before, now in matched.pairs.items())
    return (
        f"clusters have other numbers than in {incumbent.version}: {1 - matched.same:.0%} of rows "
        f"would change theirs, {1 - matched.alike:.0%} if they were matched ({pairs})"
    )


def _smallest_class(candidate: lockgate.EvaluatedBundle) -> int | None:
    """Return the number of rows of the rarest class; None for a regression."""
    from lockgate.modeling.metrics.losses import class_indices

    if candidate.table is None or candidate.task not in ("binary", "multiclass"):
        return None
    actual = class_indices(candidate.table.target, candidate.classes)
    return min(int((actual == k).sum()) for k in range(len(candidate.classes)))


def _compare_metrics(
    metric_name: str,
    sign: float,
    candidate: lockgate.EvaluatedBundle,
    incumbent: lockgate.EvaluatedBundle,
) -> lockgate.Metric:
    """Compare what an evaluator measured of each.

    The intervals are combined as of independent rows, which is wider than resampling
    both alike: a model may be refused for it, but none passes by mistake.
    """
    evaluator, _, name = metric_name.rpartition(".")
    new, old = (bundle.metrics.get(evaluator, {}).get(name) for bundle in (candidate, incumbent))
    if new is None or old is None:
        available = ", ".join(
            f"{evaluator}.{key}"
            for evaluator, metrics in candidate.metrics.items()
            for key in metrics
        )
        raise lockgate.UsageError(
            f"gate no-worse: {metric_name!r} was not measured for both versions; "
            f"available: {available or 'no metrics'}"
        )
    gain = sign * (new.estimate - old.estimate)
    if new.low is None or new.high is None or old.low is None or old.high is None:
        return lockgate.Metric(gain)
    spread = math.hypot((new.high - new.low) / 2, (old.high - old.low) / 2)
    return lockgate.Metric(gain, gain - spread, gain + spread)


def _describe_change(gain: lockgate.Metric, sign: float) -> str:
    """Say how the metric itself changed, whichever direction is better."""
    from lockgate.modeling.metrics.number_texts import format_signed

    text = (
        "is unchanged" if not gain.estimate else f"changes by {format_signed(sign * gain.estimate)}"
    )
    if gain.low is None or gain.high is None:
        return text
    low, high = sorted((sign * gain.low, sign * gain.high))
    return f"{text} (95 % interval: {format_signed(low)} to {format_signed(high)})"


def _describe_direction(gain: lockgate.Metric, sign: float) -> str:
    """Say which direction is better, and which way the candidate went."""
    rule = "higher is better" if sign > 0 else "lower is better"
    if not gain.estimate:
        return rule
    return f"{rule}, so this is a {'gain' if gain.estimate > 0 else 'loss'}"
