"""One command at a time changes a deployment directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from lockgate.data.io.identity import current_user
from lockgate.errors import DeploymentError
from lockgate.models.bundle.manifest import MANIFEST

__all__ = ["lock_changes"]

LOCK_SECONDS = 90.0
"""Time to wait for other commands, each of which may check a bundle for a minute."""

POLL_SECONDS = 0.01
"""Time between two attempts: flock itself cannot wait for a limited time."""


@contextlib.contextmanager
def lock_changes(folder: Path, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Exclude other commands from changing the pointer of a deployment directory.

    Parameters
    ----------
    folder : pathlib.Path
        The directory; created if it does not exist.
    seconds : float
        Longest time to wait.

    Raises
    ------
    DeploymentError
        If another command holds the lock for longer, as when it was stopped.

    """
    if (folder / MANIFEST).is_file():  # a file more would damage it
        raise DeploymentError(
            f"{folder} is a bundle, not a deployment directory; nothing was changed"
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline = time.monotonic() + seconds
        while not _try_to_lock(descriptor):
            if time.monotonic() > deadline:
                holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace") or "unknown"
                raise DeploymentError(
                    f"another command ({holder}) has been changing {folder} for {seconds:g} s; "
                    "nothing was changed"
                )
            time.sleep(POLL_SECONDS)
        with contextlib.suppress(OSError):  # on a full disk
            os.ftruncate(descriptor, 0)
            os.pwrite(
                descriptor, f"process {os.getpid()} of {'@'.join(current_user())}".encode(), 0
            )
        yield
    finally:
        os.close(descriptor)


def _try_to_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
