"""Checks rows against a data contract, column by column."""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.data.columns.categories import category_text
from lockgate.data.columns.dates import MISSING_DATE, is_missing
from lockgate.data.columns.inputs import ColumnInput, ColumnValues
from lockgate.data.columns.parsing import READERS
from lockgate.data.columns.personal import is_personal
from lockgate.data.columns.rejections import RejectedRows, format_value
from lockgate.data.columns.sources import column_name, convert_to_array, select_columns
from lockgate.data.data_contract.counts import MAX_EXAMPLES, CheckedRows, Violation
from lockgate.data.data_contract.rules import ColumnRule, DataContract
from lockgate.errors import SchemaViolation
from lockgate.suggestions import nearest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_frame", "check_rows"]

SHOWN_VALUES = 10


def check_rows(
    contract: DataContract,
    source: Any,
    reasons: dict[int, list[str]] | None = None,
    *,
    read_as: Sequence[ColumnInput] = (),
    skip: Collection[int] = (),
) -> CheckedRows:
    """Check the cells of rows that have all columns of a contract.

    Parameters
    ----------
    contract : DataContract
        The rules; each of its columns must be there.
    source : DataFrame, Arrow table, mapping of columns, or sequence of mappings
        The rows.
    reasons : dict of int to list of str, optional
        Gets a message for each invalid row and column.
    read_as : sequence of ColumnInput, optional
        Inputs of the model that predicts the rows: dates are read in their order.
    skip : collection of int
        Rows that are not checked.

    Raises
    ------
    SchemaViolation
        If a column is missing, or is not a column of cells.

    """
    orders = {column.name: column.dates for column in read_as}
    inputs = [rule.cells(name, orders.get(name, "iso")) for name, rule in contract.columns.items()]
    rejected = RejectedRows()
    columns = select_columns(inputs, source, rejected)
    if rejected.fatal:
        raise SchemaViolation(rejected.fatal)
    rows = len(columns[0]) if columns else 0
    missing, violations = {}, []
    for (name, rule), column, values in zip(contract.columns.items(), inputs, columns, strict=True):
        checks, missing_cells = _check_column(rule, column, values)
        skipped = list(skip)
        missing_cells[skipped] = False
        if count := int(missing_cells.sum()):
            missing[name] = count
        for rule_name, (expected, invalid) in checks.items():
            invalid[skipped] = False
            if not invalid.any():
                continue
            indices = np.flatnonzero(invalid)
            examples = [] if rule_name == "missing" else _examples(name, values, indices)
            violations.append(Violation(name, rule_name, expected, len(indices), rows, examples))
            if reasons is not None:
                _give_reasons(reasons, name, rule_name, expected, values, indices)
    return CheckedRows(rows, missing, violations)


def check_frame(
    contract: DataContract, frame: pd.DataFrame, read_as: Sequence[ColumnInput] = ()
) -> list[Violation]:
    """Check a whole frame: its columns, their cells, and that unique values are.

    Parameters
    ----------
    contract : DataContract
        The rules.
    frame : pandas.DataFrame, shape (rows, columns)
        The rows.
    read_as : sequence of ColumnInput, optional
        Columns whose dates are texts, with the order of these; else they are in ISO form.

    Returns
    -------
    list of Violation
        Empty if the frame holds what the contract says.

    """
    names = [column_name(name) for name in frame.columns]
    rows = len(frame)
    violations = [
        Violation(name, "absent", f"is missing{nearest(name, names)}", rows, rows)
        for name, rule in contract.columns.items()
        if name not in names and not rule.optional
    ]
    if contract.other_columns == "refuse":
        violations += [
            Violation(name, "other", "is not in the contract", rows, rows)
            for name in names
            if name not in contract.columns
        ]
    present = contract.select(tuple(name for name in contract.columns if name in names))
    frame = frame.set_axis(names, axis=1)
    violations += check_rows(present, frame, read_as=read_as).violations(present)
    for name, rule in present.columns.items():
        values = frame[name].dropna() if rule.unique else frame[name][:0]
        keys = values.map(category_text) if rule.kind == "category" else values  # 1.0 is 1
        if (repeated := keys.duplicated()).any():
            values = values[repeated]
            examples = [] if is_personal(name) else [format_value(v) for v in values.iloc[:3]]
            count = int(repeated.sum())
            violations.append(Violation(name, "unique", "each value once", count, rows, examples))
    return violations


