"""Finds a DVC repository, and reads its settings without starting DVC."""

from __future__ import annotations

import configparser
from pathlib import Path

__all__ = ["find_dvc_repository", "read_dvc_setting"]


def find_dvc_repository(start: Path) -> Path | None:
    """Return the nearest folder with a DVC repository, at or above `start`; None without any."""
    return next((path for path in (start, *start.parents) if (path / ".dvc").is_dir()), None)


def read_dvc_setting(repository: Path, section: str, option: str) -> tuple[str, Path] | None:
    """Return a setting of a DVC repository and the file that has it; None where none has it.

    Only the files of the repository are read: DVC itself looks in those of the user and the
    system as well.
    """
    for name in ("config.local", "config"):
        path = repository / ".dvc" / name
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeError):
            continue
        if parser.has_option(section, option):
            return parser.get(section, option).strip(), path
    return None
