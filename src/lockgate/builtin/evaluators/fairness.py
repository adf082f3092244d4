"""The evaluator ``fairness``: whom the model treats how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import lockgate
from lockgate.builtin.evaluators.resampled import ResampledMetrics

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@lockgate.plugin
class Fairness(ResampledMetrics):
    """Rates of groups of rows, and their largest differences, each with a 95 % interval.

    The column of the groups need not be an input of the model (``data.leave_out``). Which of
    the differences matters is a choice: no model has all of them small, unless the groups have
    the same rate of positives.
    """

    tasks: ClassVar = ("binary",)

    column: str = lockgate.setting(
        help="column with the group of each row; need not be an input of the model"
    )
    min_rows: int = lockgate.setting(30, at_least=1, help="groups with fewer rows are left out")

    @lockgate.hookimpl
    def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Measure on the test rows."""
        import numpy as np

        from lockgate.modeling.metrics.fairness import FairnessMetrics
        from lockgate.modeling.metrics.losses import class_indices

        if request.task not in self.tasks:
            raise lockgate.DataError(
                f"evaluator fairness needs a binary task, got {request.task}; "
                "remove it from evaluator=[...]"
            )
        rows = request.table.frame if request.rows is None else request.rows
        if self.column not in rows:
            available = ", ".join(map(str, rows.columns[:20]))
            raise lockgate.UsageError(
                f"evaluator fairness: unknown column {self.column!r}; available: {available}"
            )
        names, group = _groups_of(rows[self.column], self.min_rows)
        if len(names) < 2:
            message = f"fewer than two groups of {self.column} have {self.min_rows} test rows"
            return lockgate.Report(messages=(message,))
        truth = class_indices(request.table.target, request.classes) == 1
        predicted = np.asarray(request.output.label == request.classes[1])
        measured = FairnessMetrics(truth, predicted, group, len(names))
        metrics = self.measure(request, measured)
        table = _describe(request, names, group, truth, predicted)
        positive = f"{self.column}: predicted {request.classes[1]} for"
        rates = measured.rates(request.table.weight)["selection_rate"]
        order = np.argsort(rates)
        message = (
            f"{positive} {rates[order[-1]]:.1%} of {names[order[-1]]}, and {rates[order[0]]:.1%} "
            f"of {names[order[0]]}"
        )
        return lockgate.Report(metrics, {f"rates by {self.column}": table}, messages=(message,))


def _groups_of(cells: pd.Series[Any], fewest: int) -> tuple[list[str], np.ndarray]:
    """Return the names of the groups with enough rows, and the number of each row's group."""
    import numpy as np

    from lockgate.data.columns.categories import category_text

    texts = cells.map(category_text, na_action="ignore").astype(object)
    texts = texts.where(cells.notna(), "missing")
    counts = texts.value_counts()
    names = sorted(counts[counts >= fewest].index)
    number = {name: k for k, name in enumerate(names)}
    return names, np.array([number.get(text, -1) for text in texts])


def _describe(
    request: lockgate.EvaluateRequest,
    names: list[str],
    group: np.ndarray,
    truth: np.ndarray,
    predicted: np.ndarray,
) -> tuple[dict[str, Any], ...]:
    """Return a row of a table for each group: its rows, and its rates with their intervals."""
    from lockgate.modeling.metrics.rates import RowSample, rate_metric

    sample = RowSample.of(len(truth), request.table.weight, request.table.groups)
    table = []
    for k, name in enumerate(names):
        row: dict[str, Any] = {"group": name, "rows": int((group == k).sum())}
        for title, hit, among in (
            ("rate of positives", truth, group == k),
            ("selection rate", predicted, group == k),
            ("true positive rate", predicted, (group == k) & truth),
            ("false positive rate", predicted, (group == k) & ~truth),
            ("precision", truth, (group == k) & predicted),
        ):
            if not among.any():
                row |= {title: None, f"{title}, 95 % interval": ""}
                continue
            metric = rate_metric(hit[among], sample.subset(among))
            known = metric.low is not None and metric.high is not None
            row[title] = metric.estimate
            row[f"{title}, 95 % interval"] = (
                f"{metric.low:.3f} to {metric.high:.3f}" if known else ""
            )
        table.append(row)
    return tuple(table)
