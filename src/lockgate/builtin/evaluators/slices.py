"""The evaluator ``slices``: on which rows the model is worse than on the others."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, ClassVar

import lockgate

if TYPE_CHECKING:
    import pandas as pd

MOST_SLICES = 1000
"""Slices that are compared; more would need a column chosen."""

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
        import numpy as np

        from lockgate.modeling.metrics.row_losses import row_losses
        from lockgate.modeling.statistics.column_slices import column_slices
        from lockgate.modeling.statistics.slices import compare_slices

        if request.task not in self.tasks:
            raise lockgate.DataError(
                f"evaluator slices needs a target, and the task is {request.task}; remove it from "
                "evaluator=[...]"
            )
        name, loss = row_losses(request.table, request.task, request.output, request.classes)
        rows = request.table.frame if request.rows is None else request.rows
        columns = self._columns(rows, request.table.schema)
        weight, groups = request.table.weight, request.table.groups
        candidates = column_slices(rows, columns, self.min_rows, weight)
        slices = list(itertools.islice(candidates, MOST_SLICES + 1))
        notes = []
        if len(slices) > MOST_SLICES:
            slices.pop()
            notes.append(
                f"only the first {MOST_SLICES:,} slices were compared: choose columns with "
                "evaluator.slices.columns"
            )
        if not slices:
            return lockgate.Report(
                messages=(f"no column has values with at least {self.min_rows} test rows each",)
            )
        members = np.stack([part.members for part in slices], axis=1)
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
            f"worse where {slices[k].column} is {slices[k].value}: {name} {results[k].loss:.3g}, "
            f"{results[k].others:.3g} on other rows ({members[:, k].sum():,} rows)"
            for k in worse[:5]
        ]
        if not worse:
            messages = [f"none of {len(slices)} slices is worse than chance would make it"]
        return lockgate.Report(metrics, {"slices": table}, messages=(*messages, *notes))

    def _columns(self, rows: pd.DataFrame, schema: lockgate.Schema) -> list[str]:
        """Return the columns that are chosen, all but those with a role by default."""
        unknown = [name for name in self.columns if name not in rows]
        if unknown:
            available = ", ".join(map(str, rows.columns[:20]))
            raise lockgate.UsageError(
                f"evaluator slices: unknown column {unknown[0]!r}; available: {available}"
            )
        taken = {*schema.targets, schema.id, schema.weight}
        return self.columns or [str(name) for name in rows if name not in taken]
