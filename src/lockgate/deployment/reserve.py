"""Room for the pointer on a full disk: a file that is given up when it is needed."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

__all__ = ["with_reserve"]

RESERVE = ".reserve"
BYTES = 256 << 10
"""Enough for the pointer and some events of the record."""

T = TypeVar("T")


def with_reserve(folder: Path, write: Callable[[], T]) -> T:
    """Call a function that writes to a folder; once more without the reserve if the disk is full.

    Parameters
    ----------
    folder : pathlib.Path
        The folder, which keeps the reserve.
    write : callable
        May be called twice.

    """
    path = folder / RESERVE
    try:
        result = write()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not path.exists():
            raise
        path.unlink()
        result = write()
    with contextlib.suppress(OSError):  # later, when there is room again
        _allocate(path)
    return result


def _allocate(path: Path) -> None:
    if path.exists() and path.stat().st_size == BYTES:
        return
    with path.open("wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, BYTES)
        except OSError:
            path.unlink()
            raise
