"""Changing what is served: checked in a child, made ready in every worker, then switched."""

from __future__ import annotations

import logging
import selectors
import time
from typing import Any

import msgspec

from lockgate.deployment.admission import read_signers, require_provenance
from lockgate.deployment.pointer import Pointer
from lockgate.errors import GateRefused, LockgateError
from lockgate.models.bundle.check import BundleCheck
from lockgate.serving.workers.state import ServerState, WorkerHandle

__all__ = ["ModelReloader"]

log = logging.getLogger("lockgate.serve")

READY_SECONDS = 120.0
"""Longest time in which all workers must have opened what is next."""


class ModelReloader:
    """Follows the pointer of the deployment directory.

    A pointer that changed is followed in three steps: a child opens each new
    bundle under limits; every worker opens and warms it; all switch. Up to the
    last step nothing that is served changes, and a failure ends it there.

    Attributes
    ----------
    refused : dict of int to str
        Events that were not followed, with the reason.

    """

    def __init__(self, state: ServerState) -> None:
        self.state = state
        self.fingerprint: Any = None
        self.requested: Pointer | None = None
        self.checks: list[BundleCheck] = []
        self.ready: set[int] = set()
        self.prepare_sent: set[int] = set()
        self.preparing = False
        self.deadline = 0.0
        self.refused: dict[int, str] = {}
        try:
            self._check_provenance(state.live, Pointer())
        except GateRefused as error:
            path = state.deployment.path
            raise GateRefused(f"{error}; or go back: lockgate rollback --here {path}") from None
        self.poll(first=True)

    def poll(self, *, first: bool = False, again: bool = False) -> None:
        """Look whether the pointer changed."""
        try:
            stat = self.state.deployment.pointer_path.stat()
        except OSError:
            return
        fingerprint = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        if fingerprint == self.fingerprint and not again:
            return
        if again and self.requested is None:
            self.refused = {}  # whoever asks again may have mended it
        self.fingerprint = fingerprint
        if not first and self.requested is None:
            self._start_reload()

    def step(self) -> None:
        """Go on."""
        if self.requested is None:
            self.poll()
            self._catch_up()
        elif self.checks:
            self._collect_checks()
        elif self.preparing:
            self._switch_if_ready()

    def outcome(self, seq: int) -> str | None:
        """Say what became of an event: "" for live, a reason, or None while it is open."""
        if seq in self.refused:
            return self.refused[seq]
        return "" if self.state.live.seq >= seq else None

    def _start_reload(self) -> None:
        try:
            pointer = self.state.deployment.pointer()
            new = {s.digest for s in pointer.slots} - {s.digest for s in self.state.live.slots}
            folders = [(self.state.deployment.bundle(digest), digest) for digest in sorted(new)]
            if pointer.seq in self.refused:
                return
            if pointer.seq == self.state.live.seq and _serve_same(pointer, self.state.live):
                self.state.live = pointer  # at most what is noted beside it changed
                return
            self.requested = pointer
            self._check_provenance(pointer, self.state.live)
            self.checks = [BundleCheck(folder, digest) for folder, digest in folders]
        except (LockgateError, OSError) as error:
            self._refuse(self.requested, str(error))
            return
        for check in self.checks:
            self.state.selector.register(check, selectors.EVENT_READ, lambda: None)
        if not self.checks:
            self._prepare()

    def _check_provenance(self, pointer: Pointer, live: Pointer) -> None:
        """Refuse what comes without its papers, where they are asked for."""
        if self.state.settings.require_verdict:
            known = {slot.address for slot in live.slots}
            new = [slot for slot in pointer.slots if slot.address not in known]
            now = time.time() if live.slots else None  # what was served before goes on
            require_provenance(
                self.state.deployment, new, read_signers(self.state.settings.signers), now
            )

    def _collect_checks(self) -> None:
        """Go on when every child is done."""
        finished = [check for check in self.checks if check.finished()]
        for check in finished:
            self.state.selector.unregister(check)
            self.checks.remove(check)
            if problem := check.verdict():
                for other in self.checks:
                    self.state.selector.unregister(other)
                    other.stop()
                self.checks = []
                self._refuse(self.requested, problem)
                return
        if not self.checks:
            self._prepare()

    def _prepare(self) -> None:
        self.preparing, self.ready, self.prepare_sent = True, set(), set()
        self.deadline = time.monotonic() + READY_SECONDS
        self._switch_if_ready()

    def _send_prepare(self, worker: WorkerHandle, pointer: Pointer | None) -> None:
        worker.channel.send("prepare", pointer=msgspec.to_builtins(pointer))

    def _switch_if_ready(self) -> None:
        """Switch when every worker that serves is ready."""
        if self.requested is None:
            return
        if time.monotonic() > self.deadline:
            self._refuse(self.requested, "the workers could not open it in time")
            return
        serving = {slot for slot, worker in self.state.workers.items() if worker.serving}
        for slot in serving - self.prepare_sent:  # also those that began since
            self.prepare_sent.add(slot)
            self._send_prepare(self.state.workers[slot], self.requested)
        if serving - self.ready:
            return
        pointer, self.requested, self.preparing = self.requested, None, False
        self.state.live = pointer
        for slot in self.ready:
            if slot in self.state.workers:
                self.state.workers[slot].channel.send("switch", seq=pointer.seq)
        self.state.metrics.increment("swaps")
        for served_slot in pointer.slots:
            log.info(
                "serving %s@%s in %s (%s)",
                served_slot.name,
                served_slot.version,
                served_slot.stage,
                served_slot.digest[:12],
            )

    def worker_message(self, worker: WorkerHandle, message: dict[str, Any]) -> None:
        """Hear a worker."""
        op, seq = message["op"], message.get("seq")
        if op == "switched":
            worker.seq = message["seq"]
        elif self.requested is not None and seq == self.requested.seq and self.preparing:
            if op == "ready":
                self.ready.add(worker.slot)
                self._switch_if_ready()
            elif op == "failed":
                self._refuse(self.requested, message["why"])
        elif op == "ready" and seq == self.state.live.seq:
            worker.channel.send("switch", seq=seq)  # one that started while others switched
        elif op == "failed":
            log.error("worker %d cannot open what is served: %s", worker.slot, message["why"])

    def worker_lost(self, worker: WorkerHandle) -> None:
        """Forget a worker that ended; the one in its place starts with what is served."""
        self.ready.discard(worker.slot)
        self.prepare_sent.discard(worker.slot)

    def _catch_up(self) -> None:
        """Bring along workers that were started just before a switch."""
        for worker in self.state.workers.values():
            if worker.serving and worker.seq < self.state.live.seq and not worker.behind:
                worker.behind = True
                self._send_prepare(worker, self.state.live)
            elif worker.seq == self.state.live.seq:
                worker.behind = False

    def _refuse(self, pointer: Pointer | None, reason: str) -> None:
        seq = -1 if pointer is None else pointer.seq
        log.error("not served, what is served stays: %s", reason)
        self.state.metrics.increment("refused_candidates")
        self.refused[seq] = reason
        while len(self.refused) > 20:
            del self.refused[min(self.refused)]
        self.requested, self.preparing = None, False


def _serve_same(pointer: Pointer, other: Pointer) -> bool:
    """Whether both serve the same, whatever else is noted beside it."""
    return {slot.address for slot in pointer.slots} == {slot.address for slot in other.slots}
