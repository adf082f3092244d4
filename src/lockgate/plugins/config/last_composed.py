"""Record of the last composition, to detect manual edits of ``params.yaml``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lockgate.data.io.atomic import write_file
from lockgate.data.io.scratch import SCRATCH, scratch_folder
from lockgate.plugins.config.flat import UNSET, flatten

__all__ = ["find_discarded_edits", "read_last_composed", "read_last_conf", "record_composition"]

RECORD = "composed.json"


def record_composition(
    root: Path, document: dict[str, Any], overrides: Sequence[str], conf: str
) -> None:
    """Record the parameters that are written to ``params.yaml``, and the digest of ``conf/``."""
    content = {"overrides": list(overrides), "conf": conf, "document": document}
    write_file(scratch_folder(root) / RECORD, json.dumps(content, indent=1))


def read_last_composed(root: Path) -> dict[str, Any] | None:
    """Return the parameters that this clone wrote last; None if it wrote none."""
    document = _read_record(root).get("document")
    return document if isinstance(document, dict) else None


def read_last_conf(root: Path) -> str | None:
    """Return the digest of ``conf/`` that this clone composed last; None if it composed nothing.

    Programs that rewrite ``params.yaml`` drop its comments, and the stamp with them.
    """
    return _read_record(root).get("conf")


def _read_record(root: Path) -> dict[str, Any]:
    try:
        record = json.loads((root / SCRATCH / RECORD).read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def find_discarded_edits(
    written: dict[str, Any], before: dict[str, Any], after: dict[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """Return manual edits of ``params.yaml`` that a new composition discards.

    Parameters
    ----------
    written : dict
        Parameters as they were composed.
    before : dict
        Parameters in the file.
    after : dict
        Parameters as they are composed now.

    Returns
    -------
    dict of str to (object, object)
        Edited and new value, by dotted key.

    """
    last_written, current, updated = flatten(written), flatten(before), flatten(after)
    edits = {
        key: (value, updated.get(key, UNSET))
        for key, value in current.items()
        if last_written.get(key) != value
        and updated.get(key) != value
        and not key.endswith(".provider")  # of another version of the same plugin
    }
    removed = last_written.keys() & updated.keys() - current.keys()
    return edits | {key: (UNSET, updated[key]) for key in sorted(removed)}
