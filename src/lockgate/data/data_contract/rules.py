"""The rules of a data contract: one for each column."""

from __future__ import annotations

import math
import re
from typing import Any, Literal, get_args

import msgspec

from lockgate.contract.tables import ColumnKind
from lockgate.data.columns.dates import DAY, ISO_DATE, MISSING_DATE, as_micros
from lockgate.data.columns.inputs import ColumnInput
from lockgate.errors import UsageError
from lockgate.suggestions import nearest

__all__ = ["FORMAT", "ColumnRule", "DataContract"]

FORMAT = 1


class ColumnRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a column must hold.

    Attributes
    ----------
    kind : {"number", "integer", "boolean", "category", "date", "text"}
        Kind of its cells.
    missing : float
        Largest share of missing cells, from 0 to 1; with 0 each missing cell is a violation.
    min, max : float, str or None
        Smallest and largest value of a number, or of a date in ISO form, a day being included as
        a whole; None for no bound.
    values : tuple of str
        Allowed categories; empty for any.
    unique : bool
        Whether no value may occur twice; checked in whole tables only.
    optional : bool
        Whether the column may be absent.
    description : str
        What the column means, for people.

    """

    kind: str
    missing: float = 0.0
    min: float | str | None = None
    max: float | str | None = None
    values: tuple[str, ...] = ()
    unique: bool = False
    optional: bool = False
    description: str = ""

    def cells(self, name: str, dates: str = "iso") -> ColumnInput:
        """Return how the column's cells are read; `dates` says how 02/07/2024 is."""
        return ColumnInput(
            name,
            self.kind,
            unknown="refuse" if self.values else "ignore",
            categories=self.values,
            dates=dates,
        )

    def shown(self, key: Literal["min", "max"]) -> str:
        """Return a bound as people write it: 70, not 70.0."""
        bound: float | str | None = getattr(self, key)
        return str(_whole(bound) if isinstance(bound, float) else bound)

    def bounds(self) -> tuple[float, float]:
        """Return the smallest and largest value; of a date in microseconds since 1970."""
        high = _bound(self.kind, self.max, math.inf)
        if self.kind == "date" and isinstance(self.max, str) and ":" not in self.max:
            high += DAY - 1  # a day ends at its end
        return _bound(self.kind, self.min, -math.inf), high


class DataContract(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a table must hold, column by column.

    Attributes
    ----------
    contract : int
        Version of the format.
    columns : dict of str to ColumnRule
        The rule of each column.
    other_columns : {"refuse", "ignore"}
        Whether a table may have columns without a rule; each of them would become a feature.

    """

    contract: int
    columns: dict[str, ColumnRule]
    other_columns: str = "refuse"

    def plain(self) -> dict[str, Any]:
        """Return the contract as it is written: defaults left out, whole numbers as such."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        for rule in document["columns"].values():
            if not rule.get("missing", True):
                del rule["missing"]
            for key in ("missing", "min", "max"):
                if isinstance(rule.get(key), float):
                    rule[key] = _whole(rule[key])
        return document

    def check(self, source: str) -> None:
        """Raise a `UsageError` unless the rules can be applied.

        Parameters
        ----------
        source : str
            Where the contract was read, for the message.

        """
        problems = [problem for name, rule in self.columns.items() for problem in _find(name, rule)]
        if self.contract != FORMAT:
            problems.insert(0, f"it is of format {self.contract}, expected {FORMAT}")
        if self.other_columns not in ("refuse", "ignore"):
            problems.append(f"other_columns is {self.other_columns!r}, expected refuse or ignore")
        if problems:
            raise UsageError(f"{source}: {'; '.join(problems)}")

    def with_columns(self, columns: dict[str, ColumnRule]) -> DataContract:
        """Return the contract with these rules instead."""
        return msgspec.structs.replace(self, columns=columns)

    def select(self, names: tuple[str, ...]) -> DataContract:
        """Return the rules of some columns, those without a rule left out."""
        return self.with_columns(
            {name: self.columns[name] for name in names if name in self.columns}
        )


def _whole(number: float) -> float:
    """Return a number as an integer if it is a whole one."""
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _find(name: str, rule: ColumnRule) -> list[str]:
    """Return what is wrong with a rule."""
    kinds = get_args(ColumnKind)
    if rule.kind not in kinds:
        hint = nearest(str(rule.kind), kinds)
        return [f"column {name}: unknown kind {rule.kind!r}{hint}; available: {', '.join(kinds)}"]
    problems = []
    if not 0 <= rule.missing <= 1:
        problems.append(f"column {name}: missing is {rule.missing:g}, expected a share from 0 to 1")
    for key, bound in (("min", rule.min), ("max", rule.max)):
        if bound is None:
            continue
        if rule.kind not in ("number", "integer", "date"):
            problems.append(f"column {name}: {key} applies to numbers and dates, not a {rule.kind}")
        elif not math.isfinite(_bound(rule.kind, bound, 0)):
            expected = "a date like 2024-07-02" if rule.kind == "date" else "a finite number"
            problems.append(f"column {name}: {key} is {bound!r}, expected {expected}")
    if not problems and rule.bounds()[0] > rule.bounds()[1]:
        problems.append(f"column {name}: min {rule.shown('min')} is above max {rule.shown('max')}")
    if rule.values and rule.kind != "category":
        problems.append(f"column {name}: values apply to a category, not a {rule.kind}")
    return problems


def _bound(kind: str, bound: float | str | None, default: float) -> float:
    """Return a bound as cells are compared with it; NaN if it is none."""
    if bound is None:
        return default
    if kind == "date":
        is_date = isinstance(bound, str) and re.fullmatch(ISO_DATE, bound.strip())
        micros = as_micros(bound) if is_date else None
        return math.nan if micros is None or micros == MISSING_DATE else float(micros)
    return math.nan if isinstance(bound, str) else bound
