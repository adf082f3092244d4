"""Changes what is served: new bundles are checked, opened by every worker, then switched to.

States of a reload, and the events that change them::

    idle        pointer changed          -> checking; preparing if it has no new bundle;
                                            idle if it serves the same, or was rejected before
    checking    all checks passed        -> preparing
                a check failed           -> idle, rejected
    preparing   a worker started serving -> preparing; it is told to prepare, too
                a worker ended           -> preparing; nothing waits for it any more
                all workers are ready    -> idle, switched
                a worker failed          -> idle, rejected
                deadline passed          -> idle, rejected

Up to the switch, what is served does not change, so a rejection has no effect on clients.
"""

from __future__ import annotations

import enum
import logging
import selectors
import time
from typing import Any

import msgspec

from lockgate.deployment.admission import read_signers, require_provenance
from lockgate.deployment.pointer import Pointer
from lockgate.errors import GateRefused, LockgateError
from lockgate.models.bundle.check import BundleCheck
from lockgate.serving.workers.banner import log_served
from lockgate.serving.workers.state import ServerState, WorkerHandle

__all__ = ["ModelReloader", "ReloadState"]

log = logging.getLogger("lockgate.serve")

PREPARE_SECONDS = 120.0
"""Longest time until all workers must have opened the requested bundles."""

MAX_REJECTED = 20
"""Rejected events that are remembered."""


class ReloadState(enum.Enum):
    """State of a reload."""

    IDLE = "idle"
    CHECKING = "checking"
    PREPARING = "preparing"


