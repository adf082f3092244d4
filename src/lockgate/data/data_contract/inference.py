"""Infers a data contract from a table, and widens one so that a table holds it."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from lockgate.contract.tables import ROLES, Column, ColumnKind, Schema
from lockgate.data.columns.categories import category_text
from lockgate.data.columns.personal import is_personal
from lockgate.data.data_contract.checked_table import as_table, check_contract
from lockgate.data.data_contract.counts import Violation
from lockgate.data.data_contract.rules import FORMAT, ColumnRule, DataContract
from lockgate.data.duplicates import looks_like_id
from lockgate.data.schema import build_table
from lockgate.errors import UsageError

if TYPE_CHECKING:
    from lockgate.contract.tables import Table

__all__ = ["infer_contract", "widen_contract"]

FEW = 10
"""Distinct whole numbers up to which they are codes or counts, and their range is not widened."""

MAX_VALUES = 50
"""Categories up to which a column's values are listed."""


def infer_contract(rows: pd.DataFrame | Table) -> DataContract:
    """Infer the rules of all columns of a table.

    A range is the observed one and half its width on either side, rounded outwards, and not
    beyond zero: it is meant for wrong units and codes such as 9999, not for the next largest
    value. That of at most ten whole numbers is kept. Columns without missing cells may have
    none; others half as many again and a hundredth. Categories are listed where there are at
    most 50, and each occurs twice: where some occur once, more are to be expected (Good 1953).
    Personal data are not listed. Of dates only the first is bounded. Ids, and whole numbers that
    look like some, are to be unique, and have no bounds.

    Parameters
    ----------
    rows : pandas.DataFrame or Table
        The rows; the kinds of a frame's columns are inferred as by `lockgate.table`.

    Examples
    --------
    >>> import pandas as pd, lockgate
    >>> frame = pd.DataFrame({"age": [18, 90, 35, 60], "plan": ["a", "b", "b", "a"]})
    >>> contract = lockgate.infer_contract(frame)
    >>> rule = contract.columns["age"]
    >>> rule.kind, rule.min, rule.max, contract.columns["plan"].values
    ('integer', 18.0, 90.0, ('a', 'b'))

    """
    table = as_table(rows)
    schema = table.schema
    known = {column.name: column for column in schema.columns}
    rules = {
        str(name): _infer_rule(known.get(str(name)), table.frame[name], schema)
        for name in table.frame
    }
    return DataContract(FORMAT, rules)


def widen_contract(
    contract: DataContract,
    rows: pd.DataFrame | Table,
    violations: Sequence[Violation] | None = None,
) -> DataContract:
    """Return the contract widened until the rows hold it, and by the margins of `infer_contract`.

    A rule that no margin helps is dropped: a value that occurs twice ends `unique`, and a column
    that is absent becomes `optional`.

    Parameters
    ----------
    contract : DataContract
        The contract.
    rows : pandas.DataFrame or Table
        The rows that are to hold it.
    violations : sequence of Violation, optional
        What violates it, if that is known already.

    Raises
    ------
    UsageError
        If a column is of another kind: a wider contract would be another one.

    """
    table = as_table(rows)
    if violations is None:
        violations = check_contract(contract, rows)
    inferred = infer_contract(table).columns
    rules = dict(contract.columns)
    for violation in violations:
        name = violation.column
        rules[name] = (
            inferred[name]
            if violation.rule == "other"
            else _widen_rule(rules[name], violation, table.frame)
        )
    return contract.with_columns(rules)


