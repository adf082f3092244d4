"""A table as its data contract says, or else as its cells say, to report what differs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from lockgate.contract.tables import ROLES, Table
from lockgate.data.data_contract.rules import DataContract
from lockgate.data.data_contract.violations import Violation, check_frame
from lockgate.data.schema import UnknownColumns, build_table
from lockgate.errors import SchemaViolation, UsageError

__all__ = ["as_table", "check_contract", "load_with_contract"]

NUMERIC = ("number", "integer")
TRUTHS = {"true": True, "false": False}


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
    names = {str(name) for name in rows}
    known = {name: kind for name, kind in (kinds or {}).items() if name in names}
    return build_table(rows, dict.fromkeys(ROLES), known)


def load_with_contract(
    load: Callable[[Mapping[str, str]], Table], contract: DataContract, declared: Mapping[str, str]
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

    Returns
    -------
    Table
        Read by the contract's kinds; if cells are of other kinds, as these cells are.
    list of Violation
        Empty if the table holds what the contract says.

    """
    kinds = {name: rule.kind for name, rule in contract.columns.items()} | dict(declared)
    invalid: set[str] = set()
    try:
        table, kinds = _load_present(load, kinds)
    except SchemaViolation:  # a cell or a column is not what the contract says: report all
        texts = _load_present(load, dict.fromkeys(kinds, "category"))[1]
        kinds = {name: kinds[name] for name in texts}
        invalid = {
            name for name, kind in kinds.items() if not _can_load(load, {**texts, name: kind})
        }
        table = load({**kinds, **dict.fromkeys(invalid, "category")})
        table = replace(table, frame=_cells_of_kind(table, kinds, invalid))
    violations = check_frame(contract, table.frame)
    if invalid - {violation.column for violation in violations}:
        load(kinds)  # raises what the loader says of the column
    return table, violations + _other_kinds(contract, table, invalid, violations)


def _load_present(
    load: Callable[[Mapping[str, str]], Table], kinds: dict[str, str]
) -> tuple[Table, dict[str, str]]:
    """Load a table, and return the kinds of the columns that it has as well."""
    try:
        return load(kinds), kinds
    except UnknownColumns as error:
        kinds = {name: kind for name, kind in kinds.items() if name not in error.names}
        return load(kinds), kinds


def _can_load(load: Callable[[Mapping[str, str]], Table], kinds: Mapping[str, str]) -> bool:
    try:
        load(kinds)
    except SchemaViolation:
        return False
    return True


def _cells_of_kind(
    table: Table, kinds: Mapping[str, str], invalid: Collection[str]
) -> pd.DataFrame:
    """Return the frame, in columns that cannot be loaded the cells converted that could be.

    A single word makes a column of numbers in a text file a column of texts. Where no text is
    another word, they are texts in a typed file.
    """
    frame, csv = table.frame.copy(), table.schema.csv
    for name in invalid:
        if table.schema[name].kind not in ("category", "text"):
            continue
        texts = frame[name]
        if kinds[name] in NUMERIC:
            plain = texts.str.replace(csv.thousands, "", regex=False) if csv.thousands else texts
            cells = pd.to_numeric(plain.str.replace(csv.decimal, "."), errors="coerce")
        elif kinds[name] == "boolean":
            cells = texts.str.lower().map(TRUTHS)
        else:
            continue
        if (cells.isna() & texts.notna()).any():
            frame[name] = cells.astype(object).where(cells.notna(), texts.astype(object))
    return frame


def _other_kinds(
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
