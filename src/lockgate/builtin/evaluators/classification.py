"""The evaluator ``classification``: discrimination, calibration and confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import lockgate
from lockgate.builtin.evaluators.regions import region_message, region_metrics

if TYPE_CHECKING:
    import numpy as np


@lockgate.plugin
class Classification:
    """Discrimination, calibration and accuracy, each with a 95 % confidence interval."""

    tasks: ClassVar = ("binary", "multiclass")

    resamples: int = lockgate.setting(
        300,
        at_least=0,
        at_most=100_000,
        help="resamples for intervals of losses (rates need none); 0: no intervals",
    )

    @lockgate.hookimpl
    def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Measure on the test rows."""
        import numpy as np

        from lockgate.modeling.metrics.classification import classification_metrics
        from lockgate.modeling.metrics.losses import check_evaluator, class_indices
        from lockgate.modeling.metrics.multiclass import class_table

        check_evaluator("classification", request.task)
        truth = request.table.target
        measured = classification_metrics(
            request.task,
            truth,
            request.output,
            request.classes,
            request.threshold,
            weight=request.table.weight,
            groups=request.table.groups,
            resamples=self.resamples,
            seed=request.seed,
        )
        metrics = {**measured.metrics, **region_metrics(request)}
        actual, predicted = (
            class_indices(labels, request.classes) for labels in (truth, request.output.label)
        )
        by_class = class_table(actual, predicted, request.classes, request.table.weight)
        tables = {
            "confusion matrix": _count_confusions(actual, predicted, request.classes),
            "classes": tuple(by_class),
        }
        score, margin = request.output.score, request.output.margin
        ranked = request.task == "binary" and (score is not None or margin is not None)
        summary = _summarize(metrics, "roc_auc" if ranked else "accuracy")
        messages = (*summary, *region_message(metrics), *measured.notes)
        if request.task != "binary" or score is None:
            return lockgate.Report(metrics, tables, messages=messages)
        plots = _plot_scores(actual == 1, np.asarray(score), request.classes)
        return lockgate.Report(metrics, tables, plots, messages)


def _summarize(metrics: dict[str, lockgate.Metric], name: str) -> tuple[str, ...]:
    metric = metrics.get(name)
    name = "ROC AUC" if name == "roc_auc" else name
    if metric is None:
        return (f"{name} is undefined on these rows",)
    if metric.low is None or metric.high is None:
        return (f"{name} {metric.estimate:.3f}",)
    return (f"{name} {metric.estimate:.3f} (95 % interval {metric.low:.3f} to {metric.high:.3f})",)


def _count_confusions(
    actual: np.ndarray, predicted: np.ndarray, classes: tuple[Any, ...]
) -> tuple[dict[str, str | int], ...]:
    """Count the rows by actual and predicted class, given as indices of classes."""
    import numpy as np

    size = len(classes)
    counts = np.bincount(actual * size + predicted, minlength=size * size).reshape(size, size)
    return tuple(
        {"actual": str(label)}
        | {f"predicted {other}": int(n) for other, n in zip(classes, row, strict=True)}
        for label, row in zip(classes, counts, strict=True)
    )


def _plot_scores(
    positive: np.ndarray, score: np.ndarray, classes: tuple[Any, ...]
) -> tuple[lockgate.Plot, ...]:
    """Return the plots of a binary model's scores."""
    from lockgate.modeling.metrics.binary import (
        calibration_curve,
        precision_recall_curve,
        roc_curve,
        score_distribution,
    )

    roc = _series("model", *roc_curve(positive, score))
    precision = _series("model", *precision_recall_curve(positive, score))
    calibration = _series("model", *calibration_curve(positive, score))
    names = [f"actual {label}" for label in classes]
    scores = tuple(
        _series(name, *score_distribution(score[positive == actual]))
        for name, actual in zip(names, (False, True), strict=True)
    )
    rates = ("false positive rate", "true positive rate")
    chances = ("predicted probability", "observed frequency")
    shares = ("predicted probability", "share of the rows of the class")
    return (
        lockgate.Plot("roc", "ROC curve", *rates, (roc,), diagonal=True),
        lockgate.Plot(
            "precision-recall", "Precision and recall", "recall", "precision", (precision,)
        ),
        lockgate.Plot("calibration", "Calibration curve", *chances, (calibration,), diagonal=True),
        lockgate.Plot("scores", "Scores by actual class", *shares, scores),
    )


def _series(name: str, x: np.ndarray, y: np.ndarray) -> lockgate.Series:
    return lockgate.Series(name, tuple(x.tolist()), tuple(y.tolist()))
