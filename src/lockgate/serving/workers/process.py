"""The supervisor's process: its lock, its signals, and its limit of open files."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import selectors
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from lockgate.errors import ServingError

__all__ = ["lock_directory", "raise_file_limit", "watch_signals"]

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
"""Signals that wake up the supervisor; a child that ended is found by waiting for it."""


def lock_directory(folder: Path) -> TextIO:
    """Return a locked file; closing it releases the lock.

    Raises
    ------
    ServingError
        If another server is running on the directory.

    """
    file = (folder / ".serving").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ServingError(f"another server is running on {folder}") from None
    os.set_inheritable(file.fileno(), False)
    return file


def watch_signals(
    selector: selectors.BaseSelector, on_signal: Callable[[signal.Signals], None]
) -> None:
    """Call `on_signal` from the selector's loop, never from inside a signal handler."""
    read_fd, write_fd = os.pipe()
    os.set_blocking(read_fd, False)
    os.set_blocking(write_fd, False)
    signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
    for signum in SIGNALS:
        signal.signal(signum, lambda *_: None)

    def read_signals() -> None:
        for number in os.read(read_fd, 64):
            on_signal(signal.Signals(number))

    selector.register(read_fd, selectors.EVENT_READ, read_signals)


def raise_file_limit() -> None:
    """Let workers open as many connections as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = hard if hard != resource.RLIM_INFINITY else 1 << 16
    if soft < limit:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
