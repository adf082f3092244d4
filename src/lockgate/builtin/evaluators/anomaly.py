"""The evaluator ``anomaly``: whether scores keep what they say, and what anomalies look like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import lockgate

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd

MOST_COLUMNS = 12
"""Columns that the table of anomalies shows."""


@lockgate.plugin
class Anomaly:
    """Rate of anomalies, the most anomalous rows, and agreement with known anomalies."""

    tasks: ClassVar = ("anomaly",)

    known: str | None = lockgate.setting(
        None,
        help="a column of known anomalies, e.g. confirmed frauds, which the model does not see "
        "(data.leave_out): adds ROC AUC, precision and recall",
    )
    positive: str = lockgate.setting(
        "", help="the value of that column for an anomaly; by default the last in sorted order"
    )
    examples: int = lockgate.setting(
        10, at_least=0, at_most=1000, help="most anomalous test rows in the report"
    )

    @lockgate.hookimpl
    def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Measure on the test rows."""
        import numpy as np

        from lockgate.modeling.metrics.losses import check_evaluator, metrics_for_task, truth_of

        check_evaluator("anomaly", request.task)
        table, output = request.table, request.output
        values = metrics_for_task(
            request.task, truth_of(table, request.task), output, request.classes, None
        )(table.weight)
        metrics = {name: lockgate.Metric(v) for name, v in values.items() if np.isfinite(v)}
        messages = [f"{values['flagged']:.2%} of the test rows are called anomalies"]
        if request.threshold is not None:
            messages[0] += f", {1 - request.threshold:.2%} of rows like those of training would be"
        if self.known is not None:
            of_known, message = self._compare_with_known(request)
            metrics |= of_known
            messages.append(message)
        if output.score is None:
            return lockgate.Report(metrics, messages=tuple(messages))
        tables: dict[str, Any] = {}
        if self.examples:
            tables["most anomalous test rows"] = _describe(table, output.score, self.examples)
        return lockgate.Report(
            metrics, tables, (_plot_scores(output.score),), messages=tuple(messages)
        )

    def _compare_with_known(
        self, request: lockgate.EvaluateRequest
    ) -> tuple[Mapping[str, lockgate.Metric], str]:
        """Return metrics of the known anomalies, and how many of them were found, as a sentence."""
        import numpy as np

        from lockgate.data.columns.categories import category_text
        from lockgate.modeling.metrics.classification import classification_metrics
        from lockgate.modeling.training.estimators import find_positive

        rows = request.table.frame if request.rows is None else request.rows
        if self.known not in rows:
            available = ", ".join(map(str, rows.columns[:20]))
            raise lockgate.UsageError(
                f"evaluator anomaly: unknown column {self.known!r} (known); available: {available}"
            )
        texts = rows[self.known].dropna().map(category_text)
        if texts.nunique() != 2:
            raise lockgate.DataError(
                f"evaluator anomaly: column {self.known} (known) has {texts.nunique()} different "
                "values in the test rows, expected two"
            )
        positive = find_positive(texts.to_numpy(), "binary", self.positive)
        at = texts.index.to_numpy()
        truth = (texts == positive).to_numpy()
        labels = np.asarray(request.output.label == request.classes[1])[at]
        score = request.output.score
        weight, groups = request.table.weight, request.table.groups
        measured = classification_metrics(
            "binary",
            truth,
            lockgate.Output(labels, None if score is None else score[at]),
            (False, True),
            request.threshold,
            weight=None if weight is None else weight[at],
            groups=None if groups is None else groups[at],
            resamples=300,
            seed=request.seed,
        ).metrics
        chosen = ("roc_auc", "pr_auc", "precision", "recall", "prevalence")
        hits = int((labels & truth).sum())
        message = (
            f"of {int(truth.sum())} known anomalies ({self.known} is {positive}) {hits} are among "
            f"the {int(labels.sum())} rows that are called anomalies"
        )
        return {name: measured[name] for name in chosen if name in measured}, message


def _describe(table: lockgate.Table, score: np.ndarray, count: int) -> tuple[dict[str, Any], ...]:
    """Return the most anomalous rows, without columns whose names suggest personal data."""
    import numpy as np

    from lockgate.data.columns.personal import is_personal

    columns = [c.name for c in table.schema.features if not is_personal(c.name)][:MOST_COLUMNS]
    rows = []
    for index in np.argsort(-score, kind="stable")[:count]:
        cells = table.frame.iloc[index][columns]
        shown = {name: _plain(cell) for name, cell in cells.items()}
        rows.append({"test row": int(index), "score": float(score[index]), **shown})
    return tuple(rows)


def _plain(cell: Any) -> str | float | None:
    import pandas as pd

    if isinstance(cell, str):
        return cell if len(cell) <= 60 else cell[:57] + "..."
    if pd.isna(cell):
        return None
    return f"{cell:%Y-%m-%d}" if isinstance(cell, pd.Timestamp) else float(cell)


def _plot_scores(score: pd.Series | np.ndarray) -> lockgate.Plot:
    import numpy as np

    shares = np.linspace(0, 1, 101)
    above = 1 - np.searchsorted(np.sort(score), shares) / len(score)
    line = lockgate.Series("test rows", tuple(1 - shares), tuple(above.tolist()))
    return lockgate.Plot(
        "alarms",
        "Anomaly rate against the expected rate",
        "expected share (1 - threshold)",
        "share of the test rows",
        (line,),
        diagonal=True,
    )
