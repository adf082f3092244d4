"""Commands of lockgate in the process of the tests, where starting another would take longest."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner

from lockgate.cli.commands import lockgate
from lockgate.errors import LockgateError

__all__ = ["Completed", "run_here"]


class Completed(NamedTuple):
    """What a command printed."""

    stdout: str
    stderr: str


def run_here(*words: str, cwd: Path, code: int = 0) -> Completed:
    """Run a command in a folder, and return what it printed."""
    with contextlib.chdir(cwd):
        result = CliRunner().invoke(lockgate, list(words), standalone_mode=False)
    error = result.exception
    if error is not None and not isinstance(error, LockgateError):
        raise error
    actual = error.exit_code if error is not None else result.return_value or 0
    stderr = result.stderr + (f"lockgate: {error}" if error is not None else "")
    assert actual == code, f"{words}: {actual}\n{result.stdout}\n{stderr}"
    return Completed(result.stdout, stderr)
