"""Holds a frame against a schema, and drops what no model can use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lockgate.contract.sections import DataSelection
from lockgate.contract.tables import ROLES, Column, Schema, Table
from lockgate.data.columns.frames import as_date, to_kind, to_text
from lockgate.data.schema import digest_of, table
from lockgate.errors import SchemaViolation, nearest

__all__ = ["conform_to_schema", "conform_to_selection", "drop_uninformative", "rows_in_window"]


def conform_to_selection(loaded: Table, data: DataSelection) -> Table:
    """Return rows of the stretch asked for, with columns of the kinds asked for."""
    schema, frame = loaded.schema, loaded.frame
    _check_named(data.leave_out, schema)
    frame = frame.drop(columns=data.leave_out)
    frame = rows_in_window(frame, schema, data.since, data.until)
    kinds = {c.name: c.kind for c in schema.columns} | data.kinds
    return _remade(frame, schema, {n: k for n, k in kinds.items() if n not in data.leave_out})


def drop_uninformative(
    train: Table, others: Sequence[Table], data: DataSelection
) -> tuple[list[Table], list[str]]:
    """Drop features that the training rows say nothing about, or refuse them.

    Returns
    -------
    list of Table
        The training rows and the others without these columns.
    list of str
        What was dropped, in words.

    """
    useless = uninformative_reasons(train)
    if useless and data.uninformative == "refuse":
        raise SchemaViolation(useless.values())
    kept = []
    for one in (train, *others):
        schema = one.schema.with_columns(
            tuple(column for column in one.schema.columns if column.name not in useless)
        )
        frame = one.frame[list(schema.names)]
        kept.append(Table(frame, schema, digest_of(frame, schema)))
    if not kept[0].schema.features:
        raise SchemaViolation(["no feature is left: every column has a role or is useless"])
    return kept, [f"{sentence}; dropped" for sentence in useless.values()]


def _remade(frame: pd.DataFrame, schema: Schema, kinds: Mapping[str, str]) -> Table:
    roles = {role: getattr(schema, role) for role in ROLES}
    return table(frame, **roles, horizon_days=schema.horizon_days, kinds=kinds)


def rows_in_window(
    frame: pd.DataFrame, schema: Schema, since: str | None, until: str | None
) -> pd.DataFrame:
    """Return the rows whose time lies in [since, until)."""
    if since is None and until is None:
        return frame
    if schema.time is None:
        raise SchemaViolation(["since and until need a time column; the loader names none"])
    time = pd.to_datetime(frame[schema.time])
    keep = pd.Series(True, index=frame.index)
    if since is not None:
        keep &= time >= as_date(since)
    if until is not None:
        keep &= time < as_date(until)
    if not keep.any():
        known = f"{schema.time} runs from {time.min()} to {time.max()}"
        raise SchemaViolation([f"no row from {since} until {until}; {known}"])
    return frame[keep]


def conform_to_schema(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Hold new rows against the features of a schema.

    Returns
    -------
    pandas.DataFrame, shape (rows, features)
        The features in the schema's order, with its kinds.

    Raises
    ------
    SchemaViolation
        With every missing column, wrong type, refused gap or unknown category.

    """
    problems: list[str] = []
    made: dict[str, Any] = {}
    for column in schema.features:
        if column.name not in frame:
            hint = nearest(column.name, map(str, frame.columns))
            problems.append(f"column {column.name} is missing{hint}")
            continue
        values = frame[column.name]
        problem = _problem(column, values)
        if problem:
            problems.append(problem)
            continue
        try:
            made[column.name] = _cast(values, column)
        except (ValueError, TypeError, OverflowError) as error:
            problems.append(f"column {column.name} cannot be {column.kind}: {error}")
    if problems:
        raise SchemaViolation(problems)
    return pd.DataFrame(made, index=frame.index)


def _problem(column: Column, values: pd.Series[Any]) -> str | None:
    if column.missing == "refuse" and values.isna().any():
        row = int(values.isna().to_numpy().argmax())
        return f"column {column.name} has no value in row {row}, and gaps are refused"
    if column.kind in ("number", "integer", "boolean"):
        return _number_problem(column, values)
    if column.kind == "category" and column.unknown == "refuse":
        strange = values[~to_text(values).isin(column.categories) & values.notna()]
        if len(strange):
            return (
                f"column {column.name} holds {strange.iloc[0]!r} in row {strange.index[0]}, "
                f"which training never saw; known: {', '.join(column.categories[:20])}"
            )
    return None


def _number_problem(column: Column, values: pd.Series[Any]) -> str | None:
    numeric = pd.api.types.is_numeric_dtype(values) or values.isna().all()
    if not numeric and values.dtype == object:
        # whole numbers and gaps, or booleans and gaps, arrive as objects
        numeric = values.dropna().map(lambda v: isinstance(v, (bool, int, float, np.number))).all()
    if not numeric:
        bad = values[pd.to_numeric(values, errors="coerce").isna() & values.notna()]
        shown = repr(bad.iloc[0]) if len(bad) else repr(values.iloc[0])
        return f"column {column.name} holds {values.dtype} (e.g. {shown}), expected {column.kind}"
    endless = np.isinf(values.astype("float64").to_numpy())
    if endless.any():
        return f"column {column.name} is infinite in row {int(endless.argmax())}"
    return None


def _cast(values: pd.Series[Any], column: Column) -> pd.Series[Any]:
    if column.kind in ("number", "integer", "boolean"):
        return values.astype("float64")
    return to_kind(values, column.kind)


def uninformative_reasons(made: Table) -> dict[str, str]:
    found = {}
    for column in made.schema.features:
        values = made.frame[column.name]
        if values.isna().all():
            found[column.name] = f"column {column.name} has no value at all"
        elif values.nunique(dropna=False) == 1:
            found[column.name] = f"column {column.name} is always {values.tolist()[0]!r}"
    return found


def _check_named(names: list[str], schema: Schema) -> None:
    problems = [
        f"data.leave_out names {name!r}, which is no column{nearest(name, schema.names)}"
        for name in names
        if name not in schema.names
    ]
    if problems:
        raise SchemaViolation(problems)
