"""What the users of this clone last saw in each stage: others may change it before they do."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from lockgate.data.io.atomic import write_file
from lockgate.registry.ledger.state import StageRecord

__all__ = ["Seen", "SeenStages"]


class Seen(msgspec.Struct, frozen=True):
    """A version in a stage, as it was shown.

    Attributes
    ----------
    id : str
        Id of the event that put it there.
    version : str
        The version.

    """

    id: str
    version: str

    @classmethod
    def of(cls, record: StageRecord | None) -> Seen | None:
        """Return what is seen of a stage; None where it is empty."""
        return None if record is None else cls(record.id, record.slot.version)


class SeenStages:
    """What was shown of each stage, in a file of this clone.

    Fetching alone shows nothing: a registration, or a verification, fetches too.

    Parameters
    ----------
    folder : pathlib.Path
        The ``.git`` folder.

    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lockgate" / "seen.json"

    def get(self, name: str, stage: str, default: StageRecord | None) -> Seen | None:
        """Return what was seen in a stage; of one that was never shown, what is there now."""
        return self._read().get(f"{name}/{stage}", Seen.of(default))

    def mark(self, name: str, stage: str, record: StageRecord | None) -> None:
        """Record what was shown of a stage; nothing in a clone that cannot be written."""
        stages, seen = self._read(), Seen.of(record)
        key = f"{name}/{stage}"
        if key not in stages or stages[key] != seen:
            with contextlib.suppress(OSError):
                write_file(self.path, msgspec.json.encode({**stages, key: seen}))

    def _read(self) -> dict[str, Seen | None]:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=dict[str, Seen | None])
        except (OSError, msgspec.DecodeError):
            return {}
