"""When this clone fetched which events: each was written after the last fetch without it.

Dates of events are what their authors say. They rise, but after a quiet month they may lie anywhere
within it: under a policy that was weaker, or before a key had ended.
"""

from __future__ import annotations

import bisect
import contextlib
import fcntl
import functools
import time
from pathlib import Path

import msgspec

from lockgate.data.io.atomic import write_file

__all__ = ["FetchTimes"]

LIMIT = 1000
"""Fetches that are remembered."""

INTERVAL_SECONDS = 60
"""Seconds between two records of the same event."""

Records = list[tuple[int, int]]
"""Number of the last event, and when it was the last one, in seconds since 1970; both rise."""


class FetchTimes:
    """Times of fetches, in a file of this clone.

    Parameters
    ----------
    folder : pathlib.Path
        The ``.git`` folder.

    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lockgate" / "fetched.json"

    def record(self, seq: int) -> None:
        """Record that the shared ledger ends with an event now; nothing where it cannot be written.

        Parameters
        ----------
        seq : int
            Number of the event.

        """
        now = int(time.time())
        if self._is_fresh(self._read(), seq, now):
            return
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(exist_ok=True)
            with self.path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                # events that were taken back, and times of a clock that was ahead, are forgotten
                kept = [entry for entry in self._read() if entry[0] < seq and entry[1] <= now]
                write_file(self.path, msgspec.json.encode([*kept, (seq, now)][-LIMIT:]))

    def written_after(self, seq: int) -> int:
        """Return a time after which an event was written, as far as this clone knows.

        Parameters
        ----------
        seq : int
            Number of the event.

        Returns
        -------
        int
            Seconds since 1970; 0 if nothing is known.

        """
        position = bisect.bisect_left(self._records, (seq, 0))
        return self._records[position - 1][1] if position else 0

    @functools.cached_property
    def _records(self) -> Records:
        now = time.time()
        return [entry for entry in self._read() if entry[1] <= now]

    def _is_fresh(self, records: Records, seq: int, now: int) -> bool:
        last_seq, last_time = records[-1] if records else (0, 0)
        return last_seq == seq and 0 <= now - last_time < INTERVAL_SECONDS

    def _read(self) -> Records:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Records)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return []
