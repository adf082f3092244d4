"""The bundle that commands take where none is named."""

from __future__ import annotations

import os
from pathlib import Path

from lockgate.errors import UsageError
from lockgate.pipeline.project import find_project

__all__ = ["default_bundle"]


def default_bundle() -> Path:
    """Return the bundle of the project that the command is called in, also from a subfolder."""
    try:
        return Path(os.path.relpath(find_project(Path.cwd()) / "bundle"))
    except UsageError:
        return Path("bundle")
