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

    Columns of values, each in its unit, say what is at stake in a row beside money: calls that
    are saved, customers that leave, a score of satisfaction. Reported is how much of each lies in
    the rows that are acted on, and which share of all that is.
    """

    tasks: ClassVar = ("binary",)

    columns: dict[str, str] = lockgate.setting(
        {}, help="columns of values by name, with their unit, e.g. {margin: EUR, calls: calls}"
    )

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
        matrix = request.value_matrix
        if matrix is None or matrix == lockgate.ValueMatrix():
            if self.columns:
                return self._report_columns(request)
            raise lockgate.UsageError(
                "evaluator business needs a value matrix; set e.g. "
                "decision.value_matrix.true_positive=10 decision.value_matrix.false_positive=-1, "
                "or columns of values, e.g. evaluator.business.columns={margin: EUR}"
            )
        positive = class_indices(request.table.target, request.classes) == 1
        score = request.output.score
        if score is None:
            raise lockgate.DataError("evaluator business needs a model that predicts scores")
        threshold = 0.5 if request.threshold is None else request.threshold
        predicted = predicted_positive(request.output, request.classes, request.threshold)
        metrics = self.measure(request, DecisionValue(positive, predicted, matrix))
        thresholds, values = value_curve(positive, score, matrix, request.table.weight)
        best = int(values.argmax())
        metrics["best_threshold_in_hindsight"] = lockgate.Metric(float(thresholds[best]))
        metrics["best_per_1000_in_hindsight"] = lockgate.Metric(float(values[best]))
        metrics["threshold"] = lockgate.Metric(threshold)
        plot = _plot_value(thresholds, values, threshold, float(thresholds[best]))
        by_column = self._report_columns(request) if self.columns else lockgate.Report()
        return lockgate.Report(
            {**metrics, **by_column.metrics},
            by_column.tables,
            (plot,),
            (*_summarize(metrics), *by_column.messages),
        )

    def _report_columns(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Report how much of each column of values is in the rows that are acted on."""
        from lockgate.modeling.metrics.decisions import ColumnTotals
        from lockgate.modeling.metrics.losses import predicted_positive

        predicted = predicted_positive(request.output, request.classes, request.threshold)
        values = {name: self._values(request, name) for name in self.columns}
        metrics = self.measure(request, ColumnTotals(predicted, values))
        table, messages = [], []
        for name, unit in self.columns.items():
            total = metrics[f"{name}_per_1000"]
            share = metrics.get(f"{name}_share")
            table.append(
                {
                    "column": name,
                    "unit": unit,
                    "per 1,000 rows": total.estimate,
                    "low": total.low,
                    "high": total.high,
                    "share of all": None if share is None else share.estimate,
                }
            )
            part = "" if share is None else f", {share.estimate:.0%} of all"
            messages.append(
                f"rows that are acted on hold {total.estimate:,.4g} {unit} of {name} per 1,000 "
                f"rows{part}"
            )
        return lockgate.Report(metrics, {"columns of values": tuple(table)}, (), tuple(messages))

    def _values(self, request: lockgate.EvaluateRequest, name: str) -> np.ndarray:
        """Return the values of a column; a missing cell is worth nothing."""
        import numpy as np
        import pandas as pd

        rows = request.table.frame if request.rows is None else request.rows
        if name not in rows:
            available = ", ".join(map(str, rows.columns[:20]))
            raise lockgate.UsageError(
                f"evaluator business: unknown column {name!r}; available: {available}"
            )
        if not pd.api.types.is_numeric_dtype(rows[name]):
            raise lockgate.DataError(f"evaluator business: column {name} holds no numbers")
        values = rows[name].to_numpy(dtype=float, na_value=np.nan)
        if np.isinf(values).any():
            raise lockgate.DataError(f"evaluator business: column {name} holds infinite values")
        return np.asarray(np.nan_to_num(values, nan=0.0))


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
