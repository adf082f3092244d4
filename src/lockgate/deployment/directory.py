"""The deployment directory: bundles by digest, one pointer that says which of them are served.

::

    DIR/
      current.json          the pointer, replaced in one step
      history.ndjson        what was done here, one line an event
      bundles/<digest>/     the last few bundles of each model
      manifests/<digest>.json   of every bundle that was ever here, so that answers can be traced

Nothing here needs a network or Git. The pointer holds the event that made it,
so that a process killed between the two files loses no line: the next event
writes the one that is missing.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from lockgate.data.io.atomic import write_file
from lockgate.data.io.digests import sha256_file
from lockgate.data.io.identity import current_user
from lockgate.deployment.pointer import Event, Pointer, check_version
from lockgate.deployment.record import append_event, read_record
from lockgate.errors import BundleError, DeploymentError, UsageError, nearest
from lockgate.models.bundle.copy import copy_bundle, remove_unreferenced
from lockgate.models.bundle.manifest import MANIFEST, Manifest, read_manifest, verify_files
from lockgate.registry.provenance.events import NAME
from lockgate.registry.slots import STAGE, Slot, choose_previous, promoted, rolled_back

__all__ = ["Deployment"]

MAX_PREVIOUS = 5
"""Bundles kept of each model and stage for rolling back."""


class Deployment:
    """A deployment directory.

    Parameters
    ----------
    path : pathlib.Path
        The directory; made by the first `deploy`.

    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.pointer_path = self.path / "current.json"
        self.history_path = self.path / "history.ndjson"

    def exists(self) -> bool:
        """Whether anything was ever deployed here."""
        return self.pointer_path.is_file()

    def pointer(self) -> Pointer:
        """Read what is served.

        Raises
        ------
        DeploymentError
            If there is nothing, or the file is damaged.

        """
        try:
            return msgspec.json.decode(self.pointer_path.read_bytes(), type=Pointer)
        except (FileNotFoundError, NotADirectoryError):
            raise DeploymentError(
                f"{self.path} is no deployment directory; "
                f"lockgate deploy BUNDLE {self.path} makes one"
            ) from None
        except (msgspec.DecodeError, UnicodeError, RecursionError, OSError) as error:
            raise DeploymentError(
                f"{self.pointer_path} is damaged: {str(error)[:300]}; remove it, and deploy what "
                f"the last line of {self.history_path.name} names"
            ) from None

    def bundle(self, digest: str) -> Path:
        """Return where a bundle of this digest lies or would lie."""
        if not re.fullmatch("[0-9a-f]{64}", digest):
            raise DeploymentError(f"{self.pointer_path} names {digest[:80]!r}, which is no digest")
        return self.path / "bundles" / digest

    def manifest(self, digest: str) -> Manifest | None:
        """Read the manifest of a bundle that is or was here."""
        for path in (self.bundle(digest) / MANIFEST, self._manifest_path(digest)):
            if path.is_file() and sha256_file(path) == digest:
                return msgspec.json.decode(path.read_bytes(), type=Manifest)
        return None

    def history(self) -> list[Event]:
        """Read all events, the oldest first."""
        events = read_record(self.history_path)
        last = self.pointer().event if self.exists() else None
        if last is not None and (not events or events[-1].seq < last.seq):
            events.append(last)
        return events

    def _store_bundle(self, source: Path) -> tuple[Manifest, str]:
        """Copy a bundle here and return its manifest and digest; nothing is served yet."""
        manifest = read_manifest(source)
        if not NAME.fullmatch(manifest.name):
            raise BundleError(
                f"{source}: the name {manifest.name[:80]!r} cannot be served; letters, digits and "
                "the signs . _ + - are allowed"
            )
        digest = sha256_file(source / MANIFEST)
        target = self.bundle(digest)
        copy_bundle(source, target, digest)
        if not self._manifest_path(digest).is_file():
            write_file(self._manifest_path(digest), (target / MANIFEST).read_bytes())
        return manifest, digest

    def deploy(
        self,
        source: Path,
        *,
        version: str | None = None,
        stage: str = STAGE,
        reason: str = "",
        verdict: str | None = None,
        following: tuple[int, str] = (0, ""),
        override: bool = False,
        check: Callable[[Path], None] | None = None,
    ) -> Pointer:
        """Place a bundle and serve it.

        Parameters
        ----------
        source : pathlib.Path
            The bundle.
        version : str, optional
            What to call it; by default the beginning of its digest.
        stage : str
            Where it is served, e.g. ``prod`` or ``canary``.
        reason : str
            Why, for the record.
        verdict : str, optional
            sha256 of the gates' verdict on it.
        following : tuple of int and str
            Number and id of the ledger's event that says so; 0 if none does.
        override : bool
            Whether that event overrode the gates.
        check : callable, optional
            Raises if the bundle, placed here, must not be served.

        Raises
        ------
        BundleError
            If it is incomplete or changed.

        """
        for label in (stage, *([] if version is None else [version])):
            if not NAME.fullmatch(label):
                raise UsageError(f"{label[:80]!r} is no version or stage; letters, digits, . _ + -")
        with self._lock():
            manifest, digest = self._store_bundle(source)
            if check is not None:
                check(self.bundle(digest))
            version = version or digest[:12]
            pointer = self.pointer() if self.exists() else self._create_pointer()
            old = _find_slot(pointer, manifest.name, stage)
            if old is not None and (old.version, old.digest) == (version, digest):
                # the ledger may have put it there again since, by another verdict
                renewed = msgspec.structs.replace(
                    old, verdict=verdict or old.verdict, override=override
                )
                return self._mark_followed(pointer, old, renewed, following)
            check_version(
                read_record(self.history_path), pointer, Slot(manifest.name, stage, version, digest)
            )
            local = not following[0] and old is not None and bool(old.ledger)
            if old is not None and local:
                following = (old.ledger, old.event)
            slot = Slot(
                manifest.name, stage, version, digest, (), verdict, *following, local, override
            )
            if old is not None:
                slot = promoted(old, slot, limit=MAX_PREVIOUS)
            return self._write_event(pointer, slot, "deploy", reason)

    def rollback(
        self,
        name: str | None = None,
        *,
        stage: str = STAGE,
        to: str | None = None,
        reason: str = "",
        op: str = "rollback",
        expect: str | None = None,
        check: Callable[[Path], None] | None = None,
    ) -> Pointer:
        """Serve an earlier bundle again, by default the one before.

        Parameters
        ----------
        name : str, optional
            Which model; not needed where only one is served.
        stage : str
            In which stage.
        to : str, optional
            A version, or the beginning of a digest.
        reason : str
            Why, for the record.
        op : str
            What to call it in the record.
        expect : str, optional
            Digest that must be served now; otherwise nothing is done.
        check : callable, optional
            Raises if that bundle must not be served.

        Raises
        ------
        DeploymentError
            If nothing came before, or what came before is not whole any more.

        """
        with self._lock():
            pointer = self.pointer()
            slot = self._require_slot(pointer, name, stage)
            if expect is not None and slot.digest != expect:
                return pointer
            previous = choose_previous(slot, to)
            folder = self.bundle(previous.digest)
            verify_files(folder, read_manifest(folder))
            if check is not None:
                check(folder)
            rolled_back_here = op == "rollback" and bool(slot.ledger)
            new_slot = rolled_back(slot, previous, limit=MAX_PREVIOUS, held=rolled_back_here)
            new_slot = msgspec.structs.replace(new_slot, local=slot.local or rolled_back_here)
            return self._write_event(pointer, new_slot, op, reason)

    def mark(self, name: str, stage: str, following: tuple[int, str]) -> None:
        """Note that the ledger knows what is served, as of this event; nothing is held any more."""
        with self._lock():
            pointer = self.pointer()
            slot = self._require_slot(pointer, name, stage)
            released = msgspec.structs.replace(
                slot,
                before=tuple(
                    msgspec.structs.replace(previous, held=False) for previous in slot.before
                ),
            )
            self._mark_followed(pointer, slot, released, following)

    def _mark_followed(
        self, pointer: Pointer, slot: Slot, updated: Slot, following: tuple[int, str]
    ) -> Pointer:
        """Replace a slot that goes on serving its bundle, and note the ledger's event."""
        if not following[0]:
            return pointer
        updated = msgspec.structs.replace(
            updated, ledger=following[0], event=following[1], local=False
        )
        slots = tuple(updated if entry is slot else entry for entry in pointer.slots)
        pointer = msgspec.structs.replace(pointer, slots=slots)
        self._write(pointer)
        return pointer

    def remove(self, name: str, stage: str, *, reason: str = "", op: str = "remove") -> Pointer:
        """Serve a model no longer in a stage."""
        with self._lock():
            pointer = self.pointer()
            slot = self._require_slot(pointer, name, stage)
            return self._write_event(pointer, slot, op, reason, removed=True)

    def _create_pointer(self) -> Pointer:
        """Return a pointer to nothing, counting on from the record if the last one is lost."""
        events = read_record(self.history_path)
        return Pointer(event=events[-1] if events else None)

    def _require_slot(self, pointer: Pointer, name: str | None, stage: str) -> Slot:
        in_stage = [slot for slot in pointer.slots if slot.stage == stage]
        matches = [slot for slot in in_stage if name is None or slot.name == name]
        if len(matches) == 1:
            return matches[0]
        names = sorted({slot.name for slot in in_stage})
        if name is None and names:
            raise DeploymentError(f"{self.path} serves {', '.join(names)}; say which one")
        served = ", ".join(names) or "nothing"
        hint = nearest(name or "", names)
        raise DeploymentError(f"no {name} in stage {stage} of {self.path}{hint}; served: {served}")

    def _write_event(
        self, pointer: Pointer, slot: Slot, op: str, reason: str, *, removed: bool = False
    ) -> Pointer:
        """Write the record's missing line, the pointer, and the record's new line."""
        key = (slot.name, slot.stage)
        old = _find_slot(pointer, *key)
        event = Event(
            pointer.seq + 1,
            op,
            *key,
            None if old is None else old.as_previous(),
            None if removed else slot.as_previous(),
            datetime.now(UTC).isoformat(timespec="milliseconds"),
            "@".join(current_user()),
            reason,
        )
        slots = [entry for entry in pointer.slots if (entry.name, entry.stage) != key]
        new_pointer = Pointer(1, event, tuple(slots if removed else [*slots, slot]))
        append_event(self.history_path, pointer.event)
        self._write(new_pointer)
        append_event(self.history_path, event)
        referenced = {entry.digest for entry in new_pointer.slots}
        referenced |= {past.digest for entry in new_pointer.slots for past in entry.before}
        remove_unreferenced(self.path / "bundles", referenced)
        return new_pointer

    def _write(self, pointer: Pointer) -> None:
        write_file(self.pointer_path, msgspec.json.format(msgspec.json.encode(pointer), indent=1))

    def _manifest_path(self, digest: str) -> Path:
        return self.path / "manifests" / f"{digest}.json"

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Let one process at a time change the pointer."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o750)
        with (self.path / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _find_slot(pointer: Pointer, name: str, stage: str) -> Slot | None:
    return next((slot for slot in pointer.slots if (slot.name, slot.stage) == (name, stage)), None)
