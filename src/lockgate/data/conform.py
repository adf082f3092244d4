"""Checks rows against a selection and against a schema, and converts them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lockgate.contract.sections import DataSelection
from lockgate.contract.tables import ROLES, Column, Schema, Table
from lockgate.data.columns.frames import Series, convert_to_kind, convert_to_text, parse_date
from lockgate.data.schema import build_table
from lockgate.errors import SchemaViolation, nearest

__all__ = ["conform_to_schema", "conform_to_selection", "select_window"]


def conform_to_selection(loaded: Table, data: DataSelection) -> tuple[Table, int]:
    """Return the selected rows and columns, converted to the configured kinds.

    Returns
    -------
    Table
        The rows that have a target.
    int
        Number of selected rows without one.

    """
    schema, frame = loaded.schema, loaded.frame
    _check_column_names(data.leave_out, schema)
    frame = select_window(frame, schema, data.since, data.until).drop(columns=data.leave_out)
    selected_count = len(frame)
    if schema.target in frame:
        frame = frame[frame[schema.target].notna()]
    kinds = {c.name: c.kind for c in schema.columns} | data.kinds
    roles = {role: getattr(schema, role) for role in ROLES}
    table = build_table(
        frame,
        roles,
        {name: kind for name, kind in kinds.items() if name not in data.leave_out},
        horizon_days=schema.horizon_days,
    )
    return table, selected_count - len(frame)


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
    problems: list[str] = []
    columns: dict[str, Any] = {}
    for column in schema.features:
        if column.name not in frame:
            hint = nearest(column.name, map(str, frame.columns))
            problems.append(f"column {column.name} is missing{hint}")
            continue
        values = frame[column.name]
        problem = _find_problem(column, values)
        if problem:
            problems.append(problem)
            continue
        try:
            columns[column.name] = _cast(values, column)
        except (ValueError, TypeError, OverflowError) as error:
            problems.append(f"column {column.name} cannot be converted to {column.kind}: {error}")
    if problems:
        raise SchemaViolation(problems)
    return pd.DataFrame(columns, index=frame.index)


def _find_problem(column: Column, values: Series) -> str | None:
    if column.missing == "refuse" and values.isna().any():
        row = int(values.isna().to_numpy().argmax())
        return f"column {column.name} has no value in row {row}; missing values are not allowed"
    if column.kind in ("number", "integer", "boolean"):
        return _find_number_problem(column, values)
    if column.kind == "category" and column.unknown == "refuse":
        unknown = values[~convert_to_text(values).isin(column.categories) & values.notna()]
        if len(unknown):
            return (
                f"column {column.name} holds {unknown.iloc[0]!r} in row {unknown.index[0]}, an "
                f"unknown category; available: {', '.join(column.categories[:20])}"
            )
    return None


def _find_number_problem(column: Column, values: Series) -> str | None:
    numeric = pd.api.types.is_numeric_dtype(values) or values.isna().all()
    if not numeric and values.dtype == object:
        # integers or booleans with missing values have the dtype object
        numeric = values.dropna().map(lambda v: isinstance(v, (bool, int, float, np.number))).all()
    if not numeric:
        invalid = values[pd.to_numeric(values, errors="coerce").isna() & values.notna()]
        example = repr(invalid.iloc[0]) if len(invalid) else repr(values.iloc[0])
        return f"column {column.name} holds {values.dtype} (e.g. {example}), expected {column.kind}"
    infinite = np.isinf(values.astype("float64").to_numpy())
    if infinite.any():
        return f"column {column.name} is infinite in row {int(infinite.argmax())}"
    return None


def _cast(values: Series, column: Column) -> Series:
    if column.kind in ("number", "integer", "boolean"):
        return values.astype("float64")
    return convert_to_kind(values, column.kind)


def _check_column_names(names: list[str], schema: Schema) -> None:
    problems = [
        f"data.leave_out: unknown column {name!r}{nearest(name, schema.names)}"
        for name in names
        if name not in schema.names
    ]
    if problems:
        raise SchemaViolation(problems)
