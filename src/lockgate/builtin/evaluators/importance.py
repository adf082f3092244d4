"""The evaluator ``importance``: which columns drive the model."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import lockgate
from lockgate.builtin.evaluators.resampled import ResampledMetrics
from lockgate.builtin.evaluators.targets import require_target

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from lockgate.contract.explanation import Explanation

MOST_SHOWN = 20
"""Columns of the plot, the most important first."""

EXPLAINED_ROWS = 500
"""Rows whose predictions are explained."""

DEPENDENCES = 4
"""Columns whose contributions are drawn."""

INTERVALS = 12
"""Intervals of values in which contributions are averaged."""


@lockgate.plugin
class Importance(ResampledMetrics):
    """Which columns drive the model: what it loses without each, and what each contributes.

    The cells of a column are exchanged among the rows, and the loss grows by what the model
    loses without them (Breiman, 2001), with a 95 % interval. Columns that say the same stand in
    for each other: each of them may then seem unimportant. Contributions to predictions are
    exact (see Explanations), compared with a row of medians and modes of these rows, where
    the model can be explained.
    """

    tasks: ClassVar = ("binary", "multiclass", "regression", "multioutput")

    repeats: int = lockgate.setting(
        5, at_least=1, at_most=100, help="times that each column is exchanged"
    )
    max_rows: int = lockgate.setting(
        5000, at_least=50, at_most=10_000_000, help="rows drawn at random where there are more"
    )

    @lockgate.hookimpl
    def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Measure on the test rows."""
        import numpy as np

        require_target("importance", request.task)
        rng = np.random.default_rng(request.seed)
        # in random order, so that the first ones stand for all
        rows = rng.permutation(len(request.table))[: self.max_rows]
        sample = dataclasses.replace(request, table=_take(request.table, rows))
        name, increases = self._increases(sample, rng)
        intervals = self.measure(
            sample,
            lambda weight: {
                column: float(np.average(increase, weights=weight))
                for column, increase in increases.items()
            },
        )
        explanation, reason = _explain(sample)
        sizes = {} if explanation is None else _sizes(explanation)
        order = sorted(intervals, key=lambda column: -intervals[column].estimate)
        table = tuple(
            {
                "column": column,
                f"increase of {name}": intervals[column].estimate,
                "low": intervals[column].low,
                "high": intervals[column].high,
                **({"mean size of contributions": sizes[column]} if column in sizes else {}),
            }
            for column in order
        )
        useful = [column for column in order if (intervals[column].low or 0.0) > 0]
        metrics = {
            "columns": lockgate.Metric(len(order)),
            "useful_columns": lockgate.Metric(len(useful)),
        }
        plots = [_bars("columns", f"Increase of {name} without a column", order, intervals)]
        if explanation is not None:
            plots += _dependences(explanation, sample.table)
        messages = [
            f"without {column} the {name} grows by {intervals[column].estimate:.3g}"
            for column in useful[:3]
        ] or [f"without any single column the {name} grows no more than by chance"]
        if unused := [column for column in order if not increases[column].any()]:
            messages.append(
                f"columns that change no prediction: {', '.join(unused[:10])}"
                + (f" and {len(unused) - 10} more" if len(unused) > 10 else "")
            )
        if reason:
            messages.append(f"contributions are not measured: {reason}")
        return lockgate.Report(metrics, {"importance": table}, tuple(plots), tuple(messages))

    def _increases(
        self, request: lockgate.EvaluateRequest, rng: np.random.Generator
    ) -> tuple[str, dict[str, np.ndarray]]:
        """Return the loss's name, and for each column how much each row's loss grows without it."""
        import numpy as np

        from lockgate.modeling.metrics.row_losses import row_losses

        frame = request.table.features

        def losses(rows: pd.DataFrame) -> tuple[str, np.ndarray]:
            output = request.predictor.predict(rows)
            output = dataclasses.replace(output, quantile=request.output.quantile)
            return row_losses(request.table, request.task, output, request.classes)

        name, before = losses(frame)
        increases = {}
        for column in map(str, frame.columns):
            total = np.zeros(len(frame))
            for _ in range(self.repeats):
                exchanged = frame[column].iloc[rng.permutation(len(frame))]
                total += losses(frame.assign(**{column: exchanged.to_numpy()}))[1] - before
            increases[column] = total / self.repeats
        return name, increases


