"""The evaluator ``regression``: explained variance and errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import lockgate
from lockgate.builtin.evaluators.regions import region_message, region_metrics

if TYPE_CHECKING:
    import numpy as np


FEWEST_UNITS = 20
"""Rows or groups from which resampling shows how far metrics may be off."""


@lockgate.plugin
class Regression:
    """Explained variance and errors, each with a 95 % confidence interval."""

    tasks: ClassVar = ("regression",)

    resamples: int = lockgate.setting(
        300,
        at_least=0,
        at_most=100_000,
        help="bootstrap resamples for the intervals; 0: no intervals",
    )

    @lockgate.hookimpl
    def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Measure on the test rows."""
        from lockgate.modeling.metrics.intervals import bootstrap_intervals
        from lockgate.modeling.metrics.losses import check_evaluator
        from lockgate.modeling.metrics.regression import RegressionMetrics

        check_evaluator("regression", request.task)
        units = _count_units(request.table)
        resamples = self.resamples if units >= FEWEST_UNITS else 0
        truth, predicted = request.table.target.astype(float), request.output.label.astype(float)
        metrics = bootstrap_intervals(
            RegressionMetrics(truth, predicted, request.output.quantile),
            len(truth),
            weight=request.table.weight,
            groups=request.table.groups,
            resamples=resamples,
            seed=request.seed,
        )
        metrics |= region_metrics(request)
        messages = [_describe(metrics, request.output.quantile), *region_message(metrics)]
        if resamples < self.resamples:
            counted = "rows" if request.table.groups is None else "groups"
            messages.append(
                f"only {units} {counted}: too few for intervals ({FEWEST_UNITS} needed)"
            )
        return lockgate.Report(
            metrics,
            plots=(_plot_deciles(truth, predicted, request.output.quantile),),
            messages=tuple(messages),
        )


def _describe(metrics: Mapping[str, lockgate.Metric], quantile: float | None) -> str:
    """Return how good the values are, as a sentence."""
    if quantile is not None and "quantile_skill" in metrics:
        return (
            f"{metrics['at_or_below'].estimate:.1%} of the test rows are at or below the predicted "
            f"{quantile:g} quantile; its loss is {metrics['quantile_skill'].estimate:.0%} below "
            "that of the best constant"
        )
    if "r2" in metrics and quantile is None:
        return f"the model explains {metrics['r2'].estimate:.0%} of the variance"
    name = "R²" if quantile is None else "quantile skill"
    return f"{name} is undefined: the target is constant"


def _count_units(table: lockgate.Table) -> int:
    """Return the number of rows, or of groups, that are drawn independently of each other."""
    import numpy as np

    return len(table) if table.groups is None else len(np.unique(table.groups))


def _plot_deciles(
    truth: np.ndarray, predicted: np.ndarray, quantile: float | None
) -> lockgate.Plot:
    import numpy as np

    def typical(values: np.ndarray) -> float:
        return float(values.mean() if quantile is None else np.quantile(values, quantile))

    of_values = "mean actual value" if quantile is None else f"{quantile:g} quantile of the actual"
    groups = np.array_split(np.argsort(predicted, kind="stable"), min(10, len(predicted)))
    line = lockgate.Series(
        "model",
        tuple(float(predicted[group].mean()) for group in groups),
        tuple(typical(truth[group]) for group in groups),
    )
    return lockgate.Plot(
        "deciles",
        "Predicted against actual, by decile",
        "mean predicted value",
        of_values,
        (line,),
        diagonal=True,
    )
