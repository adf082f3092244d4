"""Infers the schema of a frame, and computes the digest of a table."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast, get_args

import msgspec
import pandas as pd

from lockgate.contract.tables import Column, ColumnKind, CSVFormat, Schema, Table
from lockgate.data.columns.frames import Series, convert_columns, float_bits, infer_kind
from lockgate.data.columns.sources import EXACT_INTEGER_LIMIT
from lockgate.errors import SchemaViolation
from lockgate.suggestions import nearest

if TYPE_CHECKING:
    from lockgate.contract.tables import DateOrder

__all__ = [
    "UnknownColumns",
    "build_table",
    "check_kinds",
    "compute_digest",
    "fit_schema",
    "table",
]


Roles: TypeAlias = Mapping[str, str | Sequence[str] | None]
"""Columns by role; of targets there may be several."""


class UnknownColumns(SchemaViolation):
    """Kinds were declared of columns that the table does not have: `names`."""

    def __init__(self, problems: Iterable[str], names: Iterable[str]) -> None:
        super().__init__(problems)
        self.names = frozenset(names)


def table(
    frame: pd.DataFrame,
    *,
    target: str | Sequence[str] | None = None,
    id: str | None = None,
    time: str | None = None,
    group: str | None = None,
    value: str | None = None,
    weight: str | None = None,
    horizon_days: int = 0,
    kinds: Mapping[str, str] | None = None,
    dates: DateOrder | None = None,
) -> Table:
    """Make a table of a frame: infer the kinds of its columns, assign their roles.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows; column names must be distinct strings.
    target : str or sequence of str, optional
        Column to predict, or several columns of numbers that a model predicts together.
    id, time, group, value, weight : str, optional
        Column with that role; columns without a role are features.
    horizon_days : int
        Days after `time` until the target is known.
    kinds : mapping of str to str, optional
        Kinds of columns where they should not be inferred.
    dates : {"iso", "day-first", "month-first"}, optional
        How texts like 02/07/2024 are read; by default in the only order in which all dates
        of a column exist.

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
    roles: Roles = {"target": target, "id": id, "time": time, "group": group}
    roles = {**roles, "value": value, "weight": weight}
    table = build_table(frame, roles, kinds or {}, horizon_days=horizon_days, dates=dates)
    return dataclasses.replace(table, digest=compute_digest(table.frame, table.schema))


def build_table(
    frame: pd.DataFrame,
    roles: Roles,
    kinds: Mapping[str, str],
    *,
    horizon_days: int = 0,
    dates: DateOrder | Mapping[str, DateOrder] | None = None,
    csv: CSVFormat | None = None,
) -> Table:
    """Make a table as `table` does, without a digest; `dates` may be given for each column."""
    role: dict[str, Any] = {**roles, "target": _targets_of(roles["target"])}
    _check_names(frame, role, kinds)
    if not len(frame):
        raise SchemaViolation(["the table has no rows"])
    frame = frame.reset_index(drop=True)
    chosen = dict(kinds)
    if (time := role["time"]) is not None:
        chosen[time] = "date"
        if pd.api.types.is_numeric_dtype(frame[time]):
            raise SchemaViolation([f"time column {time} holds {frame[time].dtype}, expected dates"])
    orders = dates if isinstance(dates, Mapping) else dict.fromkeys(frame, dates)
    columns = _infer_columns(frame, chosen, {str(k): v for k, v in orders.items()}, role)
    converted = pd.DataFrame(convert_columns(columns, {str(n): frame[n] for n in frame}))
    _check_weight(converted, role["weight"])
    columns = [_describe_column(column, converted[column.name]) for column in columns]
    schema = Schema(
        tuple(columns), **role, horizon_days=horizon_days, csv=csv if csv else CSVFormat()
    )
    return Table(converted, schema)


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


def _targets_of(names: str | Sequence[str] | None) -> str | tuple[str, ...] | None:
    """Return the target, or several, as a schema has them."""
    if names is None or isinstance(names, str):
        return names
    targets = tuple(names)
    if not targets or len(set(targets)) < len(targets):
        raise SchemaViolation([f"target is {list(targets)}, expected different columns"])
    return targets if len(targets) > 1 else targets[0]


