"""Entries of the prediction log, and the models that they refer to."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Any

import msgspec

__all__ = ["LogEntry", "Model", "Scalar", "key_text", "read_models"]

MAX_KEY = 200
"""Characters of a key that is logged as it is."""

Scalar = str | int | float | bool
"""A class, a label or a predicted value."""


class Model(msgspec.Struct, frozen=True):
    """The model that predicted.

    Attributes
    ----------
    digest, name, version, stage : str
        The bundle, and the name, version and stage that it was served as.
    columns : tuple of str
        Input columns that are logged, in order.

    """

    digest: str
    name: str
    version: str
    stage: str
    columns: tuple[str, ...]


class LogEntry(msgspec.Struct, frozen=True, array_like=True):
    """One predict request and its predictions.

    Attributes
    ----------
    count : int
        Count in its prediction id.
    rows : int
        Number of rows; 0 for a single row, whose values are not in lists.
    inputs : sequence
        Values of the logged columns; of several rows, a list of values for each column.
    label, score, margin : object
        Prediction.
    key : object
        The client's key, or one key for each row.
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
    """Read the models of a log file, by number."""
    rows = connection.execute("SELECT number, digest, name, version, stage, columns FROM models")
    return {
        number: Model(digest, name, version, stage, tuple(msgspec.json.decode(columns)))
        for number, digest, name, version, stage, columns in rows
    }


def key_text(key: object) -> str:
    """Return a client's key as text for comparison: 17, 17.0 and "17" are equal.

    Long keys are replaced by their digest, so that no two of them are taken for one.

    Examples
    --------
    >>> key_text(17.0), key_text("17"), key_text("a-17")
    ('17', '17', 'a-17')

    """
    if isinstance(key, float) and key.is_integer():
        key = int(key)
    text = str(key)
    if len(text) <= MAX_KEY:
        return text
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