def _take(table: lockgate.Table, rows: np.ndarray) -> lockgate.Table:
    """Return some rows of a table."""
    frame = table.frame.iloc[rows].reset_index(drop=True)
    return dataclasses.replace(table, frame=frame)


def _explain(request: lockgate.EvaluateRequest) -> tuple[Explanation | None, str]:
    """Return the contributions to predictions, or why there are none."""
    from lockgate.models.bundle.explain import Explainers
    from lockgate.models.bundle.open_format import find_model
    from lockgate.models.bundle.reference_row import make_reference_row

    features = request.table.features.head(EXPLAINED_ROWS)
    model = find_model(request.predictor)
    if model is None:
        return None, "the predictor was not opened from a model file"
    try:
        explainers = Explainers(
            model,
            make_reference_row(model.inputs, request.table.features),
            request.table.schema.targets,
        )
        predicted = request.predictor.predict(features)
        return explainers.explain(features, predicted, "reference"), ""
    except (lockgate.NotApplicable, lockgate.SchemaViolation) as error:
        return None, str(error)


def _sizes(explanation: Explanation) -> dict[str, float]:
    """Return the mean size of each column's contributions, unless several targets have several."""
    if not explanation.has_classes and len(explanation.outputs) > 1:
        return {}
    return explanation.importance()


def _bars(
    name: str, title: str, order: list[str], metrics: dict[str, lockgate.Metric]
) -> lockgate.Plot:
    shown = order[:MOST_SHOWN]
    values = tuple(float(metrics[column].estimate) for column in shown)
    series = lockgate.Series("increase", tuple(shown), values)
    return lockgate.Plot(name, title, "column", "increase of the loss", (series,), kind="bar")


def _dependences(explanation: Explanation, table: lockgate.Table) -> list[lockgate.Plot]:
    """Draw the mean contribution by the values of the most important columns."""
    if not explanation.has_classes and len(explanation.outputs) > 1:
        return []  # several targets have several contributions
    contributions = explanation.frame()
    frame = table.frame.head(len(contributions))
    plots = []
    for number, column in enumerate(list(explanation.importance())[:DEPENDENCES], 1):
        x, y, kind = _means_by_value(frame[column], contributions[column])
        if len(x) > 1:
            plots.append(
                lockgate.Plot(
                    f"contributions-{number}",
                    f"Contributions of {column}",
                    column,
                    f"mean contribution to the {explanation.explained}",
                    (lockgate.Series(column, x, y),),
                    kind=kind,
                )
            )
    return plots


def _means_by_value(cells: pd.Series, contributions: pd.Series) -> tuple[Any, Any, Any]:
    """Return values, or means of intervals of values, and the mean contribution of their rows."""
    import pandas as pd

    types = pd.api.types
    if types.is_numeric_dtype(cells) and not types.is_bool_dtype(cells):
        groups: Any = cells
        if cells.nunique() > INTERVALS:
            groups = pd.qcut(cells, INTERVALS, labels=False, duplicates="drop")
        points = pd.DataFrame({"x": cells, "y": contributions}).groupby(groups).mean()
        return tuple(points.x.astype(float)), tuple(points.y.astype(float)), "line"
    texts = cells.map(str, na_action="ignore").fillna("missing")
    means = contributions.groupby(texts).mean()
    frequent = texts.value_counts().index[:INTERVALS]
    shown = means.loc[sorted(frequent)]
    return tuple(map(str, shown.index)), tuple(shown.astype(float)), "bar"
