"""Infers the schema of a frame, and computes the digest of a table."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import msgspec
import numpy as np
import pandas as pd

from lockgate.contract.tables import Column, Schema, Table
from lockgate.data.columns.frames import ISO_DATE, Series, convert_to_kind
from lockgate.errors import SchemaViolation, nearest

if TYPE_CHECKING:
    from lockgate.contract.tables import ColumnKind

__all__ = ["build_table", "compute_digest", "fit_schema", "infer_task", "table"]


MAX_CATEGORIES = 200
"""Text columns with more distinct values than this are text, not categories."""


def table(
    frame: pd.DataFrame,
    *,
    target: str | None = None,
    id: str | None = None,
    time: str | None = None,
    group: str | None = None,
    value: str | None = None,
    weight: str | None = None,
    horizon_days: int = 0,
    kinds: Mapping[str, str] | None = None,
) -> Table:
    """Make a table of a frame: infer the kinds of its columns, assign their roles.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows; column names must be distinct strings.
    target, id, time, group, value, weight : str, optional
        Column with that role; columns without a role are features.
    horizon_days : int
        Days after `time` until the target is known.
    kinds : mapping of str to str, optional
        Kinds of columns where they should not be inferred.

    Raises
    ------
    SchemaViolation
        If a role has an unknown column, or names or cells are invalid.

    Examples
    --------
    >>> import pandas as pd, lockgate
    >>> table = lockgate.table(pd.DataFrame({"x": [1.5, 2], "y": ["a", "b"]}), target="y")
    >>> [(column.name, column.kind) for column in table.schema.columns]
    [('x', 'number'), ('y', 'category')]

    """
    roles = {"target": target, "id": id, "time": time, "group": group}
    roles |= {"value": value, "weight": weight}
    table = build_table(frame, roles, kinds or {}, horizon_days=horizon_days)
    return dataclasses.replace(table, digest=compute_digest(table.frame, table.schema))


def build_table(
    frame: pd.DataFrame,
    roles: Mapping[str, str | None],
    kinds: Mapping[str, str],
    *,
    horizon_days: int = 0,
) -> Table:
    """Make a table as `table` does, without a digest."""
    _check_names(frame, roles, kinds)
    if not len(frame):
        raise SchemaViolation(["the table has no rows"])
    frame = frame.reset_index(drop=True)
    chosen, time = dict(kinds), roles["time"]
    _check_cells(frame, time, roles["weight"])
    if time is not None:
        chosen[time] = "date"
    frame = _convert_columns(frame, {str(name): chosen.get(str(name)) for name in frame})
    columns = tuple(_infer_column(str(name), frame[name], chosen.get(str(name))) for name in frame)
    return Table(frame, Schema(columns, **roles, horizon_days=horizon_days))


def compute_digest(frame: pd.DataFrame, schema: Schema) -> str:
    """Return the sha256 of content and schema, in hex; it depends on the order of rows."""
    digest = hashlib.sha256(msgspec.json.encode(dataclasses.asdict(schema)))
    digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def fit_schema(train: Table) -> Schema:
    """Return the schema with the categories and bounds of the training rows."""
    return train.schema.with_columns(
        tuple(_fit_column(column, train.frame[column.name]) for column in train.schema.columns)
    )


def infer_task(train: Table, requested: str) -> str:
    """Infer the task from the target, or check that the requested task fits it."""
    name = train.schema.target
    if name is None:
        raise SchemaViolation(["the table has no target; configure it in the loader"])
    target = train.frame[name]
    distinct = target.nunique(dropna=True)
    if distinct < 2:
        raise SchemaViolation(
            [f"target {name} has {distinct} distinct value(s), expected at least 2"]
        )
    numeric = train.schema[name].kind in ("number", "integer")
    if requested == "auto":
        fractions = numeric and bool((target.dropna() % 1 != 0).any())
        classification = "binary" if distinct == 2 else "multiclass"
        return "regression" if numeric and (distinct > 20 or fractions) else classification
    if requested == "multiclass" and numeric and (target.dropna() % 1 != 0).any():
        raise SchemaViolation([f"target {name} has fractional values, expected class labels"])
    if requested == "regression" and not numeric:
        raise SchemaViolation(
            [f"target {name} is {target.dtype}, expected numbers for a regression"]
        )
    if requested == "binary" and distinct != 2:
        raise SchemaViolation([f"target {name} has {distinct} distinct values, expected 2"])
    return requested


def _check_names(
    frame: pd.DataFrame, roles: Mapping[str, str | None], kinds: Mapping[str, str]
) -> None:
    names = [str(name) for name in frame.columns]
    duplicates = sorted({name for name in names if names.count(name) > 1})
    problems = [f"column {name} is duplicated" for name in duplicates]
    problems += [
        f"column name {n!r} is not a string" for n in frame.columns if not isinstance(n, str)
    ]
    for role, name in roles.items():
        if name is not None and name not in names:
            available = ", ".join(names[:20])
            problems.append(
                f"unknown {role} column {name!r}{nearest(name, names)}; available: {available}"
            )
    for name in kinds:
        if name not in names:
            problems.append(f"data.kinds: unknown column {name!r}{nearest(name, names)}")
    if problems:
        raise SchemaViolation(problems)


def _infer_column(name: str, values: Series, kind: str | None) -> Column:
    resolved_kind = cast("ColumnKind", kind or _infer_kind(values))
    categories: tuple[str, ...] = ()
    if resolved_kind == "category":
        categories = tuple(sorted(map(str, values.dropna().unique())))
    return Column(name, resolved_kind, str(values.dtype), categories)


def _infer_kind(values: Series) -> str:
    if pd.api.types.is_bool_dtype(values):
        return "boolean"
    if pd.api.types.is_integer_dtype(values):
        return "integer"
    if pd.api.types.is_numeric_dtype(values):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(values):
        return "date"
    distinct = pd.Series(values.dropna().map(str).unique())
    if len(distinct) and distinct.str.fullmatch(ISO_DATE).all():
        return "date"
    return "category" if len(distinct) <= MAX_CATEGORIES else "text"


def _check_cells(frame: pd.DataFrame, time: str | None, weight: str | None) -> None:
    """Reject columns whose cells fit no kind of column."""
    problems = [
        problem for name in frame for problem in _find_invalid_cells(str(name), frame[name])
    ]
    if time is not None and pd.api.types.is_numeric_dtype(frame[time]):
        problems.append(f"time column {time} holds {frame[time].dtype}, expected dates")
    if weight is not None:
        weights = frame[weight]
        usable = pd.api.types.is_numeric_dtype(weights) and not weights.isna().any()
        if not usable or (weights < 0).any() or not weights.sum() > 0:
            problems.append(
                f"weight column {weight} must hold numbers of at least 0, without missing values"
            )
    if problems:
        raise SchemaViolation(problems)


def _find_invalid_cells(name: str, values: Series) -> list[str]:
    known = values.dropna()
    if known.dtype == object:
        is_nested = known.map(lambda cell: isinstance(cell, (list, tuple, dict, set, np.ndarray)))
        nested = known[is_nested]
        if len(nested):
            type_name = type(nested.iloc[0]).__name__
            return [f"column {name} holds {type_name}, expected a single value per cell"]
    if known.dtype.kind == "f" and np.isinf(known.to_numpy()).any():
        row = known.index[np.isinf(known.to_numpy())][0]
        return [f"column {name} is infinite in row {row}, expected finite numbers"]
    return []


def _convert_columns(frame: pd.DataFrame, kinds: Mapping[str, str | None]) -> pd.DataFrame:
    """Convert columns to their kinds, or report those that cannot be converted."""
    converted, problems = frame.copy(deep=False), []
    for name, kind in kinds.items():
        try:
            converted[name] = convert_to_kind(frame[name], kind or _infer_kind(frame[name]))
        except (ValueError, TypeError, OverflowError) as error:
            problems.append(f"column {name} cannot be converted to {kind}: {error}")
    if problems:
        raise SchemaViolation(problems)
    return converted


def _fit_column(column: Column, values: Series) -> Column:
    known = values.dropna()
    if column.kind == "category":
        return dataclasses.replace(column, categories=tuple(sorted(map(str, known.unique()))))
    if column.kind in ("number", "integer") and len(known):
        return dataclasses.replace(column, bounds=(float(known.min()), float(known.max())))
    return column
