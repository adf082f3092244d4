"""Which inputs the prediction log keeps."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

__all__ = ["PERSONAL", "kept_columns"]

PERSONAL = re.compile(
    r"(^|[^a-z])(e?mail|phone|mobile|first_?name|last_?name|surname|full_?name|user_?name|address"
    r"|street|ssn|passport|iban|bic|card_?(no|number)|birth|dob|ip(_?addr.*)?|lat(itude)?"
    r"|lon(gitude)?|password|token)([^a-z]|$)",
    re.IGNORECASE,
)
"""Names of columns that point to a person; not kept unless all are asked for."""


def kept_columns(columns: Iterable[Any], which: str, redact: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the inputs that are kept.

    Parameters
    ----------
    columns : iterable
        Inputs with `name` and `kind`.
    which : {"safe", "all", "none"}
        ``safe`` leaves out texts, and names that point to a person.
    redact : iterable of str
        Names that are never kept.

    Examples
    --------
    >>> from lockgate.spec.tables import Column
    >>> columns = [Column("age", "number"), Column("e_mail", "category"), Column("note", "text")]
    >>> kept_columns(columns, "safe", []), kept_columns(columns, "all", ["note"])
    (('age',), ('age', 'e_mail'))

    """
    if which == "none":
        return ()
    never = set(redact)
    return tuple(
        one.name
        for one in columns
        if one.name not in never
        and (which == "all" or (one.kind != "text" and not PERSONAL.search(one.name)))
    )
