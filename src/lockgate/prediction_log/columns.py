"""Which input columns the prediction log contains."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from lockgate.data.columns.personal import is_personal

__all__ = ["logged_columns", "shown_columns"]


class InputColumn(Protocol):
    """A column with a name and a kind: `Column` of a schema, `ColumnInput` of a packed model."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...


def logged_columns(
    columns: Iterable[InputColumn], which: str, redact: Iterable[str]
) -> tuple[str, ...]:
    """Return the names of the input columns that are logged.

    Parameters
    ----------
    columns : iterable of InputColumn
        Input columns of the model.
    which : {"safe", "all", "none"}
        Columns to log; ``safe`` omits texts and names that indicate personal data.
    redact : iterable of str
        Names of columns that are never logged.

    Examples
    --------
    >>> from lockgate.contract.tables import Column
    >>> columns = [Column("age", "number"), Column("e_mail", "category"), Column("note", "text")]
    >>> logged_columns(columns, "safe", []), logged_columns(columns, "all", ["note"])
    (('age',), ('age', 'e_mail'))

    """
    if which == "none":
        return ()
    never = set(redact)
    return tuple(
        column.name
        for column in columns
        if column.name not in never
        and (which == "all" or (column.kind != "text" and not is_personal(column.name)))
    )


def shown_columns(
    columns: Iterable[InputColumn], which: str, redact: Iterable[str]
) -> frozenset[str]:
    """Return the names of the columns whose values pages of the server may show.

    Those that are logged; where nothing is logged, those that would be by default.
    """
    return frozenset(logged_columns(columns, "safe" if which == "none" else which, redact))