def _infer_rule(column: Column | None, values: pd.Series[Any], schema: Schema) -> ColumnRule:
    kind = _infer_kind(values) if column is None else column.kind
    share = float(values.isna().mean())
    fields: dict[str, Any] = {"missing": _allowed_share(share)}
    name = str(values.name)
    present = values.dropna()
    if name == schema.id or (kind == "integer" and looks_like_id(values, kind)):
        return ColumnRule(kind, **fields, unique=not present.duplicated().any())
    if is_personal(name):
        return ColumnRule(kind, **fields)
    if kind in ("number", "integer") and len(present):
        low, high = float(present.min()), float(present.max())
        few = kind == "integer" and present.nunique() <= FEW
        fields["min"], fields["max"] = (low, high) if few else _widened_range(low, high)
    elif kind == "date" and len(present):
        fields["min"] = _earliest(pd.to_datetime(present))
    elif kind == "category" and name != schema.group:
        fields["values"] = _closed_values(present)
    return ColumnRule(kind, **fields)


def _infer_kind(values: pd.Series[Any]) -> ColumnKind:
    """Return the kind of a column that the schema leaves out."""
    return build_table(values.to_frame(), dict.fromkeys(ROLES), {}).schema.columns[0].kind


def _allowed_share(share: float) -> float:
    return 0.0 if share == 0 else min(1.0, math.ceil((1.5 * share + 0.01) * 100) / 100)


def _earliest(dates: pd.Series[Any]) -> str | None:
    """Return the first date less half of the time that all span; None for one before the year 1."""
    with contextlib.suppress(ArithmeticError, NotImplementedError, ValueError):
        return str((dates.min() - (dates.max() - dates.min()) / 2).date().isoformat())
    return None


def _widened_range(low: float, high: float) -> tuple[float | None, float | None]:
    margin = (high - low or abs(low)) / 2
    wide_low, wide_high = low - margin, high + margin
    if low >= 0:
        wide_low = max(wide_low, 0.0)
    if high <= 0:
        wide_high = min(wide_high, 0.0)
    return _rounded(wide_low, math.floor), _rounded(wide_high, math.ceil)


def _rounded(bound: float, outwards: Any) -> float | None:
    """Round a bound to two digits; None for one that no double has."""
    if not math.isfinite(bound):
        return None
    if bound == 0:
        return 0
    step = 10.0 ** (math.floor(math.log10(abs(bound))) - 1)
    if step < sys.float_info.min:  # bounds that small are as good as the numbers themselves
        return bound
    rounded = float(f"{outwards(bound / step) * step:.6g}")
    return rounded if math.isfinite(rounded) else None


def _closed_values(present: pd.Series[Any]) -> tuple[str, ...]:
    counts = present.map(category_text).value_counts()
    closed = 0 < len(counts) <= MAX_VALUES and int(counts.min()) > 1
    return tuple(sorted(map(str, counts.index))) if closed else ()


def _widen_rule(rule: ColumnRule, violation: Violation, frame: pd.DataFrame) -> ColumnRule:
    change = msgspec.structs.replace
    name = violation.column
    if violation.rule == "absent":
        return change(rule, optional=True)
    values = frame[name].dropna()
    if violation.rule == "missing":
        return change(rule, missing=_allowed_share(float(frame[name].isna().mean())))
    if violation.rule == "unique":
        return change(rule, unique=False)
    if violation.rule == "values" and rule.values:
        return change(rule, values=tuple(sorted({*rule.values, *values.map(category_text)})))
    if violation.rule in ("min", "max") and rule.kind == "date":
        dates = pd.to_datetime(values)
        bound = dates.min() if violation.rule == "min" else dates.max()
        return change(rule, **{violation.rule: bound.date().isoformat()})
    if violation.rule in ("min", "max"):
        numbers = pd.to_numeric(values)
        low, high = float(np.min(numbers)), float(np.max(numbers))
        return change(
            rule,
            **(
                {"min": _rounded(low, math.floor)}
                if violation.rule == "min"
                else {"max": _rounded(high, math.ceil)}
            ),
        )
    if rule.kind == "integer" and pd.api.types.is_numeric_dtype(frame[name]):
        return change(rule, kind="number")
    raise UsageError(
        f"{violation}; a contract is not widened to another kind: correct the data, or change the "
        "kind in the file"
    )
