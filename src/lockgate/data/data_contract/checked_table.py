"""A table as its data contract says, or else as its cells say, to report what differs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
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
        loaded = {column.name: column.kind for column in table.schema.columns}
        present = {name: kinds[name] for name in kinds if name in loaded}
        invalid = {
            name
            for name in present
            if loaded[name] != kinds[name] and not _can_load(load, {**declared, name: kinds[name]})
        }
        valid = {name: kind for name, kind in present.items() if name not in invalid}
        table = load({**valid, **declared})
        table = replace(table, frame=_cells_of_kind(table, present, invalid))
        violations = check_contract(contract, table.frame)
        if invalid - {violation.column for violation in violations}:
            load(kinds)  # raises what the loader says of the column
        return table, violations + _other_kinds(contract, table, invalid, violations)
    violations = check_contract(contract, table.frame)
    return table, violations + _other_kinds(contract, table, (), violations)


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
