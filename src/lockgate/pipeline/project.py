"""Finds the project that a command is called in."""

from __future__ import annotations

from pathlib import Path

from lockgate.errors import UsageError
from lockgate.plugins.config.choices import CONF

__all__ = ["find_project"]


def find_project(start: Path) -> Path:
    """Return the nearest folder with a project, at or above `start`.

    Raises
    ------
    UsageError
        If there is none.

    """
    for folder in (start, *start.parents):
        if (folder / CONF / "config.yaml").is_file():
            return folder
    raise UsageError(
        f"{start} is not in a project: neither it nor a folder above it has conf/config.yaml; "
        "create a project with: lockgate init"
    )
