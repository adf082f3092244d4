"""Removes files that a killed DVC left half-written, which later commands would stop at."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lockgate.data.io.dvc_settings import find_dvc_repository
from lockgate.errors import UsageError
from lockgate.plugins.host.params_file import has_conflict, parse_yaml

__all__ = ["remove_half_written"]

WRITING_SECONDS = 0.2
"""How long DVC may take to write its file of locks."""


def remove_half_written(root: Path, on_removed: Callable[[str], None]) -> None:
    """Remove DVC's file of locks, and ``dvc.lock``, if a kill cut them off.

    DVC writes both in place. Without ``dvc.lock``, stages run again.

    Parameters
    ----------
    root : pathlib.Path
        The project; its run lock is held.
    on_removed : callable
        Called with what was removed, and why.

    """
    repository = find_dvc_repository(root.resolve())
    locks = (repository or root) / ".dvc" / "tmp" / "rwlock"
    if not _is_json(locks):
        time.sleep(WRITING_SECONDS)  # a DVC in another folder may be writing it right now
        if not _is_json(locks):
            locks.unlink(missing_ok=True)
            on_removed(f"{locks} was cut off: removed")
    file = root / "dvc.lock"
    if file.is_file() and not _is_lock_file(file):
        file.unlink()
        on_removed(f"{file.name} was cut off, as by a kill: removed, and its stages run again")


def _is_json(path: Path) -> bool:
    """Return whether a file is valid, or not there."""
    try:
        json.loads(path.read_bytes())
    except FileNotFoundError:
        return True
    except ValueError:
        return False
    return True


def _is_lock_file(path: Path) -> bool:
    """Return whether a ``dvc.lock`` can be read, and each of its entries is complete."""
    try:
        text = path.read_text("utf-8")
        content = parse_yaml(text, path)
    except (UsageError, UnicodeDecodeError):
        return has_conflict(path.read_bytes().decode("utf-8", "replace"))
    stages = content.get("stages") if isinstance(content, dict) else None
    return isinstance(stages, dict) and all(map(_is_complete, stages.values()))


def _is_complete(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("cmd"), (str, list)):
        return False
    lists = [entry.get(key, []) for key in ("deps", "outs")]
    return all(
        isinstance(files, list)
        and all(isinstance(file, dict) and "path" in file and len(file) > 1 for file in files)
        for files in lists
    )