def _check_column(
    rule: ColumnRule, column: ColumnInput, values: ColumnValues
) -> tuple[Mapping[str, tuple[str, np.ndarray]], np.ndarray]:
    """Return the rows that violate each rule with what was expected, and those without a value."""
    rejected = RejectedRows()
    cells = READERS[rule.kind](column, values, rejected)
    unreadable = np.zeros(len(values), bool)
    unreadable[list(rejected.reasons)] = True
    if rule.kind == "category":
        missing = np.asarray(cells) == len(rule.values)
        checks = {"values": (_expected_values(rule, column.name), unreadable)}
    elif rule.kind == "text":
        missing = np.array([is_missing(value) for value in _plain(values)], bool)
        checks = {"kind": ("a text", unreadable)}
    else:
        numbers, missing = _numbers(rule, cells)
        missing &= ~unreadable
        if rule.kind == "integer":
            with np.errstate(invalid="ignore"):
                unreadable |= np.isfinite(numbers) & (np.floor(numbers) != numbers)
        readable = ~missing & ~unreadable
        low, high = rule.bounds()
        checks = {
            "kind": (KINDS[rule.kind], unreadable),
            "min": (f"at least {rule.shown('min')}", readable & (numbers < low)),
            "max": (f"at most {rule.shown('max')}", readable & (numbers > high)),
        }
    if rule.missing == 0:
        checks["missing"] = ("a value in each row", missing)
    return checks, missing


KINDS = {
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "date": "a date",
}


def _numbers(rule: ColumnRule, cells: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return cells as doubles, and which are missing."""
    if rule.kind == "date":
        micros = np.asarray(cells, np.int64)
        return micros.astype(float), micros == MISSING_DATE
    numbers = np.asarray(cells, float)
    return numbers, np.isnan(numbers)


def _expected_values(rule: ColumnRule, name: str) -> str:
    if is_personal(name) or not rule.values:
        return "a known category" if rule.values else "a category"
    shown = ", ".join(rule.values[:SHOWN_VALUES])
    more = len(rule.values) - SHOWN_VALUES
    return f"one of {shown}" + (f" and {more} more" if more > 0 else "")


def _plain(values: ColumnValues) -> Any:
    return values.to_pylist() if hasattr(values, "to_pylist") else values


def _cell(values: ColumnValues) -> Callable[[int], object]:
    """Return a function that gives the cell of a row."""
    array = convert_to_array(values)
    return lambda row: array[row]


def _examples(name: str, values: ColumnValues, indices: np.ndarray) -> list[str]:
    if is_personal(name):
        return []
    cell = _cell(values)
    shown: dict[str, None] = {}
    for row in indices[:1000]:
        shown.setdefault(_shown(cell(int(row))))
        if len(shown) == MAX_EXAMPLES:
            break
    return list(shown)


def _shown(value: object) -> str:
    """Return a value as messages show it: texts in quotes, dates and numbers as they are."""
    if isinstance(value, (np.datetime64, decimal.Decimal)) or hasattr(value, "isoformat"):
        return category_text(value)[:80]
    if isinstance(value, (float, np.floating)) and math.isfinite(value) and value == int(value):
        return str(int(value))
    return format_value(value)


def _give_reasons(
    reasons: dict[int, list[str]],
    name: str,
    rule: str,
    expected: str,
    values: ColumnValues,
    indices: Collection[int],
) -> None:
    cell = _cell(values)
    for row in indices:
        holds = "has no value" if rule == "missing" else f"holds {_shown(cell(int(row)))}"
        reasons.setdefault(int(row), []).append(
            f"data contract: column {name} {holds} in row {row}, expected {expected}"
        )
