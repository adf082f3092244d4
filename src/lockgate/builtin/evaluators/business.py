"""The evaluator ``business``: the expected value of the model's decisions, in money."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import lockgate
from lockgate.builtin.evaluators.resampled import ResampledMetrics

if TYPE_CHECKING:
    import numpy as np


@lockgate.plugin
class Business(ResampledMetrics):
    """Expected value per 1,000 rows under the value matrix ``decision.value_matrix``.

    The threshold of the model was chosen on the tune rows. The best threshold on the
    test rows is reported beside it: an upper bound on what another choice could bring.
    """

    tasks: ClassVar = ("binary",)

    @lockgate.hookimpl
    def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Measure on the test rows."""
        from lockgate.modeling.metrics.decisions import DecisionValue, value_curve
        from lockgate.modeling.metrics.losses import class_indices, predicted_positive

        if request.task != "binary":
            raise lockgate.DataError(
                f"evaluator business needs a binary task, got {request.task}; "
                "remove it from evaluator=[...]"
            )
        if request.value_matrix is None or request.value_matrix == lockgate.ValueMatrix():
            raise lockgate.UsageError(
                "evaluator business needs a value matrix; set e.g. "
                "decision.value_matrix.true_positive=10 decision.value_matrix.false_positive=-1"
            )
        positive = class_indices(request.table.target, request.classes) == 1
        score = request.output.score
        if score is None:
            raise lockgate.DataError("evaluator business needs a model that predicts scores")
        threshold = 0.5 if request.threshold is None else request.threshold
        predicted = predicted_positive(request.output, request.classes, request.threshold)
        metrics = self.measure(request, DecisionValue(positive, predicted, request.value_matrix))
        thresholds, values = value_curve(
            positive, score, request.value_matrix, request.table.weight
        )
        best = int(values.argmax())
        metrics["best_threshold_in_hindsight"] = lockgate.Metric(float(thresholds[best]))
        metrics["best_per_1000_in_hindsight"] = lockgate.Metric(float(values[best]))
        metrics["threshold"] = lockgate.Metric(threshold)
        plot = _plot_value(thresholds, values, threshold, float(thresholds[best]))
        return lockgate.Report(metrics, plots=(plot,), messages=_summarize(metrics))


def _plot_value(
    thresholds: np.ndarray, values: np.ndarray, threshold: float, best: float
) -> lockgate.Plot:
    line = lockgate.Series("model", tuple(thresholds.tolist()), tuple(values.tolist()))
    return lockgate.Plot(
        "value",
        "Value by decision threshold",
        "decision threshold",
        "value per 1,000 rows",
        (line,),
        marks={"chosen on tune rows": threshold, "best on test rows": best},
    )


def _summarize(metrics: dict[str, lockgate.Metric]) -> tuple[str, ...]:
    value = metrics["per_1000"].estimate
    act_on_all, act_on_none = metrics["per_1000_all"].estimate, metrics["per_1000_none"].estimate
    baseline, action = max((act_on_none, "acting on no row"), (act_on_all, "acting on every row"))
    return (
        f"the model is worth {value:,.0f} per 1,000 rows, {value - baseline:+,.0f} "
        f"compared with {action}",
    )
