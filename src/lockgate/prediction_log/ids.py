"""Ids: one for every response, never given twice, and telling where to look."""

from __future__ import annotations

import base64
import os
import re
import secrets
import time
from collections.abc import Callable

__all__ = ["PredictionIds", "parse_prediction_id"]

ID_PATTERN = re.compile(r"([a-z2-7]{16})-([0-9a-f]{1,12})(?:\.([0-9]{1,9}))?")


class PredictionIds:
    """Counts what a worker answers.

    An id is the worker's own name, made of the time it began and of random
    bits, and a count. The log keeps a file for each worker's name, ordered by
    the count: an id says where its answer lies.

    Parameters
    ----------
    clock : callable
        Seconds since 1970, UTC.

    Attributes
    ----------
    boot : str
        The worker's name, 16 letters and digits.
    count : int
        Ids given so far.

    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        raw = int(clock()).to_bytes(5, "big") + secrets.token_bytes(5)
        self.boot = base64.b32encode(raw).decode().lower()
        self.count = 0
        self._prefix = f"{self.boot}-"
        os.register_at_fork(after_in_child=self._forbid)

    def _forbid(self) -> None:
        """Two processes that count alike would give an id twice."""
        self._prefix = ""

    def next(self) -> str:
        """Give an id."""
        self.count += 1
        return f"{self._prefix}{self.count:x}"


def parse_prediction_id(text: str) -> tuple[str, int, int]:
    """Take an id apart: the worker, the count, and the row of the request.

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> parse_prediction_id("abandonwhat23456-1f.3")
    ('abandonwhat23456', 31, 3)

    """
    match = ID_PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:80]!r} is no prediction id, e.g. abandonwhat23456-1f")
    return match[1], int(match[2], 16), int(match[3] or 0)
