"""What violates a data contract, counted by column and rule; counts of parts can be added."""

from __future__ import annotations

import msgspec

from lockgate.data.data_contract.rules import DataContract

__all__ = ["MAX_EXAMPLES", "CheckedRows", "Violation"]

MAX_EXAMPLES = 3


class Violation(msgspec.Struct, frozen=True):
    """What violates a rule of a column.

    Attributes
    ----------
    column : str
        Name of the column.
    rule : {"kind", "missing", "min", "max", "values", "unique", "absent", "other", "read"}
        The rule; "read": a loader read the column as another kind.
    expected : str
        What the rule expects, as text.
    count, rows : int
        Rows that violate it, of so many.
    examples : list of str
        Some of their values, those of personal data left out.

    """

    column: str
    rule: str
    expected: str
    count: int
    rows: int
    examples: list[str] = []

    def __str__(self) -> str:
        """Return a sentence."""
        if self.rule in ("absent", "other", "read"):
            return f"column {self.column} {self.expected}"
        if self.rule == "missing":
            percent = f"{100 * self.count / self.rows:.3g}%"
            share = f"{self.count:,} of {self.rows:,} cells ({percent}) are missing"
            return f"column {self.column}: {share}, expected {self.expected}"
        examples = f", such as {', '.join(self.examples)}" if self.examples else ""
        return (
            f"column {self.column}: {self.count:,} of {self.rows:,} cells{examples}, "
            f"expected {self.expected}"
        )

    def __add__(self, other: Violation) -> Violation:
        """Return the violation of the same rule in the rows of both."""
        examples = list(dict.fromkeys([*self.examples, *other.examples]))[:MAX_EXAMPLES]
        return msgspec.structs.replace(
            self, count=self.count + other.count, rows=self.rows + other.rows, examples=examples
        )


class CheckedRows(msgspec.Struct, frozen=True):
    """Counts of rows that were checked; those of parts can be added.

    Attributes
    ----------
    rows : int
        Number of rows.
    missing : dict of str to int
        Missing cells by column.
    cells : list of Violation
        Violations of single cells; the share of missing cells is judged for all rows together.

    """

    rows: int = 0
    missing: dict[str, int] = {}
    cells: list[Violation] = []

    def __add__(self, other: CheckedRows) -> CheckedRows:
        """Return the counts of both."""
        rows = self.rows + other.rows
        by_rule = {(v.column, v.rule): v for v in self.cells}
        for violation in other.cells:
            key = violation.column, violation.rule
            by_rule[key] = by_rule[key] + violation if key in by_rule else violation
        names = self.missing.keys() | other.missing.keys()
        return CheckedRows(
            rows,
            {name: self.missing.get(name, 0) + other.missing.get(name, 0) for name in names},
            [msgspec.structs.replace(violation, rows=rows) for violation in by_rule.values()],
        )

    def violations(self, contract: DataContract) -> list[Violation]:
        """Return all violations, in the order of the contract's columns."""
        violations = list(self.cells)
        for name, count in self.missing.items():
            limit = contract.columns[name].missing
            if limit > 0 and count > limit * self.rows:
                expected = f"at most {100 * limit:.3g}% missing"
                violations.append(Violation(name, "missing", expected, count, self.rows))
        order = {name: k for k, name in enumerate(contract.columns)}
        return sorted(violations, key=lambda violation: order[violation.column])
