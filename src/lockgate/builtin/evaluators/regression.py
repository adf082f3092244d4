"""The evaluator ``regression``."""

from __future__ import annotations

from typing import Any

import lockgate


@lockgate.plugin
class Regression:
    """Explained variance and errors, each with a 95 % interval."""

    resamples: int = lockgate.setting(
        300, at_least=0, at_most=100_000, help="bootstrap resamples behind the intervals; 0: none"
    )

    @lockgate.hookimpl
    def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Measure on the test rows."""
        from lockgate.modeling.metrics.intervals import bootstrap_intervals
        from lockgate.modeling.metrics.regression import RegressionMetrics

        if request.task != "regression":
            raise lockgate.DataError(
                f"evaluator regression got a {request.task} model; "
                "choose evaluator=[classification]"
            )
        truth, predicted = request.table.target.astype(float), request.output.label.astype(float)
        metrics = bootstrap_intervals(
            RegressionMetrics(truth, predicted),
            len(truth),
            weight=request.table.weight,
            groups=request.table.groups,
            resamples=self.resamples,
            seed=request.seed,
        )
        r2 = metrics.get("r2")
        message = f"explains {r2.estimate:.0%} of the variance" if r2 else "the target is constant"
        return lockgate.Report(
            metrics, plots=(_plot_deciles(truth, predicted),), messages=(message,)
        )


def _plot_deciles(truth: Any, predicted: Any) -> lockgate.Plot:
    import numpy as np

    groups = np.array_split(np.argsort(predicted, kind="stable"), min(10, len(predicted)))
    line = lockgate.Series(
        "model",
        tuple(float(predicted[group].mean()) for group in groups),
        tuple(float(truth[group].mean()) for group in groups),
    )
    return lockgate.Plot(
        "deciles",
        "Is it as much as it says?",
        "mean predicted, by tenths of the rows",
        "mean that came",
        (line,),
        diagonal=True,
    )
