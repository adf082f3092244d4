"""Row rules: which training rows are dropped, and how many."""

from __future__ import annotations

import pandas as pd

from lockgate.contract.sections import RowRules
from lockgate.contract.tables import Table
from lockgate.errors import SchemaViolation
from lockgate.suggestions import nearest

__all__ = ["apply_row_rules"]


def apply_row_rules(train: Table, rules: RowRules) -> tuple[Table, dict[str, int]]:
    """Drop the training rows that the row rules exclude.

    Returns
    -------
    Table
        The remaining rows.
    dict of str to int
        Number of dropped rows by rule, for the rules that are on.

    """
    counts: dict[str, int] = {}
    for name, bounds in rules.ranges.items():
        keep = _is_in_range(train, name, bounds)
        counts[f"range of {name}"] = int((~keep).sum())
        train = _filter_rows(train, keep)
    if rules.outlier_spread > 0:
        keep = _is_inside_fences(train, rules.outlier_spread)
        counts["outliers"] = int((~keep).sum())
        train = _filter_rows(train, keep)
    if not len(train):
        raise SchemaViolation([f"the row rules drop all training rows: {counts}"])
    return train, counts


def _is_in_range(train: Table, name: str, bounds: list[float]) -> pd.Series[bool]:
    if name not in train.schema.names:
        raise SchemaViolation(
            [f"rows.ranges: unknown column {name!r}{nearest(name, train.schema.names)}"]
        )
    if len(bounds) != 2 or bounds[0] > bounds[1]:
        raise SchemaViolation([f"rows.ranges.{name} is {bounds}, expected [low, high]"])
    if train.schema[name].kind not in ("number", "integer"):
        kind = train.schema[name].kind
        raise SchemaViolation([f"rows.ranges.{name}: expected a column of numbers, got {kind}"])
    values = train.frame[name]
    return values.between(bounds[0], bounds[1]) | values.isna()


def _is_inside_fences(train: Table, spread: float) -> pd.Series[bool]:
    """Tukey's fences (Exploratory Data Analysis, 1977) with a configurable factor."""
    names = [c.name for c in train.schema.features if c.kind in ("number", "integer")]
    numbers = train.frame[names]
    low, high = numbers.quantile(0.25), numbers.quantile(0.75)
    margin = (high - low) * spread
    # the interquartile range of a mostly constant column is 0: every other value would be out
    varied = [name for name in names if margin[name] > 0]
    outside = (numbers[varied] < (low - margin)[varied]) | (
        numbers[varied] > (high + margin)[varied]
    )
    return ~outside.any(axis=1)


def _filter_rows(table: Table, keep: pd.Series[bool]) -> Table:
    if keep.all():
        return table
    return Table(table.frame[keep].reset_index(drop=True), table.schema)
