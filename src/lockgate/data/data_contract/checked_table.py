"""A table as its data contract says, or else as its cells say, to report what differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pandas as pd

from lockgate.contract.tables import Table
from lockgate.data.data_contract.rules import DataContract
from lockgate.data.data_contract.violations import Violation, check_contract
from lockgate.errors import SchemaViolation

__all__ = ["load_with_contract"]

NUMERIC = ("number", "integer")
TRUTHS = {"true": True, "false": False}


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
    kinds: dict[str, str] = {name: rule.kind for name, rule in contract.columns.items()}
    kinds.update(declared)
    try:
        table = load(kinds)
    except SchemaViolation:  # a cell or a column is not what the contract says: report all
        table = load(declared)
        frame = _cells_of_kind(table, contract)
        if violations := check_contract(contract, frame):
            return replace(table, frame=frame), violations
        # columns that may be absent are
        table = load({name: kinds[name] for name in kinds if name in table.schema.names})
    violations = check_contract(contract, table.frame)
    reported = {violation.column for violation in violations}
    return table, violations + _other_kinds(contract, table, reported)


def _cells_of_kind(table: Table, contract: DataContract) -> pd.DataFrame:
    """Return the frame, in columns of texts those cells converted that are of the contract's kind.

    A single word makes a column of numbers in a text file a column of texts.
    """
    frame, csv = table.frame.copy(), table.schema.csv
    for column in table.schema.columns:
        rule = contract.columns.get(column.name)
        if rule is None or column.kind not in ("category", "text"):
            continue
        texts = frame[column.name]
        if rule.kind in NUMERIC:
            plain = texts.str.replace(csv.thousands, "", regex=False) if csv.thousands else texts
            cells = pd.to_numeric(plain.str.replace(csv.decimal, "."), errors="coerce")
        elif rule.kind == "boolean":
            cells = texts.str.lower().map(TRUTHS)
        else:
            continue
        frame[column.name] = cells.astype(object).where(cells.notna(), texts.astype(object))
    return frame


def _other_kinds(contract: DataContract, table: Table, reported: set[str]) -> list[Violation]:
    """Return the columns that a loader read as another kind, although their cells would do."""
    violations = []
    for column in table.schema.columns:
        rule = contract.columns.get(column.name)
        if rule is None or column.name in reported or rule.kind == column.kind:
            continue
        if not (rule.kind in NUMERIC and column.kind in NUMERIC):
            expected = f"is read as {column.kind}, expected {rule.kind}"
            violations.append(Violation(column.name, "read", expected, len(table), len(table)))
    return violations
