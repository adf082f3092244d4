"""Tables, and the kinds and roles of their columns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from lockgate.contract.requests import Request

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = [
    "MISSING_TEXTS",
    "ROLES",
    "CSVFormat",
    "Column",
    "Fold",
    "LoadRequest",
    "Schema",
    "Splits",
    "Table",
]

ColumnKind = Literal["number", "integer", "boolean", "category", "date", "text"]

DateOrder = Literal["iso", "day-first", "month-first"]

MISSING_TEXTS = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
)
"""Texts that stand for missing values in CSV files, as in pandas."""

ROLES = ("target", "id", "time", "group", "value", "weight")
"""Roles of columns; a column without a role is a feature."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    name : str
        Name of the column.
    kind : {"number", "integer", "boolean", "category", "date", "text"}
        Kind of its values.
    dtype : str
        Name of its pandas dtype.
    categories : tuple of str
        Known categories, sorted; empty for other kinds.
    bounds : tuple of float or None
        Smallest and largest training value; None where unknown.
    missing : {"allow", "refuse"}
        Whether values may be missing.
    unknown : {"ignore", "refuse"}
        Whether an unknown category is treated as none of the categories, or rejected.
    dates : {"iso", "day-first", "month-first"}
        Of a column of dates: how texts like 02/07/2024 are read; "iso" rejects them.
    bits : {64, 32, 16}
        Of a column of numbers: size of the floats that training had. Later cells are rounded to
        it, so that 0.1 is the same number in a file and in an array of 32 bits.

    """

    name: str
    kind: ColumnKind
    dtype: str = ""
    categories: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    missing: Literal["allow", "refuse"] = "allow"
    unknown: Literal["ignore", "refuse"] = "ignore"
    dates: DateOrder = "iso"
    bits: int = 64


@dataclass(frozen=True)
class CSVFormat:
    """How a CSV file is written; a bundle remembers it, so that like files can be predicted.

    Attributes
    ----------
    encoding : str
        Name of the encoding, as Python knows it, e.g. ``cp1252``.
    delimiter : str
        Character between cells; by default a tab in files that end in ``.tsv``, else a comma.
    decimal : {".", ","}
        Decimal separator of numbers.
    thousands : str
        Separator between groups of three digits of numbers; none by default.
    quote : str
        Character around cells that contain a delimiter or a line break.
    missing : tuple of str
        Texts that stand for missing values, unless the column has such a category.

    """

    encoding: str = "utf-8"
    delimiter: str = ""
    decimal: Literal[".", ","] = "."
    thousands: str = ""
    quote: str = '"'
    missing: tuple[str, ...] = MISSING_TEXTS


@dataclass(frozen=True)
class Schema:
    """The columns of a table and their roles.

    Attributes
    ----------
    columns : tuple of Column
        All columns, in order.
    target : str, tuple of str, or None
        The column to predict, or the columns of numbers that a model predicts together.
    id : str or None
        Identifier of the row, e.g. of a customer; never a feature.
    time : str or None
        Time at which the features of a row were known.
    group : str or None
        Group of the row; only a split by time separates rows of a group.
    value : str or None
        Money at stake in the row.
    weight : str or None
        Weight of the row.
    horizon_days : int
        Days after `time` until the target of a row is known.
    csv : CSVFormat
        How CSV files with these columns are written.

    """

    columns: tuple[Column, ...]
    target: str | tuple[str, ...] | None = None
    id: str | None = None
    time: str | None = None
    group: str | None = None
    value: str | None = None
    weight: str | None = None
    horizon_days: int = 0
    csv: CSVFormat = CSVFormat()

    def __getitem__(self, name: str) -> Column:
        """Return the column of that name; raise KeyError for an unknown one."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns."""
        return tuple(column.name for column in self.columns)

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the columns to predict: none, the target, or several."""
        if self.target is None:
            return ()
        return (self.target,) if isinstance(self.target, str) else self.target

    @property
    def features(self) -> tuple[Column, ...]:
        """Columns without a role, in order: the inputs of a model."""
        taken = {getattr(self, role) for role in ROLES if role != "target"} | {*self.targets}
        return tuple(column for column in self.columns if column.name not in taken)

    def with_columns(self, columns: tuple[Column, ...]) -> Schema:
        """Return a schema of these columns with the same roles."""
        return replace(self, columns=columns)


@dataclass(frozen=True)
class Table:
    """A frame with its schema.

    Attributes
    ----------
    frame : pandas.DataFrame, shape (rows, columns)
        The rows; a plugin must not change it in place.
    schema : Schema
        Kinds and roles of the columns.
    digest : str
        sha256 of content and schema, equal for equal tables; empty where it was not computed.

    """

    frame: pd.DataFrame
    schema: Schema
    digest: str = ""

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.frame)

    @property
    def features(self) -> pd.DataFrame:
        """The feature columns only, shape (rows, features)."""
        return self.frame[[column.name for column in self.schema.features]]

    @property
    def target(self) -> np.ndarray:
        """The target, shape (rows,), or the numbers of several, shape (rows, targets)."""
        name = self.schema.target
        if name is None:
            raise KeyError("this table has no target")
        values = self.frame[name if isinstance(name, str) else list(name)]
        return values.to_numpy() if isinstance(name, str) else values.to_numpy(dtype=float)

    @property
    def groups(self) -> np.ndarray | None:
        """Group of each row, shape (rows,); None without a group column."""
        name = self.schema.group
        return None if name is None else self.frame[name].to_numpy()

    @property
    def weight(self) -> np.ndarray | None:
        """Row weights, shape (rows,); None without a weight column."""
        name = self.schema.weight
        return None if name is None else self.frame[name].to_numpy()


@dataclass(frozen=True)
class Fold:
    """A fold of a cross-validation: indices of rows to fit on and to measure on."""

    fit: np.ndarray
    measure: np.ndarray


@dataclass(frozen=True)
class Splits:
    """A table split without leakage.

    Attributes
    ----------
    train : Table
        Rows to fit on.
    tune : Table
        Rows to choose thresholds and compression on.
    test : Table
        Held-out rows; only the evaluate stage reads them.
    folds : tuple of Fold
        Folds of `train`.
    dropped : dict
        Number of rows that were left out of all splits, by reason.

    """

    train: Table
    tune: Table
    test: Table
    folds: tuple[Fold, ...] = ()
    dropped: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LoadRequest(Request):
    """The rows to load.

    Attributes
    ----------
    root : str
        Directory of the project, which relative paths refer to.
    since, until : str or None
        ISO dates; rows outside [since, until) are not needed. A loader may ignore
        them: the host filters by the time column afterwards.
    kinds : dict of str to str
        Kinds that the project declares for columns. A loader of text files reads the cells so:
        a category keeps its text, 01067 and not 1067.

    """

    root: str = "."
    since: str | None = None
    until: str | None = None
    kinds: dict[str, str] = field(default_factory=dict)
