"""Rows that stand in a table twice, and the columns that identify rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lockgate.contract.sections import RowRules
from lockgate.contract.tables import Schema, Table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["drop_duplicates", "identity_columns", "looks_like_id"]

FEWEST_ROWS = 50
"""Rows from which a column can look like an id."""

ID_SHARE = 0.9
"""Share of distinct texts from which a column is taken for an id."""


def identity_columns(schema: Schema) -> list[str]:
    """Return the columns in which copies of a row agree: features, target and time.

    Copies may have ids of their own.
    """
    time = [] if schema.time is None else [schema.time]
    return [*(column.name for column in schema.features), *schema.targets, *time]


def looks_like_id(values: pd.Series, kind: str) -> bool:
    """Whether a column may be an id: most texts differ, or all whole numbers, which are close."""
    distinct = values.nunique()
    if kind == "category":
        return len(values) >= FEWEST_ROWS and distinct >= ID_SHARE * len(values)
    if kind != "integer" or distinct < len(values) or len(values) < FEWEST_ROWS:
        return False
    return bool(np.ptp(values.to_numpy(dtype=float)) < 10 * len(values))


def drop_duplicates(table: Table, rules: RowRules) -> tuple[Table, int]:
    """Drop copies of rows, but for the first of each, where the rules say so.

    Returns
    -------
    Table
        The remaining rows.
    int
        Number of dropped rows.

    """
    if rules.duplicates != "drop":
        return table, 0
    copies = table.frame.duplicated(identity_columns(table.schema))
    if not copies.any():
        return table, 0
    return Table(table.frame[~copies].reset_index(drop=True), table.schema), int(copies.sum())
