"""The evaluator ``ranking``: what the rows with the highest scores hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import lockgate
from lockgate.builtin.evaluators.resampled import ResampledMetrics

if TYPE_CHECKING:
    import numpy as np

THRESHOLDS = tuple(k / 10 for k in range(1, 10))
"""Thresholds of the table, besides the model's own."""

FEWEST_ROWS = 10
"""Rows from which the top is described in a sentence."""


@lockgate.plugin
class Ranking(ResampledMetrics):
    """Precision, recall and lift of the top of the ranking, and recall at a false positive rate.

    For decisions with a limited capacity: of all rows only so many can be called, examined or
    stopped. Each has a 95 % confidence interval.
    """

    tasks: ClassVar = ("binary",)

    top: list[float] = lockgate.setting(
        [0.01, 0.05, 0.1, 0.2],
        above=0,
        at_most=1,
        help="shares of the rows, those with the highest scores",
    )
    false_positive_rates: list[float] = lockgate.setting(
        [0.01, 0.05],
        at_least=0,
        below=1,
        help="limits of the false positive rate at which the recall is measured",
    )

    @lockgate.hookimpl
    def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Measure on the test rows."""
        from lockgate.modeling.metrics.losses import class_indices
        from lockgate.modeling.metrics.top_rows import (
            RankingMetrics,
            gain_curve,
            percent_name,
            threshold_table,
        )

        if request.task != "binary":
            raise lockgate.DataError(
                f"evaluator ranking needs a binary task, got {request.task}; "
                "remove it from evaluator=[...]"
            )
        # a model without probabilities ranks by its margin
        score = request.output.margin if request.output.score is None else request.output.score
        if score is None:
            raise lockgate.DataError("evaluator ranking needs a model with scores or margins")
        positive = class_indices(request.table.target, request.classes) == 1
        weight = request.table.weight
        metrics = self.measure(
            request, RankingMetrics(positive, score, self.top, self.false_positive_rates)
        )
        tables = {}
        if request.output.score is not None:
            threshold = 0.5 if request.threshold is None else request.threshold
            thresholds = sorted({*THRESHOLDS, threshold})
            tables["thresholds"] = tuple(threshold_table(positive, score, thresholds, weight))
        if not positive.any():
            return lockgate.Report(metrics, tables, messages=("no test row is positive",))
        plot = _plot_gain(*gain_curve(positive, score, weight))
        # of fewer rows the shares say little
        known = [share for share in sorted(self.top) if share * len(positive) >= FEWEST_ROWS]
        messages = _summarize(metrics, percent_name(known[0])) if known else ()
        return lockgate.Report(metrics, tables, (plot,), messages)


def _summarize(metrics: Mapping[str, lockgate.Metric], top: str) -> tuple[str, ...]:
    """Return what the top of the rows holds, as a sentence."""
    if f"recall_top_{top}" not in metrics:
        return ()
    precision, recall, lift = (
        metrics[f"{name}_top_{top}"].estimate for name in ("precision", "recall", "lift")
    )
    return (
        f"of the {top.removesuffix('pct')} % of rows with the highest scores {precision:.0%} are "
        f"positive, {lift:.1f} times as many as of all rows; they hold {recall:.0%} of all "
        "positives",
    )


def _plot_gain(rows: np.ndarray, positives: np.ndarray) -> lockgate.Plot:
    line = lockgate.Series("model", tuple(rows.tolist()), tuple(positives.tolist()))
    return lockgate.Plot(
        "gain",
        "Cumulative gain",
        "share of rows, highest scores first",
        "share of positives held",
        (line,),
        diagonal=True,
    )
