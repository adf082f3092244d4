"""Which input columns the prediction log contains."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from typing import Protocol

__all__ = ["is_personal", "logged_columns"]


class InputColumn(Protocol):
    """A column with a name and a kind: `Column` of a schema, `ColumnInput` of a packed model."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...


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
"""Words in column names that indicate personal data; `--log-inputs all` logs them all the same."""

ID_QUALIFIERS = frozenset(
    {"citizen", "insurance", "national", "person", "personal", "social", "tax"}
)
"""Words that indicate personal data together with ``id``, ``number`` or ``no``."""


def is_personal(name: str) -> bool:
    """Whether a column's name indicates personal data.

    Examples
    --------
    >>> [is_personal(name) for name in ("customerEmail", "e_mail", "taxId", "monthly_charge")]
    [True, True, True, False]

    """
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    parts = re.findall(r"[a-z]+", spaced.lower())
    # e_mail and first_name are listed as one word
    pairs = {a + b for a, b in itertools.pairwise(parts)}
    numbered = bool({"id", "number", "no", "nr"} & set(parts))
    return bool(PERSONAL & (set(parts) | pairs)) or (numbered and bool(ID_QUALIFIERS & set(parts)))


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
