"""Runs Git, without the environment and settings that would change its behaviour."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lockgate.errors import LedgerError

__all__ = ["GitTimeout", "git", "run_git"]

LOCATING = frozenset(
    {
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_COMMON_DIR",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_NAMESPACE",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_CONFIG",
        "GIT_REFLOG_ACTION",
    }
)
"""Set while a hook runs; they would point Git to another repository or index."""

QUIET = tuple(
    word
    for setting in (
        "gc.auto=0",
        "maintenance.auto=false",
        # programs of the repository, which the ledger does not need
        "core.fsmonitor=false",
        f"core.hooksPath={os.devnull}",
        "log.showSignature=false",
    )
    for word in ("-c", setting)
)
SECONDS = 300.0


class GitTimeout(LedgerError):
    """A Git command took too long; what it did is unknown."""


def run_git(
    arguments: Sequence[str], folder: Path, *, stdin: bytes | None = None, seconds: float = SECONDS
) -> subprocess.CompletedProcess[bytes]:
    """Run Git and return the completed process, whatever its exit status.

    Raises
    ------
    LedgerError
        If Git is not installed, or takes too long.

    """
    environment = {key: value for key, value in os.environ.items() if key not in LOCATING}
    # error messages are parsed, so they must not be translated; nothing may prompt
    environment |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    # a replaced object would show another history than the one that was signed
    environment["GIT_NO_REPLACE_OBJECTS"] = "1"
    environment.setdefault("GIT_HTTP_LOW_SPEED_LIMIT", "1")
    environment.setdefault("GIT_HTTP_LOW_SPEED_TIME", "30")
    try:
        return subprocess.run(
            ["git", *QUIET, *arguments],
            cwd=folder,
            input=stdin or b"",
            capture_output=True,
            env=environment,
            timeout=seconds,
            check=False,
        )
    except (FileNotFoundError, NotADirectoryError):
        if not folder.is_dir():
            raise LedgerError(f"{folder} is not a folder") from None
        raise LedgerError("git is not installed; the ledger needs it") from None
    except subprocess.TimeoutExpired:
        raise GitTimeout(f"git {arguments[0]} took longer than {seconds:g} s") from None


def git(arguments: Sequence[str], folder: Path, *, stdin: bytes | None = None) -> str:
    """Run Git and return its output.

    Raises
    ------
    LedgerError
        If it fails, with its error output.

    """
    completed = run_git(arguments, folder, stdin=stdin)
    if completed.returncode:
        message = " ".join(completed.stderr.decode("utf-8", "replace").split())
        raise LedgerError(f"git {arguments[0]} failed: {message[:400] or completed.returncode}")
    return completed.stdout.decode("utf-8", "surrogateescape").rstrip("\n")
