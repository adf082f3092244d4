"""Checks that a project's configuration lies in its folder alone, where a commit has all of it."""

from __future__ import annotations

import os
from pathlib import Path

from lockgate.errors import UsageError
from lockgate.plugins.host.params_file import read_yaml

__all__ = ["check_folder", "check_links"]

SEARCH_PATH = "lockgate://"


def check_links(folder: Path) -> None:
    """Check that a folder of configuration has no links.

    Neither Git nor DVC follows links to folders, so that a change behind them would neither
    run a stage nor be in a commit.

    Raises
    ------
    UsageError
        With the link.

    """
    for parent, folders, files in os.walk(folder):
        for name in sorted(folders + files):
            if (path := Path(parent, name)).is_symlink():
                raise UsageError(
                    f"{path} is a link, and changes of its target are not part of a commit; "
                    f"replace it with a copy of {path.resolve()}"
                )


def check_folder(folder: Path) -> None:
    """Check that a folder of configuration has no links, and that Hydra searches nothing else.

    Raises
    ------
    UsageError
        With the link, or the further entry of ``hydra.searchpath``.

    """
    check_links(folder)
    config = folder / "config.yaml"
    content = read_yaml(config) if config.is_file() else None
    hydra = content.get("hydra") if isinstance(content, dict) else None
    searched = hydra.get("searchpath") if isinstance(hydra, dict) else None
    if isinstance(searched, list) and (others := [p for p in searched if p != SEARCH_PATH]):
        raise UsageError(
            f"{config}: hydra.searchpath has {', '.join(map(str, others))}, expected only "
            f"{SEARCH_PATH}: changes elsewhere are not part of a commit; copy the files to "
            f"{folder.name}/"
        )
