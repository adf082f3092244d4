"""Rows that stand in a table twice."""

from __future__ import annotations

from lockgate.contract.sections import RowRules
from lockgate.contract.tables import Schema, Table

__all__ = ["drop_duplicates", "identity_columns"]


def identity_columns(schema: Schema) -> list[str]:
    """Return the columns in which copies of a row agree: features, target and time.

    Copies may have ids of their own.
    """
    roles = [name for name in (schema.target, schema.time) if name is not None]
    return [*(column.name for column in schema.features), *roles]


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
