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
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    with (folder / ".lock").open("a+") as file:
        deadline = time.monotonic() + seconds
        while not _try_to_lock(file.fileno()):
            if time.monotonic() > deadline:
                file.seek(0)
                holder = file.read(200).strip() or "unknown"
                raise DeploymentError(
                    f"another command ({holder}) has been changing {folder} for {seconds:g} s; "
                    "nothing was changed"
                )
            time.sleep(POLL_SECONDS)
        with contextlib.suppress(OSError):  # on a full disk
            file.truncate(0)
            file.write(f"process {os.getpid()} of {'@'.join(current_user())}")
            file.flush()
        yield


def _try_to_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
