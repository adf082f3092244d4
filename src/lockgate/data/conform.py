"""Checks rows against a selection and against a schema, and converts them."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from lockgate.contract.sections import DataSelection
from lockgate.contract.tables import ROLES, Schema, Table
from lockgate.data.columns.frames import convert_columns, parse_date
from lockgate.data.schema import build_table
from lockgate.errors import SchemaViolation
from lockgate.suggestions import nearest

__all__ = ["conform_to_schema", "conform_to_selection", "select_window"]


def conform_to_selection(loaded: Table, data: DataSelection) -> tuple[Table, int]:
    """Return the selected rows and columns, converted to the configured kinds.

    Returns
    -------
    Table
        The rows that have a target. The frame ends with the columns that are left out, as they were
        loaded; the schema does not have them.
    int
        Number of selected rows without one.

    """
    schema, frame = loaded.schema, loaded.frame
    names = list(dict.fromkeys(data.leave_out))
    _check_column_names(names, schema)
    frame = select_window(frame, schema, data.since, data.until)
    selected_count = len(frame)
    targets = [name for name in schema.targets if name in frame]
    labelled = frame[frame[targets].notna().all(axis=1)]
    kinds = {c.name: c.kind for c in schema.columns} | data.kinds
    roles = {role: getattr(schema, role) for role in ROLES}
    left_out = labelled[names].reset_index(drop=True)
    table = build_table(
        labelled.drop(columns=names),
        roles,
        {name: kind for name, kind in kinds.items() if name not in names},
        horizon_days=schema.horizon_days,
        dates={column.name: column.dates for column in schema.columns if column.kind == "date"},
        csv=schema.csv,
    )
    frame = pd.concat([table.frame, left_out], axis=1) if names else table.frame
    return replace(table, frame=frame), selected_count - len(labelled)


def select_window(
    frame: pd.DataFrame, schema: Schema, since: str | None, until: str | None
) -> pd.DataFrame:
    """Return the rows whose time lies in [since, until)."""
    if since is None and until is None:
        return frame
    if schema.time is None:
        raise SchemaViolation(["since and until need a time column, and the loader declares none"])
    time = pd.to_datetime(frame[schema.time])
    keep = pd.Series(True, index=frame.index)
    if since is not None:
        keep &= time >= parse_date(since)
    if until is not None:
        keep &= time < parse_date(until)
    if not keep.any():
        known = f"{schema.time} ranges from {time.min()} to {time.max()}"
        raise SchemaViolation([f"no rows since {since} until {until}; {known}"])
    return frame[keep]


def conform_to_schema(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Check new rows against the features of a schema, and convert them.

    Returns
    -------
    pandas.DataFrame, shape (rows, features)
        The features in the schema's order, with its kinds.

    Raises
    ------
    SchemaViolation
        With every missing column, wrong type, and missing value or unknown category that
        is not allowed.

    """
    # the columns of DataFrame(array) are named by numbers; a schema has them as texts
    cells = {str(name): frame[name] for name in frame}
    missing = [column.name for column in schema.features if column.name not in cells]
    if missing:
        raise SchemaViolation([f"column {n} is missing{nearest(n, cells)}" for n in missing])
    converted = pd.DataFrame(convert_columns(schema.features, cells))
    numeric = [c.name for c in schema.features if c.kind in ("number", "integer", "boolean")]
    return converted.astype(dict.fromkeys(numeric, "float64"))


def _check_column_names(names: list[str], schema: Schema) -> None:
    problems = [
        f"data.leave_out: unknown column {name!r}{nearest(name, schema.names)}"
        for name in names
        if name not in schema.names
    ]
    problems += [
        f"data.leave_out: {name} is the {role} column of the loader, never a feature; leave it "
        "out of the list"
        for role in ROLES
        for name in (schema.targets if role == "target" else [getattr(schema, role)])
        if name in names
    ]
    if problems:
        raise SchemaViolation(problems)
