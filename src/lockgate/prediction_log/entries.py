"""What the prediction log holds."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

__all__ = ["LogEntry", "Model", "key_text", "read_models"]


class Model(msgspec.Struct, frozen=True):
    """Who answered.

    Attributes
    ----------
    digest, name, version, stage : str
        The bundle and what it was served as.
    columns : tuple of str
        Inputs that are kept, in order.

    """

    digest: str
    name: str
    version: str
    stage: str
    columns: tuple[str, ...]


class LogEntry(msgspec.Struct, frozen=True, array_like=True):
    """One answered request.

    Attributes
    ----------
    count : int
        The count of its id.
    rows : int
        How many rows; 0 for a single one, whose values stand by themselves.
    inputs : sequence
        Values of the model's kept columns; of several rows: for each column its values.
    label, score, margin : object
        What was answered.
    key : object
        The caller's key, or keys.
    trace : str
        W3C trace context of the request.

    """

    count: int
    rows: int
    inputs: Any
    label: Any
    score: Any = None
    margin: Any = None
    key: Any = None
    trace: str = ""


def read_models(connection: sqlite3.Connection) -> dict[int, Model]:
    """Read who answered in a file of the log, by number."""
    rows = connection.execute("SELECT number, digest, name, version, stage, columns FROM models")
    return {
        number: Model(digest, name, version, stage, tuple(msgspec.json.decode(columns)))
        for number, digest, name, version, stage, columns in rows
    }


def key_text(key: Any) -> str:
    """Return a caller's key as it is compared: 17, 17.0 and "17" are one.

    Examples
    --------
    >>> key_text(17.0), key_text("17"), key_text("a-17")
    ('17', '17', 'a-17')

    """
    if isinstance(key, float) and key.is_integer():
        key = int(key)
    return str(key)[:200]
