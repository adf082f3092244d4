"""Tables and what their columns mean."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from lockgate.contract.requests import Request

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["ROLES", "Column", "Fold", "LoadRequest", "Schema", "Splits", "Table"]

ColumnKind = Literal["number", "integer", "boolean", "category", "date", "text"]

ROLES = ("target", "id", "time", "group", "value", "weight")
"""What a column can be besides a feature."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    name : str
        Name of the column.
    kind : {"number", "integer", "boolean", "category", "date", "text"}
        What its values are.
    dtype : str
        Name of its pandas dtype.
    categories : tuple of str
        Known categories, sorted; empty for other kinds.
    bounds : tuple of float or None
        Smallest and largest value seen in training; None where unknown.
    missing : {"allow", "refuse"}
        Whether a value may be absent.
    unknown : {"ignore", "refuse"}
        What an unseen category means: no category, or an error.

    """

    name: str
    kind: ColumnKind
    dtype: str = ""
    categories: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    missing: Literal["allow", "refuse"] = "allow"
    unknown: Literal["ignore", "refuse"] = "ignore"


@dataclass(frozen=True)
class Schema:
    """The columns of a table and their roles.

    Attributes
    ----------
    columns : tuple of Column
        All columns, in order.
    target : str or None
        The column to predict.
    id : str or None
        What the row is about, e.g. a customer; never a feature.
    time : str or None
        When the features of a row were known.
    group : str or None
        Rows that belong together; only a split by time takes them apart.
    value : str or None
        Money at stake in a row.
    weight : str or None
        How much a row counts.
    horizon_days : int
        Days after `time` until the target of a row is known.

    """

    columns: tuple[Column, ...]
    target: str | None = None
    id: str | None = None
    time: str | None = None
    group: str | None = None
    value: str | None = None
    weight: str | None = None
    horizon_days: int = 0

    def __getitem__(self, name: str) -> Column:
        """Return the column of that name; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns."""
        return tuple(column.name for column in self.columns)

    @property
    def features(self) -> tuple[Column, ...]:
        """Columns without a role, in order: what a model may see."""
        taken = {getattr(self, role) for role in ROLES}
        return tuple(column for column in self.columns if column.name not in taken)

    def with_columns(self, columns: tuple[Column, ...]) -> Schema:
        """Return the same roles over other columns."""
        return replace(self, columns=columns)


@dataclass(frozen=True)
class Table:
    """Rows with their meaning.

    Attributes
    ----------
    frame : pandas.DataFrame, shape (rows, columns)
        The data; a plugin must not change it in place.
    schema : Schema
        What the columns mean.
    digest : str
        sha256 of content and schema, so that equal tables can be recognised.

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
        """The target, shape (rows,)."""
        if self.schema.target is None:
            raise KeyError("this table has no target")
        return self.frame[self.schema.target].to_numpy()

    @property
    def groups(self) -> np.ndarray | None:
        """What rows belong together, shape (rows,), or None where all are on their own."""
        name = self.schema.group
        return None if name is None else self.frame[name].to_numpy()

    @property
    def weight(self) -> np.ndarray | None:
        """Row weights, shape (rows,), or None where all count the same."""
        name = self.schema.weight
        return None if name is None else self.frame[name].to_numpy()


@dataclass(frozen=True)
class Fold:
    """One split for cross-validation: row positions to fit on and to measure on."""

    fit: np.ndarray
    measure: np.ndarray


@dataclass(frozen=True)
class Splits:
    """A table taken apart so that nothing leaks.

    Attributes
    ----------
    train : Table
        To fit on.
    tune : Table
        To decide thresholds and compression on.
    test : Table
        Read once, by the evaluate stage.
    folds : tuple of Fold
        Positions in `train`.
    dropped : dict
        Rows that no part may hold, counted by reason.

    """

    train: Table
    tune: Table
    test: Table
    folds: tuple[Fold, ...] = ()
    dropped: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LoadRequest(Request):
    """What a loader is asked for.

    Attributes
    ----------
    root : str
        Directory of the project; relative paths start there.
    since, until : str or None
        ISO dates; rows outside of [since, until) are not needed. The host
        filters by the time column afterwards, so a loader may ignore them.

    """

    root: str = "."
    since: str | None = None
    until: str | None = None
