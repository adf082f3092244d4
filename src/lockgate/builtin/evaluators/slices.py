"""The evaluator ``slices``: on which rows the model is worse than on the others."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, ClassVar

import lockgate

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pandas as pd

MOST_VALUES = 30
"""Different texts of a column up to which each is a slice."""

MOST_SLICES = 1000
"""Slices that are compared; more would need a column chosen."""

MOST_SHOWN = 30
"""Rows of the table, the worst first."""

INTERVALS = 4
"""Slices of a column of many numbers or dates, with about as many rows each."""


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
        from lockgate.modeling.statistics.slices import compare_slices

        if request.task not in self.tasks:
            raise lockgate.DataError(
                f"evaluator slices needs a target, and the task is {request.task}; remove it from "
                "evaluator=[...]"
            )
        name, loss = row_losses(request.table, request.task, request.output, request.classes)
        rows = request.table.frame if request.rows is None else request.rows
        slices = list(self._slices(rows, request.table.schema))[:MOST_SLICES]
        if not slices:
            return lockgate.Report(
                messages=(f"no column has values with at least {self.min_rows} test rows each",)
            )
        members = np.stack([member for _, _, member in slices], axis=1)
        weight, groups = request.table.weight, request.table.groups
        results = compare_slices(loss, members, weight, groups, seed=request.seed)
        order = sorted(range(len(slices)), key=lambda k: (results[k].p, -results[k].loss))
        table = tuple(
            {
                "column": slices[k][0],
                "value": slices[k][1],
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
            f"worse where {slices[k][0]} is {slices[k][1]}: {name} {results[k].loss:.3g}, "
            f"{results[k].others:.3g} on other rows ({members[:, k].sum():,} rows)"
            for k in worse[:5]
        ]
        if not worse:
            messages = [f"none of {len(slices)} slices is worse than chance would make it"]
        return lockgate.Report(metrics, {"slices": table}, messages=tuple(messages))

    def _slices(
        self, rows: pd.DataFrame, schema: lockgate.Schema
    ) -> Iterator[tuple[str, str, np.ndarray]]:
        """Yield column, value and members of each slice that is large enough."""
        unknown = [name for name in self.columns if name not in rows]
        if unknown:
            available = ", ".join(map(str, rows.columns[:20]))
            raise lockgate.UsageError(
                f"evaluator slices: unknown column {unknown[0]!r}; available: {available}"
            )
        taken = {*schema.targets, schema.id, schema.weight}
        for column in self.columns or [str(name) for name in rows if name not in taken]:
            for value, member in _values_of(rows[column]):
                count = int(member.sum())
                if self.min_rows <= count <= len(rows) - self.min_rows:
                    yield column, value, member


def _values_of(cells: pd.Series[Any]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the values, or intervals of values, of a column, and the rows that have them."""
    import numpy as np
    import pandas as pd

    from lockgate.data.columns.categories import category_text

    missing = cells.isna().to_numpy()
    known = cells[~missing]
    types = pd.api.types
    ordered = types.is_numeric_dtype(cells) or types.is_datetime64_any_dtype(cells)
    if missing.any():
        yield "missing", missing
    if ordered and not types.is_bool_dtype(cells) and known.nunique() > INTERVALS:
        codes, edges = pd.qcut(cells, INTERVALS, labels=False, retbins=True, duplicates="drop")
        for k, (low, high) in enumerate(itertools.pairwise(edges)):
            yield f"{_text(low)} to {_text(high)}", np.asarray(codes == k)
        return
    texts = known.map(category_text)
    if texts.nunique() > MOST_VALUES:
        return
    for value in sorted(set(texts)):
        member = np.zeros(len(cells), bool)
        member[~missing] = (texts == value).to_numpy()
        yield value, member


def _text(edge: Any) -> str:
    return f"{edge:%Y-%m-%d}" if hasattr(edge, "strftime") else f"{edge:.4g}"
