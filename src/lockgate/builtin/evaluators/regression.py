"""The evaluator ``regression``: explained variance and errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import lockgate
from lockgate.builtin.evaluators.regions import region_message, region_metrics
from lockgate.builtin.evaluators.resampled import ResampledMetrics

if TYPE_CHECKING:
    import numpy as np


FEWEST_UNITS = 20
"""Rows or groups from which resampling shows how far metrics may be off."""


MOST_PLOTS = 10
"""Targets of several that have a plot."""


@lockgate.plugin
class Regression(ResampledMetrics):
    """Explained variance and errors, each with a 95 % confidence interval.

    Of several targets these are measured of each, and the mean of the explained variances.
    """

    tasks: ClassVar = ("regression", "multioutput")

    @lockgate.hookimpl
    def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Measure on the test rows."""
        from lockgate.modeling.metrics.losses import check_evaluator, metrics_for_task

        check_evaluator("regression", request.task)
        units = _count_units(request.table)
        resamples = self.resamples if units >= FEWEST_UNITS else 0
        truth, targets = request.table.target.astype(float), request.table.schema.targets
        metrics = self.measure(
            request,
            metrics_for_task(request.task, truth, request.output, (), None, targets),
            resamples,
        )
        metrics |= region_metrics(request)
        messages = [_describe(metrics, request.output.quantile, targets), *region_message(metrics)]
        if resamples < self.resamples:
            counted = "rows" if request.table.groups is None else "groups"
            messages.append(
                f"only {units} {counted}: too few for intervals ({FEWEST_UNITS} needed)"
            )
        return lockgate.Report(
            metrics,
            _tabulate_errors(request, truth),
            plots=tuple(_plot_targets(truth, request.output, targets)),
            messages=tuple(messages),
        )


def _describe(
    metrics: Mapping[str, lockgate.Metric], quantile: float | None, targets: Sequence[str]
) -> str:
    """Return how good the values are, as a sentence."""
    if len(targets) > 1:
        from lockgate.modeling.metrics.multioutput import target_metrics

        named = dict(zip(targets, target_metrics("r2", targets), strict=True))
        shares = [
            f"{metrics[key].estimate:.2f} for {target}"
            for target, key in named.items()
            if key in metrics
        ]
        text = f"R² is {', '.join(shares)}" if shares else "R² is undefined"
        constant = [target for target, key in named.items() if key not in metrics]
        return text + (f"; undefined for {', '.join(constant)}, constant here" if constant else "")
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


def _tabulate_errors(
    request: lockgate.EvaluateRequest, truth: np.ndarray
) -> dict[str, tuple[dict[str, float], ...]]:
    """Return the quantiles of the errors; none of quantiles or of several targets."""
    from lockgate.modeling.metrics.residuals import error_quantiles

    if request.task != "regression" or request.output.quantile is not None:
        return {}
    return {"quantiles of the errors": tuple(error_quantiles(truth, request.output.label))}


def _plot_targets(
    truth: np.ndarray, output: lockgate.Output, targets: Sequence[str]
) -> Iterator[lockgate.Plot]:
    """Yield a plot of each target, of the first ones where there are many."""
    if len(targets) == 1:
        predicted = output.label.astype(float)
        yield _plot_deciles(truth, predicted, output.quantile)
        if output.quantile is None:
            yield from _plot_errors(truth, predicted)
        return
    for number, target in enumerate(targets[:MOST_PLOTS]):
        plot = _plot_deciles(truth[:, number], output.label[:, number], None)
        yield dataclasses.replace(
            plot, name=f"{plot.name}-{number}", title=f"{target}: {plot.title.lower()}"
        )


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


def _plot_errors(truth: np.ndarray, predicted: np.ndarray) -> Iterator[lockgate.Plot]:
    """Yield how errors are distributed, and how they depend on the prediction."""
    from lockgate.modeling.metrics.residuals import error_distribution, errors_by_prediction

    middles, shares = error_distribution(truth, predicted)
    line = lockgate.Series("model", tuple(middles.tolist()), tuple(shares.tolist()))
    labels = ("error, predicted less actual value", "share of rows")
    yield lockgate.Plot("errors", "Distribution of the errors", *labels, (line,))
    means, spread = errors_by_prediction(truth, predicted)
    lines = tuple(
        lockgate.Series(name, tuple(means.tolist()), tuple(values.tolist()))
        for name, values in zip(("10 % quantile", "median", "90 % quantile"), spread, strict=True)
    )
    labels = ("mean predicted value", "error, predicted less actual value")
    yield lockgate.Plot("residuals", "Errors by predicted value", *labels, lines)
