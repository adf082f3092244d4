"""Whether the wall clock can be trusted to say that files are old."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from lockgate.data.io.atomic import write_file

__all__ = ["ClockRecord", "ClockWatch", "observe"]

TOLERANCE = 60.0
"""Seconds by which the wall clock may differ from the time that has passed."""

RECORD = ".clock.json"


class ClockRecord(msgspec.Struct, frozen=True):
    """The clocks as they were seen last.

    Attributes
    ----------
    boot : str
        Id of the machine's boot.
    running : float
        Seconds since that boot, which no setting of the wall clock changes.
    wall : float
        Seconds since 1970.
    steady_since : float
        Value of `running` since which both went on together.

    """

    boot: str
    running: float
    wall: float
    steady_since: float

    @property
    def steady_seconds(self) -> float:
        """Time for which the wall clock has not jumped."""
        return self.running - self.steady_since


def observe(last: ClockRecord | None, boot: str, running: float, wall: float) -> ClockRecord:
    """Return a new record; it is steady from now on if the wall clock has jumped.

    Examples
    --------
    >>> first = observe(None, "a", 100.0, 1e9)
    >>> observe(first, "a", 160.0, 1e9 + 60).steady_seconds
    60.0
    >>> observe(first, "a", 160.0, 2e9).steady_seconds
    0.0

    """
    same = last is not None and last.boot == boot and running >= last.running
    if not same or last is None:
        return ClockRecord(boot, running, wall, running)
    expected = last.wall + running - last.running
    steady = abs(wall - expected) <= TOLERANCE
    return ClockRecord(boot, running, wall, last.steady_since if steady else running)


class ClockWatch:
    """Watches the wall clock, also over restarts of the server.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the prediction log, which keeps the record.
    wall, running : callable
        Seconds since 1970, and since the machine's boot.

    """

    def __init__(
        self,
        folder: Path,
        *,
        wall: Callable[[], float] = time.time,
        running: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self.path, self._wall, self._running = folder / RECORD, wall, running
        self._boot = _read_boot_id()

    def steady_seconds(self) -> float:
        """Note the clocks; return the time for which the wall clock has not jumped."""
        try:
            last = msgspec.json.decode(self.path.read_bytes(), type=ClockRecord)
        except (OSError, msgspec.DecodeError, UnicodeError):
            last = None
        record = observe(last, self._boot, self._running(), self._wall())
        if self.path.parent.is_dir():
            with contextlib.suppress(OSError):  # a full disk must not keep old files
                write_file(self.path, msgspec.json.encode(record))
        return record.steady_seconds


def _read_boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
