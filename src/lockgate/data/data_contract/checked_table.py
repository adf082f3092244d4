"""A table as its data contract says, or else as its cells say, to report what differs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from lockgate.contract.tables import ROLES, Table
from lockgate.data.columns.dates import as_micros
from lockgate.data.columns.inputs import ColumnInput
from lockgate.data.columns.sources import column_name
from lockgate.data.columns.text_cells import parse_text
from lockgate.data.data_contract.counts import Violation
from lockgate.data.data_contract.row_checks import check_frame
from lockgate.data.data_contract.rules import DataContract
from lockgate.data.schema import UnknownColumns, build_table
from lockgate.errors import SchemaViolation, UsageError

__all__ = ["as_table", "check_contract", "load_with_contract"]

NUMERIC = ("number", "integer")


def check_contract(contract: DataContract, rows: pd.DataFrame | Table) -> list[Violation]:
    """Check whole rows: their columns, their cells, and that unique values are.

    Parameters
    ----------
    contract : DataContract
        The rules.
    rows : pandas.DataFrame or Table, shape (rows, columns)
        The rows. Texts of a frame are read as `lockgate.table` reads them, dates in the only
        order in which all of a column exist.

    Returns
    -------
    list of Violation
        Empty if the rows hold what the contract says.

    Raises
    ------
    SchemaViolation
        If the table is empty, or dates can be read in two orders.

    """
    if isinstance(rows, Table):
        return check_frame(contract, rows.frame)
    return load_with_contract(lambda kinds: as_table(rows, kinds), contract, {})[1]


def as_table(rows: pd.DataFrame | Table, kinds: Mapping[str, str] | None = None) -> Table:
    """Return rows as a table.

    Raises
    ------
    UsageError
        If they are neither a frame nor a table.

    """
    if isinstance(rows, Table):
        return rows
    if not isinstance(rows, pd.DataFrame):
        raise UsageError(
            f"rows are {type(rows).__name__}, expected a DataFrame or a lockgate.Table"
        )
    frame = rows.set_axis([column_name(name) for name in rows], axis=1)
    known = {name: kind for name, kind in (kinds or {}).items() if name in frame}
    return build_table(frame, dict.fromkeys(ROLES), known)


def load_with_contract(
    load: Callable[[Mapping[str, str]], Table],
    contract: DataContract,
    declared: Mapping[str, str],
    dates: str | None = None,
) -> tuple[Table, list[Violation]]:
    """Load a table with the kinds of a contract, and check it.

    Parameters
    ----------
    load : callable
        Loads the table with the kinds of columns that it is called with.
    contract : DataContract
        The contract.
    declared : mapping of str to str
        Kinds that go before those of the contract.
    dates : {"iso", "day-first", "month-first"}, optional
        Order of numeric dates that is declared for `load`. Without it, a column with other cells,
        too, is read in the order in which the largest number of cells exist.

    Returns
    -------
    Table
        Read by the contract's kinds; if cells are of other kinds, as these cells are.
    list of Violation
        Empty if the table holds what the contract says.

    """
    kinds = {name: rule.kind for name, rule in contract.columns.items()} | dict(declared)
    invalid: set[str] = set()
    read_as: list[ColumnInput] = []
    try:
        table, kinds = _load_present(load, kinds)
    except SchemaViolation:  # a cell or a column is not what the contract says: report all
        as_texts, texts = _load_present(load, dict.fromkeys(kinds, "category"))
        kinds = {name: kinds[name] for name in texts}
        invalid = {
            name for name, kind in kinds.items() if not _can_read(as_texts, name, kind, dates)
        }
        try:
            table = load({**kinds, **dict.fromkeys(invalid, "category")})
        except SchemaViolation:  # texts in a typed file that look like numbers, for example
            invalid |= {
                name for name, kind in kinds.items() if not _can_load(load, {**texts, name: kind})
            }
            table = load({**kinds, **dict.fromkeys(invalid, "category")})
        frame, read_as = _convert_readable_cells(table, kinds, invalid, dates)
        table = replace(table, frame=frame)
    violations = check_frame(contract, table.frame, read_as)
    if invalid - {violation.column for violation in violations}:
        load(kinds)  # raises what the loader says of the column
    return table, violations + _kind_mismatches(contract, table, invalid, violations)


def _load_present(
    load: Callable[[Mapping[str, str]], Table], kinds: dict[str, str]
) -> tuple[Table, dict[str, str]]:
    """Load a table, and return the kinds of the columns that it has as well."""
    try:
        return load(kinds), kinds
    except UnknownColumns as error:
        kinds = {name: kind for name, kind in kinds.items() if name not in error.names}
        return load(kinds), kinds


def _can_read(table: Table, name: str, kind: str, dates: str | None) -> bool:
    """Whether all texts of a column can be read as that kind."""
    if kind in ("category", "text") or not _are_texts(table.frame[name]):
        return True
    if kind == "date":
        texts = table.frame[name].dropna().tolist()
        order = dates or _usual_order(texts)
        return all(as_micros(text, order) is not None for text in texts)
    return not any(isinstance(value, str) for value in _parse(table, name, kind))


def _can_load(load: Callable[[Mapping[str, str]], Table], kinds: Mapping[str, str]) -> bool:
    try:
        load(kinds)
    except SchemaViolation:
        return False
    return True


def _convert_readable_cells(
    table: Table, kinds: Mapping[str, str], invalid: Collection[str], dates: str | None
) -> tuple[pd.DataFrame, list[ColumnInput]]:
    """Return the frame, in columns that cannot be loaded the cells converted that could be.

    A single word makes a column of numbers in a text file a column of texts. Where all texts are
    of the kind, they are texts in a typed file. Dates stay texts; the order in which they are
    read comes with them.
    """
    frame, inputs = table.frame.copy(), []
    for name in invalid:
        texts = frame[name]
        if table.schema[name].kind not in ("category", "text") or not _are_texts(texts):
            continue
        if kinds[name] == "date":
            order = dates or _usual_order(texts.dropna().tolist())
            inputs.append(ColumnInput(name, "date", dates=order))
            continue
        values = _parse(table, name, kinds[name])
        if not all(_is_of_kind(value, kinds[name]) for value in values):
            frame[name] = np.array(values, dtype=object)
    return frame, inputs


def _is_of_kind(value: object, kind: str) -> bool:
    """Whether a parsed cell is missing or of a kind; 2 is a number, and no truth value."""
    if kind == "boolean" and value is not None:
        return value in (0, 1)
    return not isinstance(value, str)


def _parse(table: Table, name: str, kind: str) -> list[Any]:
    """Return a column of texts as loaders read it; what is of another kind stays a text."""
    cells = pa.chunked_array([pa.array(table.frame[name], pa.string(), from_pandas=True)])
    parsed = parse_text(ColumnInput(name, kind), cells, table.schema.csv)
    return list(parsed.to_pylist() if hasattr(parsed, "to_pylist") else parsed)


def _are_texts(values: pd.Series) -> bool:
    return pd.api.types.infer_dtype(values, skipna=True) in ("string", "empty")


def _usual_order(texts: list[str]) -> str:
    """Return the order in which most of the dates exist, ISO where most are written so."""
    orders = ("iso", "day-first", "month-first")
    counts = [sum(as_micros(text, order) is not None for text in texts) for order in orders]
    return orders[counts.index(max(counts))]


def _kind_mismatches(
    contract: DataContract,
    table: Table,
    invalid: Collection[str],
    reported: Sequence[Violation],
) -> list[Violation]:
    """Return the columns that a loader read as another kind, although their cells would do."""
    skipped = {*invalid, *(violation.column for violation in reported)}
    violations = []
    for column in table.schema.columns:
        rule = contract.columns.get(column.name)
        if rule is None or column.name in skipped or rule.kind == column.kind:
            continue
        if not (rule.kind in NUMERIC and column.kind in NUMERIC):
            expected = f"is read as {column.kind}, expected {rule.kind}"
            violations.append(Violation(column.name, "read", expected, len(table), len(table)))
    return violations
