"""The folder of a project for files that commands leave for each other."""

from __future__ import annotations

from pathlib import Path

from lockgate.data.io.atomic import write_file

__all__ = ["SCRATCH", "scratch_folder"]

SCRATCH = Path(".lockgate", "tmp")
"""The folder, relative to the project."""


def scratch_folder(root: Path) -> Path:
    """Create a project's folder of temporary files, which Git ignores, and return it."""
    folder = root / SCRATCH
    if not (folder / ".gitignore").exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_file(folder / ".gitignore", "*\n")
    return folder
