"""Formats of records: one that a later lockgate wrote is named as such."""

from __future__ import annotations

import msgspec

__all__ = ["FORMAT", "describe_unreadable"]

FORMAT = 1
"""The format of every record that this lockgate writes; its key is ``v``."""


class _Versioned(msgspec.Struct):
    v: int = FORMAT


def describe_unreadable(raw: bytes, error: Exception) -> str:
    """Return why a record cannot be read, for a message that names the record.

    Examples
    --------
    >>> describe_unreadable(b'{"v": 2, "new": 1}', ValueError("unknown field"))
    'has format 2, and this lockgate reads 1: upgrade lockgate'

    """
    try:
        version = msgspec.json.decode(raw, type=_Versioned).v
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        version = FORMAT
    if version > FORMAT:
        return f"has format {version}, and this lockgate reads {FORMAT}: upgrade lockgate"
    return f"cannot be read: {str(error)[:200]}"
