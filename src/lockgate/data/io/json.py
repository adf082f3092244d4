"""Messages for JSON that cannot be decoded."""

from __future__ import annotations

import re

__all__ = ["describe_non_finite"]

TOKEN = re.compile(rb'"((?:[^"\\]|\\.)*)"(\s*:)?|(?<![\w.])(-?(?:NaN|Infinity|inf|nan))(?![\w.])')
"""A string, with the colon behind a key, or a number that JSON does not have."""


def describe_non_finite(raw: bytes | memoryview) -> str | None:
    """Return where JSON has NaN or Infinity, which many encoders write; None where it has none.

    Examples
    --------
    >>> describe_non_finite(b'{"row": {"a": NaN}}')
    'NaN is not valid JSON (byte 14, value of "a"); write null for a missing value'

    """
    key = ""
    for match in TOKEN.finditer(raw):
        text, colon, number = match.groups()
        if number is None:
            key = text.decode("utf-8", "replace") if colon else key
            continue
        position = f"byte {match.start()}" + (f', value of "{key[:80]}"' if key else "")
        name = number.decode()
        remedy = "write null for a missing value" if "a" in name else "numbers must be finite"
        return f"{name} is not valid JSON ({position}); {remedy}"
    return None
