"""Does what the swap decides: reads the pointer, checks bundles, and tells workers.

The decisions are in `swap`; here are the files, processes and clocks of their events and effects.
"""

from __future__ import annotations

import collections
import logging
import selectors
import time
from typing import Any

import msgspec

from lockgate.deployment.admission import read_signers, require_provenance
from lockgate.deployment.pointer import Pointer
from lockgate.errors import GateRefused, LockgateError
from lockgate.models.bundle.check import BundleCheck
from lockgate.serving.workers import swap_events as on
from lockgate.serving.workers.banner import log_served
from lockgate.serving.workers.state import ServerState, WorkerHandle
from lockgate.serving.workers.swap import handle
from lockgate.serving.workers.swap_state import Phase

__all__ = ["ModelReloader"]

log = logging.getLogger("lockgate.serve")

PREPARE_SECONDS = 120.0
"""Longest time until all workers must have opened the requested bundles."""


class ModelReloader:
    """Follows the pointer of the deployment directory.

    Parameters
    ----------
    state : ServerState
        The server.

    Raises
    ------
    GateRefused
        If a bundle lacks a verdict that the settings require.

    """

    def __init__(self, state: ServerState) -> None:
        self.state = state
        self._checks: list[BundleCheck] = []
        self._deadline, self._deadline_of = 0.0, 0
        try:
            self._check_provenance(state.swap.live, Pointer())
        except GateRefused as error:
            path = state.deployment.path
            raise GateRefused(
                f"{error}; or serve the previous bundle: lockgate rollback --here {path}"
            ) from None
        self._fingerprint: tuple[int, int, int] | None = None  # read again by the first poll

    def poll(self, *, again: bool = False) -> None:
        """Read the pointer if it changed; with `again`, also if it did not."""
        fingerprint = self._read_fingerprint()
        if fingerprint is None or (fingerprint == self._fingerprint and not again):
            return
        self._fingerprint = fingerprint
        try:
            pointer = self.state.deployment.pointer()
        except (LockgateError, OSError) as error:
            self.on_event(on.PointerUnreadable(str(error)))
        else:
            self.on_event(on.PointerChanged(pointer, again))

    def step(self) -> None:
        """Do whatever does not wait for a message; called many times a second."""
        self.poll()
        self._collect_checks()
        if self._deadline_of and time.monotonic() > self._deadline:
            generation, self._deadline_of = self._deadline_of, 0
            self.on_event(on.DeadlinePassed(generation))

    def on_event(self, event: on.Event) -> None:
        """Let the swap handle an event, and do what follows, and what follows from that."""
        waiting: collections.deque[on.Event] = collections.deque([event])
        while waiting:
            self.state.swap, effects = handle(self.state.swap, waiting.popleft())
            for effect in effects:
                waiting.extend(self._do(effect))

    def on_worker_message(self, worker: WorkerHandle, message: dict[str, Any]) -> None:
        """Handle "ready", "failed" or "switched" of a worker."""
        op, generation = message["op"], message.get("generation", 0)
        if op == "ready":
            self.on_event(on.WorkerReady(worker.pid, generation))
        elif op == "switched":
            self.on_event(on.WorkerSwitched(worker.pid, generation))
        elif op == "failed":
            log.error("worker %d cannot open its bundles: %s", worker.slot, message["why"])
            self.on_event(on.WorkerFailed(worker.pid, generation, message["why"]))

    def _do(self, effect: on.Effect) -> list[on.Event]:
        """Do what follows from an event; return the events that follow at once."""
        match effect:
            case on.StartCheck():
                return self._start_checks(effect)
            case on.StopCheck():
                self._stop_checks()
            case on.StartDeadline():
                self._deadline = time.monotonic() + PREPARE_SECONDS
                self._deadline_of = effect.generation
            case on.Prepare():
                pointer = msgspec.to_builtins(effect.pointer)
                self._send(effect.worker, "prepare", pointer=pointer, generation=effect.generation)
            case on.Switch():
                self._send(effect.worker, "switch", generation=effect.generation)
            case on.Kill():
                if worker := self.state.find_worker(effect.worker):
                    log.error("worker %d is replaced: %s", worker.slot, effect.reason)
                    worker.kill()
            case on.Serving():
                self.state.metrics.increment("swaps")
                log_served(effect.pointer.slots)
            case on.Rejected():
                log.error("reload rejected, serving continues unchanged: %s", effect.reason)
                self.state.metrics.increment("refused_candidates")
        return []

    def _send(self, pid: int, op: str, **fields: Any) -> None:
        if worker := self.state.find_worker(pid):
            worker.channel.send(op, **fields)

    # files

    def _read_fingerprint(self) -> tuple[int, int, int] | None:
        """Return what changes whenever the pointer is written; None if it does not exist."""
        try:
            stat = self.state.deployment.pointer_path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_ino, stat.st_size

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

    # checks

    def _start_checks(self, effect: on.StartCheck) -> list[on.Event]:
        """Open each new bundle in a child process under limits."""
        live = self.state.swap.live
        try:
            self._check_provenance(effect.pointer, live)
            served = {slot.digest for slot in live.slots}
            for digest in sorted({slot.digest for slot in effect.pointer.slots} - served):
                check = BundleCheck(self.state.deployment.bundle(digest), digest)
                self._checks.append(check)
                self.state.selector.register(check, selectors.EVENT_READ, lambda: None)
        except (LockgateError, OSError) as error:
            self._stop_checks()
            return [on.CheckFailed(effect.generation, str(error))]
        return [] if self._checks else [on.CheckPassed(effect.generation)]

    def _collect_checks(self) -> None:
        if self.state.swap.phase is not Phase.CHECKING:
            return
        for check in [check for check in self._checks if check.finished()]:
            self._remove_check(check)
            if problem := check.verdict():
                self._stop_checks()
                self.on_event(on.CheckFailed(self.state.swap.last, problem))
                return
        if not self._checks:
            self.on_event(on.CheckPassed(self.state.swap.last))

    def _stop_checks(self) -> None:
        for check in list(self._checks):
            self._remove_check(check)
            check.stop()

    def _remove_check(self, check: BundleCheck) -> None:
        self.state.selector.unregister(check)
        self._checks.remove(check)
