"""Finds the folder that DVC composes; without Hydra, which stages do not load."""

from __future__ import annotations

from pathlib import Path

from lockgate.data.io.dvc_settings import read_dvc_setting
from lockgate.plugins.config.choices import CONF

__all__ = ["find_composed_folder"]


def find_composed_folder(dvc: Path) -> Path | None:
    """Return the folder that DVC composes in its experiments; None if it composes nothing."""
    enabled = read_dvc_setting(dvc, "hydra", "enabled")
    if enabled is None or enabled[0].lower() != "true":
        return None
    folder = read_dvc_setting(dvc, "hydra", "config_dir")
    return (dvc / (folder[0] if folder else CONF)).resolve()
