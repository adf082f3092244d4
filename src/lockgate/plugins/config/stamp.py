"""The stamp of ``params.yaml``: digests of what it was composed from, and of what was written."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lockgate.plugins.config.choices import CONF

__all__ = [
    "CONTRACTS",
    "Stamp",
    "compute_stamp",
    "conf_digest",
    "find_stamp",
    "is_edited",
    "read_conf",
    "read_stamp",
    "values_digest",
]

CONTRACTS = Path(CONF) / "contract"
"""Folder of the data contracts of a project, one for each loader."""

PATTERN = re.compile(r"^# conf ([0-9a-f]{16}), values ([0-9a-f]{16})$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Stamp:
    """Digests in the comment at the top of ``params.yaml``.

    Attributes
    ----------
    conf : str
        Digest of the files below ``conf/``, recorded choices included.
    values : str
        Digest of the parameters that were written.

    """

    conf: str
    values: str

    def __str__(self) -> str:
        """Return the stamp as it stands in the file."""
        return f"conf {self.conf}, values {self.values}"


def read_stamp(path: Path) -> Stamp | None:
    """Return the stamp of a file; None where another program wrote it."""
    try:
        return find_stamp(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def find_stamp(text: str) -> Stamp | None:
    """Return the stamp in the text of a file."""
    match = PATTERN.search(text[:2000])
    return Stamp(*match.groups()) if match else None


def is_edited(root: Path, document: Mapping[str, Any]) -> bool:
    """Return whether ``params.yaml`` holds other values than lockgate wrote.

    Parameters that DVC composed for an experiment have no stamp, and count as edited.
    """
    stamp = read_stamp(root / "params.yaml")
    return stamp is None or stamp.values != values_digest(document)


def compute_stamp(root: Path, document: Mapping[str, Any]) -> Stamp:
    """Return the stamp of parameters that are composed from a project's ``conf/``."""
    return Stamp(conf_digest(read_conf(root)), values_digest(document))


def read_conf(root: Path) -> dict[str, bytes]:
    """Return the content of each file that parameters are composed from, by its path.

    Data contracts are below ``conf/``, too, but no parameters: a change of one needs no `run`.
    """
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in (root / CONF).rglob("*.yaml")
        if path.parent != root / CONTRACTS
    }


def conf_digest(files: Mapping[str, bytes]) -> str:
    """Return the digest of the files of ``conf/``."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.encode() + b"\0")
        digest.update(hashlib.sha256(files[path]).digest())
    return digest.hexdigest()[:16]


def values_digest(document: Mapping[str, Any]) -> str:
    """Return the digest of parameters, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]
