"""Reads versions of a project's files from Git."""

from __future__ import annotations

import shutil
from pathlib import Path

from lockgate.registry.git.commands import run_git

__all__ = ["BASE", "OURS", "THEIRS", "read_version"]

BASE, OURS, THEIRS = ":1", ":2", ":3"
"""Versions of a file that Git's index keeps until a conflict is resolved."""


def read_version(root: Path, path: Path, revision: str) -> str | None:
    """Return the text of a file in a revision; None if there is none."""
    if not shutil.which("git"):
        return None
    name = f"{revision}:./{path.relative_to(root).as_posix()}"
    done = run_git(["show", name], root)
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
