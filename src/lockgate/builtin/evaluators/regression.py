"""The evaluator ``regression``: explained variance and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lockgate
from lockgate.builtin.evaluators.regions import region_message, region_metrics

if TYPE_CHECKING:
    import numpy as np


FEWEST_UNITS = 20
"""Rows or groups from which resampling shows how far metrics may be off."""


@lockgate.plugin
class Regression:
    """Explained variance and errors, each with a 95 % confidence interval."""

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
            RegressionMetrics(truth, predicted),
            len(truth),
            weight=request.table.weight,
            groups=request.table.groups,
            resamples=resamples,
            seed=request.seed,
        )
        metrics |= region_metrics(request)
        r2 = metrics.get("r2")
        message = (
            f"the model explains {r2.estimate:.0%} of the variance"
            if r2
            else "R² is undefined: the target is constant"
        )
        messages = [message, *region_message(metrics)]
        if resamples < self.resamples:
            counted = "rows" if request.table.groups is None else "groups"
            messages.append(
                f"only {units} {counted}: too few for intervals ({FEWEST_UNITS} needed)"
            )
        return lockgate.Report(
            metrics, plots=(_plot_deciles(truth, predicted),), messages=tuple(messages)
        )


def _count_units(table: lockgate.Table) -> int:
    """Return the number of rows, or of groups, that are drawn independently of each other."""
    import numpy as np

    return len(table) if table.groups is None else len(np.unique(table.groups))


def _plot_deciles(truth: np.ndarray, predicted: np.ndarray) -> lockgate.Plot:
    import numpy as np

    groups = np.array_split(np.argsort(predicted, kind="stable"), min(10, len(predicted)))
    line = lockgate.Series(
        "model",
        tuple(float(predicted[group].mean()) for group in groups),
        tuple(float(truth[group].mean()) for group in groups),
    )
    return lockgate.Plot(
        "deciles",
        "Predicted against actual, by decile",
        "mean predicted value",
        "mean actual value",
        (line,),
        diagonal=True,
    )
