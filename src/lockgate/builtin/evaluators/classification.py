"""The evaluator ``classification``."""

from __future__ import annotations

from typing import Any

import lockgate


@lockgate.plugin
class Classification:
    """Discrimination, calibration and decisions, each with a 95 % interval."""

    resamples: int = lockgate.setting(
        300, at_least=0, at_most=100_000, help="bootstrap resamples behind the intervals; 0: none"
    )

    @lockgate.hookimpl
    def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Measure on the test rows."""
        from lockgate.modeling.metrics.intervals import bootstrap_intervals
        from lockgate.modeling.metrics.losses import metrics_for_task

        if request.task == "regression":
            raise lockgate.DataError(
                "evaluator classification got a regression; choose evaluator=[regression]"
            )
        truth = request.table.target
        measure = metrics_for_task(
            request.task, truth, request.output, request.classes, request.threshold
        )
        metrics = bootstrap_intervals(
            measure,
            len(truth),
            weight=request.table.weight,
            groups=request.table.groups,
            resamples=self.resamples,
            seed=request.seed,
        )
        tables = {"confusion": _count_confusions(truth, request.output.label, request.classes)}
        if request.task != "binary":
            return lockgate.Report(metrics, tables, messages=_summarize(metrics, "accuracy"))
        from lockgate.modeling.metrics.losses import class_indices

        positive, score = class_indices(truth, request.classes) == 1, request.output.score
        plots = (_plot_roc(positive, score), _plot_calibration(positive, score))
        return lockgate.Report(metrics, tables, plots, _summarize(metrics, "roc_auc"))


def _summarize(metrics: dict[str, lockgate.Metric], name: str) -> tuple[str, ...]:
    metric = metrics.get(name)
    name = "ROC AUC" if name == "roc_auc" else name
    if metric is None:
        return (f"{name} is not defined by these rows",)
    if metric.low is None or metric.high is None:
        return (f"{name} {metric.estimate:.3f}",)
    return (f"{name} {metric.estimate:.3f}, between {metric.low:.3f} and {metric.high:.3f}",)


def _count_confusions(
    truth: Any, label: Any, classes: tuple[Any, ...]
) -> tuple[dict[str, Any], ...]:
    import numpy as np

    from lockgate.modeling.metrics.losses import class_indices

    size = len(classes)
    cell = class_indices(truth, classes) * size + class_indices(label, classes)
    counts = np.bincount(cell, minlength=size * size).reshape(size, size)
    return tuple(
        {"truth": str(true)}
        | {f"said {predicted}": int(n) for predicted, n in zip(classes, row, strict=True)}
        for true, row in zip(classes, counts, strict=True)
    )


def _plot_roc(positive: Any, score: Any) -> lockgate.Plot:
    from lockgate.modeling.metrics.binary import roc_curve

    false_positive_rate, true_positive_rate = roc_curve(positive, score)
    line = lockgate.Series(
        "model", tuple(false_positive_rate.tolist()), tuple(true_positive_rate.tolist())
    )
    return lockgate.Plot(
        "roc",
        "Who is found, at what price",
        "share of negatives called positive",
        "share of positives found",
        (line,),
        diagonal=True,
    )


def _plot_calibration(positive: Any, score: Any) -> lockgate.Plot:
    from lockgate.modeling.metrics.binary import calibration_curve

    predicted, observed = calibration_curve(positive, score)
    line = lockgate.Series("model", tuple(predicted.tolist()), tuple(observed.tolist()))
    return lockgate.Plot(
        "calibration",
        "Does it happen as often as it says?",
        "probability said",
        "share that happened",
        (line,),
        diagonal=True,
    )
