"""Which inputs the prediction log keeps."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from typing import Any

__all__ = ["is_personal", "logged_columns"]

PERSONAL = frozenset(
    {
        "address",
        "addresses",
        "bic",
        "birth",
        "birthdate",
        "birthday",
        "card",
        "cell",
        "cellphone",
        "dob",
        "email",
        "emails",
        "fax",
        "firstname",
        "forename",
        "fullname",
        "gps",
        "iban",
        "ip",
        "lastname",
        "lat",
        "latitude",
        "lng",
        "lon",
        "longitude",
        "maiden",
        "mail",
        "mobile",
        "name",
        "names",
        "nickname",
        "passport",
        "password",
        "phone",
        "phones",
        "postal",
        "postcode",
        "secret",
        "ssn",
        "street",
        "surname",
        "telephone",
        "token",
        "username",
        "zip",
        "zipcode",
    }
)
"""Words in names of columns that point to a person; such columns are not kept unless asked for."""

ID_QUALIFIERS = frozenset(
    {"citizen", "insurance", "national", "person", "personal", "social", "tax"}
)
"""Words that do so together with ``id``, ``number`` or ``no``."""


def is_personal(name: str) -> bool:
    """Whether a column's name points to a person.

    Examples
    --------
    >>> [is_personal(name) for name in ("customerEmail", "e_mail", "taxId", "monthly_charge", "plan")]
    [True, True, True, False, False]

    """
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    parts = re.findall(r"[a-z]+", spaced.lower())
    pairs = {a + b for a, b in itertools.pairwise(parts)}
    numbered = bool({"id", "number", "no", "nr"} & set(parts))
    return bool(PERSONAL & (set(parts) | pairs)) or (numbered and bool(ID_QUALIFIERS & set(parts)))


def logged_columns(columns: Iterable[Any], which: str, redact: Iterable[str]) -> tuple[str, ...]:
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