class ModelReloader:
    """Follows the pointer of the deployment directory.

    Parameters
    ----------
    state : ServerState
        The server.

    Attributes
    ----------
    reload_state : ReloadState
        State of the reload.
    requested : Pointer or None
        The pointer that is being changed to; None while idle.
    rejected : dict of int to str
        Reasons of the events that were rejected, by their number.

    Raises
    ------
    GateRefused
        If a bundle lacks a verdict that the settings require.

    """

    def __init__(self, state: ServerState) -> None:
        self.state = state
        self.reload_state = ReloadState.IDLE
        self.requested: Pointer | None = None
        self.rejected: dict[int, str] = {}
        self._checks: list[BundleCheck] = []
        self._told_to_prepare: set[int] = set()
        self._ready: set[int] = set()
        self._deadline = 0.0
        try:
            self._check_provenance(state.live, Pointer())
        except GateRefused as error:
            path = state.deployment.path
            raise GateRefused(
                f"{error}; or serve the previous bundle: lockgate rollback --here {path}"
            ) from None
        self._fingerprint = self._read_fingerprint()

    def poll(self, *, again: bool = False) -> None:
        """Start a reload if the pointer changed; with `again`, also if it did not."""
        if self.reload_state is not ReloadState.IDLE:
            return  # the change is noticed when this reload has ended
        fingerprint = self._read_fingerprint()
        if fingerprint is None or (fingerprint == self._fingerprint and not again):
            return
        if again:
            self.rejected = {}  # the reason may have been fixed since
        self._fingerprint = fingerprint
        self._on_pointer_changed()

    def step(self) -> None:
        """Do whatever does not wait for a message; called many times a second."""
        if self.reload_state is ReloadState.IDLE:
            self.poll()
            self._catch_up()
        elif self.reload_state is ReloadState.CHECKING:
            self._collect_checks()
        else:
            self._switch_if_ready()

    def outcome(self, seq: int) -> str | None:
        """Return the outcome of an event: "" if it is live, the reason if rejected, or None."""
        if seq in self.rejected:
            return self.rejected[seq]
        return "" if self.state.live.seq >= seq else None

    # events

    def on_worker_message(self, worker: WorkerHandle, message: dict[str, Any]) -> None:
        """Handle "ready", "failed" or "switched" of a worker."""
        op, seq = message["op"], message.get("seq")
        if op == "switched":
            worker.seq = message["seq"]
        elif self._is_preparing(seq):
            if op == "ready":
                self._ready.add(worker.slot)
                self._switch_if_ready()
            elif op == "failed":
                self._reject(self.requested, message["why"])
        elif op == "ready" and seq == self.state.live.seq:
            worker.channel.send("switch", seq=seq)  # it started while the others switched
        elif op == "failed":
            log.error("worker %d cannot open its bundles: %s", worker.slot, message["why"])

    def on_worker_ended(self, worker: WorkerHandle) -> None:
        """Forget a worker; the one in its place starts with what is served."""
        self._ready.discard(worker.slot)
        self._told_to_prepare.discard(worker.slot)

    def _on_pointer_changed(self) -> None:
        pointer = None
        try:
            pointer = self.state.deployment.pointer()
            if pointer.seq in self.rejected:
                return
            if pointer.seq == self.state.live.seq and _serve_same(pointer, self.state.live):
                self.state.live = pointer  # only the ledger's event or a verdict changed
                return
            self._check_provenance(pointer, self.state.live)
            self._start_checks(pointer)
        except (LockgateError, OSError) as error:
            self._reject(pointer, str(error))
            return
        if not self._checks:
            self._on_checks_passed()

    def _on_checks_passed(self) -> None:
        self.reload_state = ReloadState.PREPARING
        self._ready, self._told_to_prepare = set(), set()
        self._deadline = time.monotonic() + PREPARE_SECONDS
        self._switch_if_ready()

    # idle

    def _read_fingerprint(self) -> tuple[int, int, int] | None:
        """Return what changes whenever the pointer is written; None if it does not exist."""
        try:
            stat = self.state.deployment.pointer_path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_ino, stat.st_size

    def _catch_up(self) -> None:
        """Prepare workers that were forked before a switch and started serving after it."""
        for worker in self.state.workers.values():
            if worker.serving and worker.seq < self.state.live.seq and not worker.behind:
                worker.behind = True
                _send_prepare(worker, self.state.live)
            elif worker.seq == self.state.live.seq:
                worker.behind = False

    def _check_provenance(self, pointer: Pointer, live: Pointer) -> None:
        """Check the provenance of slots that are not live, if the settings require it."""
        if self.state.settings.require_verdict:
            known = {slot.address for slot in live.slots}
            new = [slot for slot in pointer.slots if slot.address not in known]
            # a restart must not fail because a key has expired since the deployment
            now = time.time() if live.slots else None
            require_provenance(
                self.state.deployment, new, read_signers(self.state.settings.signers), now
            )

    # checking

    def _start_checks(self, pointer: Pointer) -> None:
        """Open each new bundle in a child process under limits."""
        live = {slot.digest for slot in self.state.live.slots}
        for digest in sorted({slot.digest for slot in pointer.slots} - live):
            check = BundleCheck(self.state.deployment.bundle(digest), digest)
            self._checks.append(check)
            self.state.selector.register(check, selectors.EVENT_READ, lambda: None)
        self.requested, self.reload_state = pointer, ReloadState.CHECKING

    def _collect_checks(self) -> None:
        for check in [check for check in self._checks if check.finished()]:
            self._remove_check(check)
            if problem := check.verdict():
                self._reject(self.requested, problem)
                return
        if not self._checks:
            self._on_checks_passed()

    def _remove_check(self, check: BundleCheck) -> None:
        self.state.selector.unregister(check)
        self._checks.remove(check)

    # preparing

    def _is_preparing(self, seq: int | None) -> bool:
        return (
            self.reload_state is ReloadState.PREPARING
            and self.requested is not None
            and self.requested.seq == seq
        )

    def _switch_if_ready(self) -> None:
        """Tell workers to prepare; switch when every worker that is serving is ready."""
        assert self.requested is not None
        if time.monotonic() > self._deadline:
            self._reject(self.requested, "the workers did not open the bundles in time")
            return
        serving = {slot for slot, worker in self.state.workers.items() if worker.serving}
        for slot in serving - self._told_to_prepare:
            self._told_to_prepare.add(slot)
            _send_prepare(self.state.workers[slot], self.requested)
        if serving <= self._ready:
            self._switch(self.requested)

    def _switch(self, pointer: Pointer) -> None:
        self.state.live = pointer
        self.requested, self.reload_state = None, ReloadState.IDLE
        for slot in self._ready:
            if slot in self.state.workers:
                self.state.workers[slot].channel.send("switch", seq=pointer.seq)
        self.state.metrics.increment("swaps")
        log_served(pointer.slots)

    # the end of a reload

    def _reject(self, pointer: Pointer | None, reason: str) -> None:
        """End the reload without a switch; None stands for a pointer that cannot be read."""
        for check in list(self._checks):
            self._remove_check(check)
            check.stop()
        log.error("reload rejected, serving continues unchanged: %s", reason)
        self.state.metrics.increment("refused_candidates")
        self.rejected[-1 if pointer is None else pointer.seq] = reason
        while len(self.rejected) > MAX_REJECTED:
            del self.rejected[min(self.rejected)]
        self.requested, self.reload_state = None, ReloadState.IDLE


def _send_prepare(worker: WorkerHandle, pointer: Pointer) -> None:
    worker.channel.send("prepare", pointer=msgspec.to_builtins(pointer))


def _serve_same(pointer: Pointer, other: Pointer) -> bool:
    """Whether both serve the same bundles under the same names."""
    return {slot.address for slot in pointer.slots} == {slot.address for slot in other.slots}
