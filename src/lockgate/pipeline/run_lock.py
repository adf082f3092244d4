"""One run at a time in a clone."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from lockgate.data.io.identity import current_user
from lockgate.data.io.scratch import scratch_folder
from lockgate.errors import UsageError

__all__ = ["lock_run"]

LOCK = "run.lock"


@contextlib.contextmanager
def lock_run(root: Path) -> Iterator[int]:
    """Exclude other runs in this clone; yield a descriptor that holds the lock while it is open.

    Raises
    ------
    UsageError
        If another run holds it, with who started that run and when.

    """
    with (scratch_folder(root) / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise UsageError(_describe_holder(file.read())) from None
        user, host = current_user()
        since = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        command = shlex.join(["lockgate", *sys.argv[1:]])
        file.seek(0)
        file.truncate()
        holder = {"user": user, "host": host, "pid": os.getpid(), "since": since}
        file.write(json.dumps({**holder, "command": command}))
        file.flush()
        yield file.fileno()


def _describe_holder(text: str) -> str:
    try:
        holder = json.loads(text)
        holder_name = f"{holder['user']} on {holder['host']}, process {holder['pid']}"
        description = f"`{holder['command']}` of {holder_name}, since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        description = "another run, which is just starting,"
    return f"{description} is running in this project; wait for it, or run in another clone"