def _check_names(frame: pd.DataFrame, roles: Mapping[str, Any], kinds: Mapping[str, str]) -> None:
    names = [str(name) for name in frame.columns]
    duplicates = sorted({name for name in names if names.count(name) > 1})
    problems = [f"column {name} is duplicated" for name in duplicates]
    problems += [
        f"column name {n!r} is not a string" for n in frame.columns if not isinstance(n, str)
    ]
    targets = roles["target"]
    several = targets if isinstance(targets, tuple) else (targets,)
    named = [("target", name) for name in several]
    for role, name in (*named, *((role, n) for role, n in roles.items() if role != "target")):
        if name is not None and name not in names:
            available = ", ".join(names[:20])
            problems.append(
                f"unknown {role} column {name!r}{nearest(name, names)}; available: {available}"
            )
    if problems:
        raise SchemaViolation(problems)
    check_kinds(kinds, names)


def check_kinds(kinds: Mapping[str, str], names: Sequence[str]) -> None:
    """Raise a `SchemaViolation` unless declared kinds are of columns that exist, and are kinds."""
    unknown = [name for name in kinds if name not in names]
    if unknown:
        raise UnknownColumns(
            [f"data.kinds: unknown column {name!r}{nearest(name, names)}" for name in unknown],
            unknown,
        )
    known = get_args(ColumnKind)
    problems = [
        f"data.kinds: unknown kind {kind!r} of column {name}{nearest(kind, known)}; "
        f"available: {', '.join(known)}"
        for name, kind in kinds.items()
        if kind not in known
    ]
    if problems:
        raise SchemaViolation(problems)


def _infer_columns(
    frame: pd.DataFrame,
    kinds: Mapping[str, str],
    orders: Mapping[str, DateOrder | None],
    roles: Mapping[str, Any],
) -> list[Column]:
    """Return each column with its kind; report all that cannot be inferred."""
    columns: list[Column] = []
    problems: list[str] = []
    for name in map(str, frame):
        kind, order = kinds.get(name), orders.get(name)
        inferred: tuple[str, str] = ("", "iso")
        try:
            if kind is None or (kind == "date" and order is None):
                inferred = infer_kind(name, frame[name])
        except SchemaViolation as error:
            problems += error.problems
        kind = kind or inferred[0]
        if name in (roles["id"], roles["group"]) and kind in ("integer", "number"):
            kind = _kind_of_key(frame[name], kind)
        columns.append(
            Column(
                name,
                cast(ColumnKind, kind),
                dates=order or cast("DateOrder", inferred[1]),
                bits=float_bits(frame[name].dtype) if kind == "number" else 64,
            )
        )
    if problems:
        raise SchemaViolation(problems)
    return columns


def _kind_of_key(values: Series, kind: str) -> str:
    """Keep ids that no double represents as texts."""
    large = pd.to_numeric(values, errors="coerce").abs() >= EXACT_INTEGER_LIMIT
    return "text" if large.any() else kind


def _describe_column(column: Column, values: Series) -> Column:
    categories: tuple[str, ...] = ()
    if column.kind == "category":
        categories = tuple(sorted(map(str, values.dropna().unique())))
    return dataclasses.replace(column, dtype=str(values.dtype), categories=categories)


def _check_weight(frame: pd.DataFrame, weight: str | None) -> None:
    if weight is None:
        return
    weights = frame[weight]
    usable = pd.api.types.is_numeric_dtype(weights) and not weights.isna().any()
    if not usable or (weights < 0).any() or not weights.sum() > 0:
        raise SchemaViolation(
            [f"weight column {weight} must hold numbers of at least 0, without missing values"]
        )


def _fit_column(column: Column, values: Series) -> Column:
    known = values.dropna()
    if column.kind == "category":
        return dataclasses.replace(column, categories=tuple(sorted(map(str, known.unique()))))
    if column.kind in ("number", "integer") and len(known):
        return dataclasses.replace(column, bounds=(float(known.min()), float(known.max())))
    return column
