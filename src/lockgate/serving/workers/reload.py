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
        self.seen: Any = None
        self.wanted: Pointer | None = None
        self.checks: list[BundleCheck] = []
        self.ready: set[int] = set()
        self.asked: set[int] = set()
        self.preparing = False
        self.until = 0.0
        self.refused: dict[int, str] = {}
        try:
            self._demand(state.live, Pointer())
        except GateRefused as error:
            path = state.deployment.path
            raise GateRefused(f"{error}; or go back: lockgate rollback --here {path}") from None
        self.poll(first=True)

    def poll(self, *, first: bool = False, again: bool = False) -> None:
        """Look whether the pointer changed."""
        try:
            found = self.state.deployment.pointer_path.stat()
        except OSError:
            return
        mark = (found.st_mtime_ns, found.st_ino, found.st_size)
        if mark == self.seen and not again:
            return
        if again and self.wanted is None:
            self.refused = {}  # whoever asks again may have mended it
        self.seen = mark
        if not first and self.wanted is None:
            self._begin()

    def step(self) -> None:
        """Go on."""
        if self.wanted is None:
            self.poll()
            self._catch_up()
        elif self.checks:
            self._checked()
        elif self.preparing:
            self._prepared()

    def outcome(self, seq: int) -> str | None:
        """Say what became of an event: "" for live, a reason, or None while it is open."""
        if seq in self.refused:
            return self.refused[seq]
        return "" if self.state.live.seq >= seq else None

    def _begin(self) -> None:
        try:
            pointer = self.state.deployment.pointer()
            new = {s.digest for s in pointer.slots} - {s.digest for s in self.state.live.slots}
            folders = [(self.state.deployment.bundle(digest), digest) for digest in sorted(new)]
            if pointer.seq in self.refused:
                return
            if pointer.seq == self.state.live.seq and _same(pointer, self.state.live):
                self.state.live = pointer  # at most what is noted beside it changed
                return
            self.wanted = pointer
            self._demand(pointer, self.state.live)
            self.checks = [BundleCheck(folder, digest) for folder, digest in folders]
        except (LockgateError, OSError) as error:
            self._refuse(self.wanted, str(error))
            return
        for check in self.checks:
            self.state.selector.register(check, selectors.EVENT_READ, lambda: None)
        if not self.checks:
            self._prepare()

    def _demand(self, pointer: Pointer, live: Pointer) -> None:
        """Refuse what comes without its papers, where they are asked for."""
        if self.state.settings.require_verdict:
            known = {one.address for one in live.slots}
            new = [one for one in pointer.slots if one.address not in known]
            now = time.time() if live.slots else None  # what was served before goes on
            require_provenance(
                self.state.deployment, new, read_signers(self.state.settings.signers), now
            )

    def _checked(self) -> None:
        """Go on when every child is done."""
        done = [check for check in self.checks if check.finished()]
        for check in done:
            self.state.selector.unregister(check)
            self.checks.remove(check)
            if problem := check.verdict():
                for other in self.checks:
                    self.state.selector.unregister(other)
                    other.stop()
                self.checks = []
                self._refuse(self.wanted, problem)
                return
        if not self.checks:
            self._prepare()

    def _prepare(self) -> None:
        self.preparing, self.ready, self.asked = True, set(), set()
        self.until = time.monotonic() + READY_SECONDS
        self._prepared()

    def _send_prepare(self, child: WorkerHandle, pointer: Pointer | None) -> None:
        child.channel.send("prepare", pointer=msgspec.to_builtins(pointer))

    def _prepared(self) -> None:
        """Switch when every worker that serves is ready."""
        if self.wanted is None:
            return
        if time.monotonic() > self.until:
            self._refuse(self.wanted, "the workers could not open it in time")
            return
        serving = {slot for slot, child in self.state.workers.items() if child.serving}
        for slot in serving - self.asked:  # also those that began since
            self.asked.add(slot)
            self._send_prepare(self.state.workers[slot], self.wanted)
        if serving - self.ready:
            return
        pointer, self.wanted, self.preparing = self.wanted, None, False
        self.state.live = pointer
        for slot in self.ready:
            if slot in self.state.workers:
                self.state.workers[slot].channel.send("switch", seq=pointer.seq)
        self.state.counts.once("swaps")
        for one in pointer.slots:
            log.info("serving %s@%s in %s (%s)", one.name, one.version, one.stage, one.digest[:12])

    def worker_message(self, child: WorkerHandle, message: dict[str, Any]) -> None:
        """Hear a worker."""
        op, seq = message["op"], message.get("seq")
        if op == "switched":
            child.seq = message["seq"]
        elif self.wanted is not None and seq == self.wanted.seq and self.preparing:
            if op == "ready":
                self.ready.add(child.slot)
                self._prepared()
            elif op == "failed":
                self._refuse(self.wanted, message["why"])
        elif op == "ready" and seq == self.state.live.seq:
            child.channel.send("switch", seq=seq)  # one that started while others switched
        elif op == "failed":
            log.error("worker %d cannot open what is served: %s", child.slot, message["why"])

    def worker_lost(self, child: WorkerHandle) -> None:
        """Forget a worker that ended; the one in its place starts with what is served."""
        self.ready.discard(child.slot)
        self.asked.discard(child.slot)

    def _catch_up(self) -> None:
        """Bring along workers that were started just before a switch."""
        for child in self.state.workers.values():
            if child.serving and child.seq < self.state.live.seq and not child.behind:
                child.behind = True
                self._send_prepare(child, self.state.live)
            elif child.seq == self.state.live.seq:
                child.behind = False

    def _refuse(self, pointer: Pointer | None, why: str) -> None:
        seq = -1 if pointer is None else pointer.seq
        log.error("not served, what is served stays: %s", why)
        self.state.counts.once("refused_candidates")
        self.refused[seq] = why
        while len(self.refused) > 20:
            del self.refused[min(self.refused)]
        self.wanted, self.preparing = None, False


def _same(one: Pointer, other: Pointer) -> bool:
    """Whether both serve the same, whatever else is noted beside it."""
    return {slot.address for slot in one.slots} == {slot.address for slot in other.slots}
