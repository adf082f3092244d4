"""The deployment directory: bundles by digest, and one pointer to those that are served.

::

    DIR/
      current.json              the pointer, replaced atomically
      history.ndjson            the record, one event per line
      bundles/<digest>/         the bundles that are served or can be rolled back to
      manifests/<digest>.json   of every bundle that was ever here, for tracing predictions
      proofs/                   provenance that a server checks, see `deployment.admission`
      log/                      the prediction log
      control.sock              the control socket of a running server

Nothing here needs a network or Git. The pointer contains the event that wrote
it, so a process killed between the two files loses no line: the next event
writes the missing one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from lockgate.data.io.atomic import write_file
from lockgate.data.io.identity import current_user
from lockgate.deployment.bundle_files import BundleFiles
from lockgate.deployment.change_lock import lock_changes
from lockgate.deployment.pointer import DeploymentEvent, Pointer, check_label, check_version
from lockgate.deployment.record import append_event, read_record
from lockgate.deployment.reserve import with_reserve
from lockgate.errors import DeploymentError
from lockgate.models.bundle.manifest import Manifest, read_manifest, verify_files
from lockgate.registry.slots import STAGE, Slot, choose_previous, promoted, rolled_back

__all__ = ["Deployment"]

MAX_PREVIOUS = 5
"""Earlier bundles of each model and stage that are kept for rollbacks."""


class Deployment:
    """A deployment directory.

    Parameters
    ----------
    path : pathlib.Path
        The directory; created by the first `deploy`.

    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.pointer_path = self.path / "current.json"
        self.history_path = self.path / "history.ndjson"
        self._files = BundleFiles(self.path)

    def exists(self) -> bool:
        """Whether anything was ever deployed here."""
        return self.pointer_path.is_file()

    def pointer(self) -> Pointer:
        """Read the pointer.

        Raises
        ------
        DeploymentError
            If this is not a deployment directory, or the file is damaged.

        """
        try:
            return msgspec.json.decode(self.pointer_path.read_bytes(), type=Pointer)
        except (FileNotFoundError, NotADirectoryError):
            raise DeploymentError(
                f"{self.path} is not a deployment directory; create it with "
                f"lockgate deploy BUNDLE {self.path}"
            ) from None
        except (msgspec.DecodeError, UnicodeError, RecursionError, OSError) as error:
            raise DeploymentError(
                f"{self.pointer_path} is damaged: {str(error)[:300]}; remove it, and deploy the "
                f"bundle in the last line of {self.history_path.name} again"
            ) from None

    def bundle(self, digest: str) -> Path:
        """Return the folder for a bundle with this digest, whether or not it exists."""
        return self._files.folder(digest)

    def manifest(self, digest: str) -> Manifest | None:
        """Read the manifest of a bundle that is, or was, deployed here."""
        return self._files.manifest(digest)

    def history(self) -> list[DeploymentEvent]:
        """Read all events, oldest first."""
        events = read_record(self.history_path)
        last = self.pointer().event if self.exists() else None
        if last is not None and (not events or events[-1].seq < last.seq):
            events.append(last)
        return events

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
        """Copy a bundle here and serve it.

        Parameters
        ----------
        source : pathlib.Path
            The bundle.
        version : str, optional
            Version to serve it as; by default the beginning of its digest.
        stage : str
            Stage to serve it in, e.g. ``prod`` or ``canary``.
        reason : str
            Reason for the record.
        verdict : str, optional
            sha256 of the gates' verdict on it.
        following : tuple of int and str
            Number and id of the ledger event that is followed; number 0 for none.
        override : bool
            Whether that event overrode the gates.
        check : callable, optional
            Called with the copied bundle's folder; raises if it must not be served.

        Raises
        ------
        BundleError
            If the bundle is incomplete or changed.
        DeploymentError
            If the version is another bundle already, or a stage has that name.
        UsageError
            If the version or the stage is not a valid name.

        """
        check_label(stage)
        if version is not None:
            check_label(version)
        with self._lock():
            manifest, digest = self._files.store(source)
            if check is not None:
                check(self.bundle(digest))
            version = version or digest[:12]
            pointer = self.pointer() if self.exists() else self._create_pointer()
            old = pointer.find(manifest.name, stage)
            if old is not None and (old.version, old.digest) == (version, digest):
                # the ledger may have promoted the same bundle again, with another verdict
                renewed = msgspec.structs.replace(
                    old, verdict=verdict or old.verdict, override=override
                )
                return self._mark_followed(pointer, old, renewed, following)
            check_version(
                read_record(self.history_path), pointer, Slot(manifest.name, stage, version, digest)
            )
            # a local deployment over one that follows the ledger is not undone by `follow`
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
        """Serve an earlier bundle again, by default the previous one.

        Parameters
        ----------
        name : str, optional
            Model; not needed where only one is served.
        stage : str
            Stage.
        to : str, optional
            A version, or the beginning of a digest.
        reason : str
            Reason for the record.
        op : str
            Operation for the record.
        expect : str, optional
            Digest that must be served now; otherwise nothing changes.
        check : callable, optional
            Called with the bundle's folder; raises if it must not be served.

        Raises
        ------
        DeploymentError
            If nothing, or no such bundle, was served before.
        BundleError
            If the earlier bundle is incomplete or changed.

        """
        with self._lock():
            pointer = self.pointer()
            slot = pointer.require(name, stage)
            if expect is not None and slot.digest != expect:
                return pointer
            previous = choose_previous(slot, to)
            folder = self.bundle(previous.digest)
            verify_files(folder, read_manifest(folder))
            if check is not None:
                check(folder)
            # the ledger would deploy it again: `held` prevents that until lockgate sync
            rolled_back_here = op == "rollback" and bool(slot.ledger)
            new_slot = rolled_back(slot, previous, limit=MAX_PREVIOUS, held=rolled_back_here)
            new_slot = msgspec.structs.replace(new_slot, local=slot.local or rolled_back_here)
            return self._write_event(pointer, new_slot, op, reason)

    def mark(self, name: str, stage: str, following: tuple[int, str]) -> None:
        """Note that the ledger knows what is served, as of this event, and all rollbacks here."""
        with self._lock():
            pointer = self.pointer()
            slot = pointer.require(name, stage)
            before = tuple(msgspec.structs.replace(bundle, held=False) for bundle in slot.before)
            released = msgspec.structs.replace(slot, before=before)
            self._mark_followed(pointer, slot, released, following)

    def _mark_followed(
        self, pointer: Pointer, slot: Slot, updated: Slot, following: tuple[int, str]
    ) -> Pointer:
        """Replace a slot whose bundle stays the same, and note the ledger event."""
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
        """Stop serving a model in a stage."""
        with self._lock():
            pointer = self.pointer()
            slot = pointer.require(name, stage)
            return self._write_event(pointer, slot, op, reason, removed=True)

    def _create_pointer(self) -> Pointer:
        """Return an empty pointer; event numbers continue those of the record."""
        events = read_record(self.history_path)
        return Pointer(event=events[-1] if events else None)

    def _write_event(
        self, pointer: Pointer, slot: Slot, op: str, reason: str, *, removed: bool = False
    ) -> Pointer:
        """Write the pointer with a new event, then the event to the record.

        The previous event is appended first, in case a process was killed between
        the two writes.
        """
        key = (slot.name, slot.stage)
        old = pointer.find(*key)
        event = DeploymentEvent(
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

        def write() -> None:
            append_event(self.history_path, pointer.event)
            self._write(new_pointer)
            append_event(self.history_path, event)

        with_reserve(self.path, write)
        referenced = {entry.digest for entry in new_pointer.slots}
        referenced |= {earlier.digest for entry in new_pointer.slots for earlier in entry.before}
        self._files.keep_only(referenced)
        return new_pointer

    def _write(self, pointer: Pointer) -> None:
        write_file(self.pointer_path, msgspec.json.format(msgspec.json.encode(pointer), indent=1))

    def _lock(self) -> contextlib.AbstractContextManager[None]:
        """Exclude other commands from changing the pointer."""
        return lock_changes(self.path)
