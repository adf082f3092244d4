"""Remembers what was composed last, so that hand edits can be told from overrides."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lockgate.data.io.atomic import write_file
from lockgate.plugins.config.origins import leaves

__all__ = ["discarded", "remember"]

PLACE = Path(".lockgate", "tmp", "composed.json")


def remember(root: Path, document: dict[str, Any], overrides: Sequence[str]) -> None:
    """Note what is written to ``params.yaml`` now."""
    content = {"overrides": list(overrides), "document": document}
    write_file(root / PLACE, json.dumps(content, indent=1))
    ignore = root / PLACE.parent / ".gitignore"
    if not ignore.exists():
        write_file(ignore, "*\n")


def discarded(
    root: Path, before: dict[str, Any], after: dict[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """Return hand edits of ``params.yaml`` that a new composition does not keep.

    Returns
    -------
    dict of str to (object, object)
        By dotted key: the value in the file, and the one it becomes.

    """
    try:
        last = leaves(json.loads((root / PLACE).read_bytes())["document"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    now, then = leaves(before), leaves(after)
    return {
        key: (value, then.get(key))
        for key, value in now.items()
        if last.get(key) != value and then.get(key) != value
    }
