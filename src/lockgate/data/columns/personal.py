"""Column names that indicate personal data."""

from __future__ import annotations

import itertools
import re

__all__ = ["is_personal"]

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
