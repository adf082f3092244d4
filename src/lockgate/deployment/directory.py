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

Nothing here needs a network or Git. The pointer contains the event that wrote it, so a process
killed between the two files loses no line: the next event writes the missing one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
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
from lockgate.deployment.transitions import deployed, rolled_back_here, synchronized
from lockgate.errors import DeploymentChanged, DeploymentError
from lockgate.models.bundle.manifest import Manifest, read_manifest, verify_files
from lockgate.registry.slots import STAGE, Slot, choose_previous, with_left

__all__ = ["Deployment"]


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
        left: Collection[str] = (),
        check: Callable[[Path], None] | None = None,
        expect_seq: int | None = None,
    ) -> Pointer:
        """Copy a bundle here and serve it.

        Parameters
        ----------
        source : pathlib.Path
            The bundle.
        version : str, optional
            Version to serve it as; by default the beginning of its digest.
        stage : str
            Stage, e.g. ``prod`` or ``canary``.
        reason : str
            Reason for the record.
        verdict : str, optional
            sha256 of the gates' verdict on it.
        following : tuple of int and str
            Number and id of the ledger event that is followed; number 0 for none.
        override : bool
            Whether that event overrode the gates.
        left : collection of str
            Digests of bundles that the ledger was rolled back from.
        check : callable, optional
            Called with the copied bundle's folder; raises if it must not be served.
        expect_seq : int, optional
            Number of the event that must be the last one here, 0 for none.

        Raises
        ------
        BundleError
            If the bundle is incomplete or changed.
        DeploymentChanged
            If the last event is another one.
        DeploymentError
            If the version is another bundle already, or a stage has that name.
        UsageError
            If the version or the stage is not a valid name.

        """
        check_label(stage)
        if version is not None:
            check_label(version)
        with self._lock():
            self._check_seq(expect_seq)
            manifest, digest = self._files.store(source)
            if check is not None:
                check(self.bundle(digest))
            version = version or digest[:12]
            pointer = self.pointer() if self.exists() else self._create_pointer()
            old = pointer.find(manifest.name, stage)
            new = Slot(
                manifest.name,
                stage,
                version,
                digest,
                verdict=verdict,
                ledger=following[0],
                event=following[1],
                override=override,
            )
            slot, is_new = deployed(old, new)
            slot = with_left(slot, left)
            if not is_new:
                return self._replace(pointer, slot)
            check_version(read_record(self.history_path), pointer, new)
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
            new_slot = rolled_back_here(slot, previous, by_person=op == "rollback")
            return self._write_event(pointer, new_slot, op, reason)

    def mark(
        self, name: str, stage: str, following: tuple[int, str], *, expect_seq: int | None = None
    ) -> None:
        """Note that the ledger knows what is served, as of this event, and all rollbacks here.

        Raises DeploymentChanged if the last event here is not `expect_seq`.
        """
        with self._lock():
            self._check_seq(expect_seq)
            pointer = self.pointer()
            self._replace(pointer, synchronized(pointer.require(name, stage), *following))

    def _replace(self, pointer: Pointer, slot: Slot) -> Pointer:
        """Replace a slot whose bundle stays the same."""
        key = (slot.name, slot.stage)
        slots = tuple(slot if (old.name, old.stage) == key else old for old in pointer.slots)
        if slots == pointer.slots:
            return pointer
        pointer = msgspec.structs.replace(pointer, slots=slots)
        self._write(pointer)
        return pointer

    def _check_seq(self, expected: int | None) -> None:
        if expected is not None:
            seq = self.pointer().seq if self.exists() else 0
            if seq != expected:
                raise DeploymentChanged(
                    f"{self.path} was changed meanwhile: its last event is {seq}, not {expected}"
                )

    def remove(
        self,
        name: str,
        stage: str,
        *,
        reason: str = "",
        op: str = "remove",
        expect_seq: int | None = None,
    ) -> Pointer:
        """Stop serving a model in a stage; as `mark`, not if another command was faster."""
        with self._lock():
            self._check_seq(expect_seq)
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
