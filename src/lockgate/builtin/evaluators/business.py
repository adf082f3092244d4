"""The evaluator ``business``: what decisions are worth in money."""

from __future__ import annotations

from typing import Any

import lockgate


@lockgate.plugin
class Business:
    """Expected money per 1,000 rows under the value matrix ``decision.value_matrix``.

    The model's threshold was chosen on the tune rows; the best one on the test
    rows is shown beside it, to say how much a better choice could have brought.
    """

    resamples: int = lockgate.setting(
        300, at_least=0, at_most=100_000, help="bootstrap resamples behind the intervals; 0: none"
    )

    @lockgate.hookimpl
    def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Measure on the test rows."""
        from lockgate.modeling.metrics.decisions import DecisionValue, value_curve
        from lockgate.modeling.metrics.intervals import bootstrap_intervals
        from lockgate.modeling.metrics.losses import class_indices

        if request.task != "binary":
            raise lockgate.DataError(
                f"evaluator business needs two classes, and this is {request.task}; "
                "leave it out: evaluator=[...]"
            )
        if request.value_matrix is None or request.value_matrix == lockgate.ValueMatrix():
            raise lockgate.UsageError(
                "evaluator business needs to know what outcomes are worth; set e.g. "
                "decision.value_matrix.true_positive=10 decision.value_matrix.false_positive=-1"
            )
        positive = class_indices(request.table.target, request.classes) == 1
        score = request.output.score
        if score is None:
            raise lockgate.DataError("evaluator business needs a model that gives scores")
        threshold = 0.5 if request.threshold is None else request.threshold
        metrics = bootstrap_intervals(
            DecisionValue(positive, score, threshold, request.value_matrix),
            len(positive),
            weight=request.table.weight,
            groups=request.table.groups,
            resamples=self.resamples,
            seed=request.seed,
        )
        thresholds, money = value_curve(positive, score, request.value_matrix, request.table.weight)
        best = int(money.argmax())
        metrics["best_threshold_in_hindsight"] = lockgate.Metric(float(thresholds[best]))
        metrics["best_per_1000_in_hindsight"] = lockgate.Metric(float(money[best]))
        metrics["threshold"] = lockgate.Metric(threshold)
        plot = _plot_values(thresholds, money, threshold, float(thresholds[best]))
        return lockgate.Report(metrics, plots=(plot,), messages=_summarize(metrics))


def _plot_values(thresholds: Any, money: Any, threshold: float, best: float) -> lockgate.Plot:
    line = lockgate.Series("model", tuple(thresholds.tolist()), tuple(money.tolist()))
    return lockgate.Plot(
        "money",
        "What a threshold is worth",
        "threshold",
        "money per 1,000 rows",
        (line,),
        marks={"chosen on tune": threshold, "best in hindsight": best},
    )


def _summarize(metrics: dict[str, lockgate.Metric]) -> tuple[str, ...]:
    model, everyone = metrics["per_1000"], metrics["per_1000_all"]
    nobody = metrics["per_1000_none"]
    baseline = max(everyone.estimate, nobody.estimate)
    baseline_name = (
        "acting on everyone" if everyone.estimate > nobody.estimate else "acting on no one"
    )
    return (
        f"brings {model.estimate:,.0f} per 1,000 rows, "
        f"{model.estimate - baseline:+,.0f} against {baseline_name}",
    )
