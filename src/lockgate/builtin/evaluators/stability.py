"""The evaluator ``stability``: whether the model is as good in each period of the test rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import lockgate
from lockgate.builtin.evaluators.targets import require_target

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@lockgate.plugin
class Stability:
    """Whether the model is as good in each period of time, on the test rows.

    The rows are cut into periods with about as many rows each. A period is named as worse only
    where chance would not make any of them stand out as much, at the level that is set.
    """

    tasks: ClassVar = ("binary", "multiclass", "regression", "multioutput")

    column: str = lockgate.setting(
        "", help="column of times; by default the one that has that role"
    )
    periods: int = lockgate.setting(8, at_least=2, at_most=60, help="number of periods, at most")
    min_rows: int = lockgate.setting(
        50, at_least=20, at_most=1_000_000, help="rows of the smallest period"
    )
    level: float = lockgate.setting(
        0.05,
        above=0,
        at_most=0.5,
        help="probability that any period is named as worse although none is",
    )
    resamples: int = lockgate.setting(
        300, at_least=0, at_most=100_000, help="bootstrap resamples for the intervals; 0: none"
    )

    @lockgate.hookimpl
    def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Measure on the test rows."""
        from lockgate.modeling.metrics.row_losses import row_losses

        require_target("stability", request.task)
        times, weight = self._times(request), request.table.weight
        periods = [rows for rows in self._cut(times) if weight is None or weight[rows].sum() > 0]
        if len(periods) < 2:
            return lockgate.Report(
                messages=(
                    "the test rows have too few different times for two periods of "
                    f"{self.min_rows} rows",
                )
            )
        name, loss = row_losses(request.table, request.task, request.output, request.classes)
        table = self._measure(request, name, loss, periods)
        for row, rows in zip(table, periods, strict=True):
            row |= {"from": _text(times[rows[0]]), "to": _text(times[rows[-1]])}
        worse = [row for row in table if row["p"] <= self.level]
        metrics = {
            "periods": lockgate.Metric(len(periods)),
            "worse_periods": lockgate.Metric(len(worse)),
        }
        messages = [
            f"worse from {row['from']} to {row['to']}: {name} {row[name]:.3g} "
            f"({row['rows']:,} rows)"
            for row in worse
        ]
        if not worse:
            messages = [f"none of {len(periods)} periods is worse than chance would make it"]
        if without := int(times.isna().sum()):
            messages.append(f"{without:,} rows have no time, and are in no period")
        plot = _plot(name, table)
        return lockgate.Report(metrics, {"periods": tuple(table)}, (plot,), tuple(messages))

    def _measure(
        self,
        request: lockgate.EvaluateRequest,
        name: str,
        loss: np.ndarray,
        periods: list[np.ndarray],
    ) -> list[dict[str, Any]]:
        """Return the mean loss of each period, with its interval, beside what chance does."""
        import numpy as np

        from lockgate.modeling.metrics.means import mean_metric
        from lockgate.modeling.metrics.rates import RowSample
        from lockgate.modeling.statistics.slices import compare_slices

        # rows without a time are in no period, and in no comparison
        chosen = np.sort(np.concatenate(periods))
        members = np.stack([np.isin(chosen, rows) for rows in periods], axis=1)
        weight, groups = (
            None if role is None else role[chosen]
            for role in (request.table.weight, request.table.groups)
        )
        loss = loss[chosen]
        results = compare_slices(loss, members, weight, groups, seed=request.seed)
        sample = RowSample.of(len(loss), weight, groups)
        table: list[dict[str, Any]] = []
        for k, inside in enumerate(members.T):
            # both in the order of the rows, not of time, so that weights are those of their rows
            mean = mean_metric(
                loss[inside],
                sample.subset(inside),
                resamples=self.resamples,
                seed=request.seed,
            )
            bounds = {"low": mean.low, "high": mean.high, "p": results[k].p}
            counted = {"from": "", "to": "", "rows": int(inside.sum())}
            table.append({**counted, name: mean.estimate, **bounds})
        return table

    def _times(self, request: lockgate.EvaluateRequest) -> pd.Series[Any]:
        """Return the time of each test row."""
        import pandas as pd

        rows = request.table.frame if request.rows is None else request.rows
        column = self.column or request.table.schema.time
        if not column:
            raise lockgate.UsageError(
                "evaluator stability needs times: set its column, or loader.NAME.time"
            )
        if column not in rows:
            available = ", ".join(map(str, rows.columns[:20]))
            raise lockgate.UsageError(
                f"evaluator stability: unknown column {column!r}; available: {available}"
            )
        if pd.api.types.is_datetime64_any_dtype(rows[column]):
            return rows[column].reset_index(drop=True)
        raise lockgate.DataError(f"evaluator stability: column {column} holds no times")

    def _cut(self, times: pd.Series[Any]) -> list[np.ndarray]:
        """Return the rows of each period in order; rows without a time are in none."""
        import numpy as np

        values = times.to_numpy()
        known = np.flatnonzero(times.notna().to_numpy())
        order = known[np.argsort(values[known], kind="stable")]
        count = min(self.periods, len(order) // self.min_rows)
        ends = [0]
        for k in range(1, count):
            # equal times stay together, and a period that this makes short joins the one before
            start = values[order[len(order) * k // count]]
            end = int(np.searchsorted(values[order], start, side="left"))
            if end - ends[-1] >= self.min_rows and len(order) - end >= self.min_rows:
                ends.append(end)
        return [part for part in np.split(order, ends[1:]) if len(part)]


def _plot(name: str, table: list[dict[str, Any]]) -> lockgate.Plot:
    """Return the loss by period, with the ends of its intervals."""
    numbers = tuple(range(1, len(table) + 1))
    series = [lockgate.Series("model", numbers, tuple(row[name] for row in table))]
    if all(row["low"] is not None for row in table):
        series += [
            lockgate.Series(f"{end} end of the interval", numbers, tuple(row[end] for row in table))
            for end in ("low", "high")
        ]
    title = f"{name[:1].upper()}{name[1:]} by period"
    return lockgate.Plot("periods", title, "period", name, tuple(series))


def _text(time: Any) -> str:
    return f"{time:%Y-%m-%d %H:%M}".removesuffix(" 00:00")
