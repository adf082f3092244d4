"""Record of the last composition, to detect manual edits of ``params.yaml``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lockgate.data.io.atomic import write_file
from lockgate.plugins.config.origins import flatten

__all__ = ["find_discarded_edits", "record_composition"]

RECORD_PATH = Path(".lockgate", "tmp", "composed.json")


def record_composition(root: Path, document: dict[str, Any], overrides: Sequence[str]) -> None:
    """Record the parameters that are written to ``params.yaml``."""
    content = {"overrides": list(overrides), "document": document}
    write_file(root / RECORD_PATH, json.dumps(content, indent=1))
    ignore = root / RECORD_PATH.parent / ".gitignore"
    if not ignore.exists():
        write_file(ignore, "*\n")


def find_discarded_edits(
    root: Path, before: dict[str, Any], after: dict[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """Return manual edits of ``params.yaml`` that a new composition discards.

    Returns
    -------
    dict of str to (object, object)
        Edited and new value, by dotted key.

    """
    try:
        last_written = flatten(json.loads((root / RECORD_PATH).read_bytes())["document"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    current, updated = flatten(before), flatten(after)
    return {
        key: (value, updated.get(key))
        for key, value in current.items()
        if last_written.get(key) != value and updated.get(key) != value
    }
