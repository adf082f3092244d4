"""Prediction ids: unique, and sufficient to find the prediction in the log."""

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
    """Generates the ids of one worker.

    An id consists of the worker's name, which is made of its start time and random
    bits, and a count. The log has a folder for each worker's name, with files in
    the order of the count, so an id leads to its prediction.

    Parameters
    ----------
    clock : callable
        Seconds since 1970, UTC.

    Attributes
    ----------
    boot : str
        The worker's name, 16 letters and digits.
    count : int
        Ids generated so far.

    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        raw = int(clock()).to_bytes(5, "big") + secrets.token_bytes(5)
        self.boot = base64.b32encode(raw).decode().lower()
        self.count = 0
        self._prefix = f"{self.boot}-"
        os.register_at_fork(after_in_child=self._forbid)

    def _forbid(self) -> None:
        """Make ids of a forked process invalid: they would repeat those of its parent."""
        self._prefix = ""

    def next(self) -> str:
        """Return a new id."""
        self.count += 1
        return f"{self._prefix}{self.count:x}"


def parse_prediction_id(text: str) -> tuple[str, int, int]:
    """Split an id into the worker's name, the count, and the row of the request.

    Raises
    ------
    ValueError
        If the text is not a prediction id.

    Examples
    --------
    >>> parse_prediction_id("abandonwhat23456-1f.3")
    ('abandonwhat23456', 31, 3)

    """
    match = ID_PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:80]!r} is not a prediction id such as abandonwhat23456-1f")
    return match[1], int(match[2], 16), int(match[3] or 0)
