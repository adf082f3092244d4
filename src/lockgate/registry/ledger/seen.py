"""What the users of this clone last saw in each stage: others may change it before they do."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Mapping
from pathlib import Path

import msgspec

from lockgate.contract.names import NAME
from lockgate.data.io.atomic import write_file
from lockgate.registry.ledger.state import StageRecord

__all__ = ["Seen", "SeenStages", "StageRecords"]

StageRecords = Mapping[tuple[str, str], StageRecord | None]
"""What is in stages, by model and stage; None where nothing is."""


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

    def get(self, name: str, stage: str) -> tuple[bool, Seen | None]:
        """Return whether a stage was ever shown, and what was in it then."""
        shown = self._read()
        for key in (f"{name}/{stage}", f"{name}/", ""):  # in a list that had other stages only
            if key in shown:
                return True, shown[key]
        return False, None

    def mark(self, records: StageRecords, *, whole: str | None = None) -> None:
        """Record what was shown of stages; nothing in a clone that cannot be written.

        Parameters
        ----------
        records : mapping
            What is in the stages.
        whole : str, optional
            The model of which all stages were shown, the empty ones too; all models if it is
            empty.

        """
        shown = {
            f"{name}/{stage}": Seen.of(record)
            for (name, stage), record in records.items()
            if NAME.fullmatch(name) and NAME.fullmatch(stage)
        }
        prefix = None if whole is None else f"{whole}/" if whole else ""
        if prefix is None and shown.items() <= self._read().items():
            return
        with contextlib.suppress(OSError, UnicodeEncodeError):
            self.path.parent.mkdir(exist_ok=True)
            with self.path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # for less than a millisecond
                before = self._read()
                if prefix is not None:
                    kept = {key: seen for key, seen in before.items() if not key.startswith(prefix)}
                    shown = {**kept, prefix: None, **shown}
                after = {**before, **shown} if prefix is None else shown
                if after != before:
                    write_file(self.path, msgspec.json.encode(after))

    def _read(self) -> dict[str, Seen | None]:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=dict[str, Seen | None])
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return {}
