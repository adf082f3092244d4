"""Formats of records: one that a later lockgate wrote is named as such."""

from __future__ import annotations

from typing import TypeVar

import msgspec

__all__ = ["FORMAT", "UnreadableRecord", "decode_record"]

FORMAT = 1
"""The format of every record that this lockgate writes; its key is ``v``."""

T = TypeVar("T")


class UnreadableRecord(ValueError):
    """A record cannot be read; the message goes on after what names the record."""


class _Versioned(msgspec.Struct):
    v: int = FORMAT


def decode_record(raw: bytes, form: type[T]) -> T:
    """Read a record from JSON.

    Parameters
    ----------
    raw : bytes
        The record.
    form : type
        Its type.

    Raises
    ------
    UnreadableRecord
        If it is not of that type, or its format is not `FORMAT`.

    Examples
    --------
    >>> from lockgate.registry.provenance.policy import StagePolicy
    >>> decode_record(b'{"v": 1, "stage": "prod", "gates": {}}', StagePolicy).stage
    'prod'

    """
    try:
        record = msgspec.json.decode(raw, type=form)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        problem = f"cannot be read: {str(error)[:200]}"
        version = _format_of(raw)
    else:
        version = getattr(record, "v", FORMAT)
        if version == FORMAT:
            return record
        problem = f"has the unknown format {version}"
    if version > FORMAT:
        problem = f"has format {version}, and this lockgate reads {FORMAT}: upgrade lockgate"
    raise UnreadableRecord(problem)


def _format_of(raw: bytes) -> int:
    try:
        return msgspec.json.decode(raw, type=_Versioned).v
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return FORMAT
