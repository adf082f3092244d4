"""The record of a deployment directory: one JSON line per event."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from lockgate.deployment.pointer import DeploymentEvent

__all__ = ["append_event", "read_record"]


def read_record(path: Path) -> list[DeploymentEvent]:
    """Read all events, oldest first; a line cut off by a kill is skipped."""
    return _parse_events(path.read_bytes().splitlines() if path.is_file() else [])


def append_event(path: Path, event: DeploymentEvent | None) -> None:
    """Append an event, unless the record contains it."""
    if event is None:
        return
    raw = path.read_bytes() if path.is_file() else b""
    if event.seq in {recent.seq for recent in _parse_events(raw.splitlines()[-4:])}:
        return
    with path.open("ab") as file:
        truncated = bool(raw) and not raw.endswith(b"\n")
        file.write((b"\n" if truncated else b"") + msgspec.json.encode(event) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _parse_events(lines: Iterable[bytes]) -> list[DeploymentEvent]:
    events = []
    for line in lines:
        with contextlib.suppress(msgspec.DecodeError, UnicodeError):
            events.append(msgspec.json.decode(line, type=DeploymentEvent))
    return events
