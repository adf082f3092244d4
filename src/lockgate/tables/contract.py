"""Holds a frame against a schema, and drops what no model can use."""

from __future__ import annotations

from typing import Any

import pandas as pd

from lockgate.errors import SchemaViolation, nearest
from lockgate.spec.sections import Data
from lockgate.spec.tables import Column, Schema, Table
from lockgate.tables.infer import table

__all__ = ["conform", "shaped", "within"]


def shaped(loaded: Table, data: Data) -> tuple[Table, list[str]]:
    """Apply the section ``data`` to a loader's table.

    Returns
    -------
    Table
        Rows of the stretch asked for, columns of the kinds asked for.
    list of str
        What was left out, in words.

    """
    schema, frame = loaded.schema, loaded.frame
    _check_named(data.leave_out, schema)
    frame = frame.drop(columns=data.leave_out)
    frame = within(frame, schema, data.since, data.until)
    roles = {
        role: getattr(schema, role) for role in ("target", "id", "time", "group", "value", "weight")
    }
    kinds = {c.name: c.kind for c in schema.columns if c.name in frame} | data.kinds
    made = table(frame, **roles, horizon_days=schema.horizon_days, kinds=kinds)
    useless = _useless(made)
    if useless and data.useless == "refuse":
        raise SchemaViolation(useless.values())
    if useless:
        made = table(
            made.frame.drop(columns=list(useless)),
            **roles,
            horizon_days=schema.horizon_days,
            kinds={name: kind for name, kind in kinds.items() if name not in useless},
        )
    if not made.schema.features:
        raise SchemaViolation(["no feature is left; every column has a role or was left out"])
    return made, [f"{sentence}; dropped" for sentence in useless.values()]


def within(
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
        keep &= time >= _date(since)
    if until is not None:
        keep &= time < _date(until)
    if not keep.any():
        known = f"{schema.time} runs from {time.min()} to {time.max()}"
        raise SchemaViolation([f"no row from {since} until {until}; {known}"])
    return frame[keep]


def conform(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
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
        else:
            made[column.name] = _cast(values, column)
    if problems:
        raise SchemaViolation(problems)
    return pd.DataFrame(made, index=frame.index)


def _problem(column: Column, values: pd.Series[Any]) -> str | None:
    if column.missing == "refuse" and values.isna().any():
        row = int(values.isna().to_numpy().argmax())
        return f"column {column.name} has no value in row {row}, and gaps are refused"
    numeric = pd.api.types.is_numeric_dtype(values) or values.isna().all()
    if column.kind in ("number", "integer", "boolean") and not numeric:
        bad = values[pd.to_numeric(values, errors="coerce").isna() & values.notna()]
        shown = repr(bad.iloc[0]) if len(bad) else repr(values.iloc[0])
        return f"column {column.name} holds {values.dtype} (e.g. {shown}), expected {column.kind}"
    if column.kind == "date" and not pd.api.types.is_datetime64_any_dtype(values):
        return f"column {column.name} holds {values.dtype}, expected dates"
    if column.kind == "category" and column.unknown == "refuse":
        strange = values[~values.map(str).isin(column.categories) & values.notna()]
        if len(strange):
            return (
                f"column {column.name} holds {strange.iloc[0]!r} in row {strange.index[0]}, "
                f"which training never saw; known: {', '.join(column.categories[:20])}"
            )
    return None


def _cast(values: pd.Series[Any], column: Column) -> pd.Series[Any]:
    if column.kind in ("number", "integer"):
        return pd.to_numeric(values).astype("float64")
    if column.kind == "boolean":
        return values.astype("float64")
    if column.kind in ("category", "text"):
        # None and NaN would be two categories to scikit-learn
        texts = values.astype(object).map(str)
        return texts.where(values.notna(), float("nan"))
    return values


def _useless(made: Table) -> dict[str, str]:
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


def _date(text: str) -> pd.Timestamp:
    try:
        return pd.Timestamp(text)
    except ValueError:
        raise SchemaViolation([f"{text!r} is no date; write it like 1998-01-31"]) from None
