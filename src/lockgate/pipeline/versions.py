"""Reads from the Git repository of a project, if there is one."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from lockgate.registry.git.commands import run_git

__all__ = ["BASE", "OURS", "THEIRS", "read_git", "read_version"]

BASE, OURS, THEIRS = ":1", ":2", ":3"
"""Versions of a file that Git's index keeps until a conflict is resolved."""


def read_git(arguments: Sequence[str], directory: Path) -> str | None:
    """Return what Git prints; None if it fails, or is not installed."""
    if not shutil.which("git"):
        return None
    completed = run_git(arguments, directory)
    return completed.stdout.decode("utf-8", "replace") if completed.returncode == 0 else None


def read_version(root: Path, path: Path, revision: str) -> str | None:
    """Return the text of a file in a revision; None if there is none."""
    return read_git(["show", f"{revision}:./{path.relative_to(root).as_posix()}"], root)
