"""The evaluator ``slices``: on which rows the model is worse than on the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import lockgate
from lockgate.builtin.evaluators.targets import require_target

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import pandas as pd

MOST_SHOWN = 30
"""Rows of the table, the worst first."""


@lockgate.plugin
class Slices:
    """Where the model fails: its loss by the values of each column, also of those left out.

    Each slice of rows is compared with all other rows. A slice is named as worse only where
    chance would not make any of them stand out as much, at the level that is set, however
    many there are.
    """

    tasks: ClassVar = ("binary", "multiclass", "regression", "multioutput")

    columns: list[str] = lockgate.setting(
        [], help="columns by whose values rows are compared; by default all that have few"
    )
    min_rows: int = lockgate.setting(
        50, at_least=20, at_most=1_000_000, help="rows of the smallest slice that is compared"
    )
    level: float = lockgate.setting(
        0.05,
        above=0,
        at_most=0.5,
        help="probability that any slice is named as worse although none is",
    )

    @lockgate.hookimpl
    def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Measure on the test rows."""
        from lockgate.modeling.metrics.row_losses import row_losses
        from lockgate.modeling.statistics.column_slices import MOST_SLICES, find_slices
        from lockgate.modeling.statistics.slices import compare_slices

        require_target("slices", request.task)
        name, loss = row_losses(request.table, request.task, request.output, request.classes)
        rows = request.table.frame if request.rows is None else request.rows
        weight, groups = request.table.weight, request.table.groups
        columns = self._columns(rows, request.table.schema)
        of_columns = find_slices(rows, columns, self.min_rows, weight)
        slices = of_columns.slices
        if not slices:
            return lockgate.Report(
                messages=(f"no column has values with at least {self.min_rows} test rows each",)
            )
        members = of_columns.members
        results = compare_slices(loss, members, weight, groups, seed=request.seed)
        order = sorted(range(len(slices)), key=lambda k: (results[k].p, -results[k].loss))
        table = tuple(
            {
                "column": slices[k].column,
                "value": slices[k].value,
                "rows": int(members[:, k].sum()),
                name: results[k].loss,
                f"{name} of other rows": results[k].others,
                "p": results[k].p,
            }
            for k in order[:MOST_SHOWN]
        )
        worse = [k for k in order if results[k].p <= self.level]
        metrics = {
            "slices": lockgate.Metric(len(slices)),
            "worse_slices": lockgate.Metric(len(worse)),
        }
        messages = [
            f"worse where {row['column']} is {row['value']}: {name} {row[name]:.3g}, "
            f"{row[f'{name} of other rows']:.3g} on other rows ({row['rows']:,} rows)"
            for row in table[: min(5, len(worse))]
        ]
        if not worse:
            messages = [f"none of {len(slices)} slices is worse than chance would make it"]
        if of_columns.are_more:
            messages.append(
                f"only the first {MOST_SLICES:,} slices were compared: choose columns with "
                "evaluator.slices.columns"
            )
        return lockgate.Report(metrics, {"slices": table}, messages=tuple(messages))

    def _columns(self, rows: pd.DataFrame, schema: lockgate.Schema) -> Sequence[Hashable]:
        """Return the columns that are chosen, all but those with a role by default."""
        from lockgate.modeling.statistics.column_slices import without_roles

        unknown = [name for name in self.columns if name not in rows]
        if unknown:
            available = ", ".join(map(str, rows.columns[:20]))
            raise lockgate.UsageError(
                f"evaluator slices: unknown column {unknown[0]!r}; available: {available}"
            )
        return self.columns or without_roles(rows, schema)
