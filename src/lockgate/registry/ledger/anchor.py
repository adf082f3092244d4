"""Writes the anchor: the last event of the ledger, for the main branch to record."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lockgate.errors import UsageError
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.ledger.trust import ANCHOR, Anchor

__all__ = ["write_anchor"]


def write_anchor(ledger: EventLog) -> Path | None:
    """Write the anchor into the work tree and return its path; None if the ledger is empty.

    Raises
    ------
    UsageError
        If the repository is bare.

    """
    repository = ledger.repository
    if repository.top == repository.folder:
        raise UsageError("a bare repository has no work tree: write the anchor in a clone")
    if ledger.tip is None:
        return None
    path = Path(repository.top) / ANCHOR
    path.parent.mkdir(exist_ok=True)
    anchor = Anchor(ledger.state.head().seq, ledger.tip)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(anchor), indent=1) + b"\n")
    return path
