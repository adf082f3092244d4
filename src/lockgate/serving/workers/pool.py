"""The worker processes: started, watched, and restarted when they end.

States of a worker, and the events that change them::

    starting    message "ready"               -> opened
                silent for START_SECONDS      -> killed
    opened      silent for SUSPECT_SECONDS    -> opened; changes do not wait for it
                silent for SILENT_SECONDS     -> killed
    killed      still there after KILL_SECONDS -> waiting, as if it had ended
    any         process ended                 -> waiting, or gone if the server is draining
    waiting     restart time reached          -> starting
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import time
from collections.abc import Callable
from typing import NoReturn

from lockgate.deployment.control.channel import Channel
from lockgate.serving.workers import swap_events as on
from lockgate.serving.workers.state import ServerState, WorkerHandle

__all__ = ["WorkerPool"]

log = logging.getLogger("lockgate.serve")

START_SECONDS = 120.0
"""Longest time that a worker may take to open its bundles."""

SUSPECT_SECONDS = 2.0
"""Time without a response to pings after which no change waits for a worker."""

SILENT_SECONDS = 10.0
"""Time without a response to pings after which a worker is killed, and replaced."""

PING_SECONDS = 0.5
"""Time without a message after which a worker is pinged."""

KILL_SECONDS = 2.0
"""Time after which a killed worker is replaced although it is still there, as when the
kernel waits for a disk."""

REAP_SECONDS = 0.005
"""Time between two looks at killed workers: waitpid cannot wait for a limited time."""

QUICK_SECONDS = 1.0
"""A worker that ends sooner has failed quickly; several in a row are restarted with a delay."""


class WorkerPool:
    """Starts, watches and restarts workers.

    Parameters
    ----------
    state : ServerState
        The server; the pool adds and removes its workers.
    run_child : callable
        Called in a new process with its slot and the two ends of its channel.
    on_message : callable
        Called when a worker's channel is readable.
    on_event : callable
        Called when a worker has started, is silent, or responds again.

    """

    def __init__(
        self,
        state: ServerState,
        *,
        run_child: Callable[[int, socket.socket, socket.socket], NoReturn],
        on_message: Callable[[WorkerHandle], None],
        on_event: Callable[[on.Event], None],
    ) -> None:
        self.state = state
        self._run_child, self._on_message, self._on_event = run_child, on_message, on_event
        self._unreaped: set[int] = set()
        self._last_watch = time.monotonic()
        self._restart_times: dict[int, float] = {}
        self._quick_failures = 0

    def start(self, slot: int) -> None:
        """Fork a worker; try again later if the system has no memory or descriptors for it."""
        try:
            local_end, worker_end = socket.socketpair()
            pid = os.fork()
        except OSError as error:
            log.error("worker %d cannot be started: %s", slot, error)
            self._restart_times[slot] = time.monotonic() + 1
            return
        if pid == 0:
            self._run_child(slot, local_end, worker_end)
        worker_end.close()
        worker = WorkerHandle(slot, pid, Channel(local_end))
        self.state.workers[slot] = worker
        self.state.selector.register(
            worker.channel, selectors.EVENT_READ, lambda: self._on_message(worker)
        )
        self._on_event(on.WorkerStarted(pid))

    def start_waiting(self, now: float) -> None:
        """Start the workers whose restart time is reached."""
        for slot in [slot for slot, due in self._restart_times.items() if due <= now]:
            del self._restart_times[slot]
            self.start(slot)

    def worker_serving(self, worker: WorkerHandle) -> None:
        """Note that a worker accepts requests."""
        worker.serving = True
        self._quick_failures = 0

    def heard(self, worker: WorkerHandle) -> None:
        """Note that a worker has sent a message."""
        worker.quiet_seconds, worker.opened = 0.0, True
        if worker.silent:
            worker.silent = False
            self._on_event(on.WorkerHeard(worker.pid))

    def remove_ended(self) -> list[WorkerHandle]:
        """Remove workers whose process ended, with the reason, and return them."""
        self._unreaped = {pid for pid in self._unreaped if os.waitpid(pid, os.WNOHANG)[0] == 0}
        ended, now = [], time.monotonic()
        for slot, worker in list(self.state.workers.items()):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid == 0:
                if not worker.killed or now - worker.killed < KILL_SECONDS:
                    continue
                self._unreaped.add(worker.pid)
            for message in worker.channel.receive():  # the last one may be the reason
                worker.reason = message.get("why", worker.reason)
            worker.reason = worker.reason or (
                _exit_reason(status) if pid else "it cannot be killed"
            )
            self.unregister(worker)
            worker.channel.close()
            del self.state.workers[slot]
            ended.append(worker)
        return ended

    def restart(self, worker: WorkerHandle) -> None:
        """Schedule a new worker in place of one that ended."""
        quick = time.monotonic() - worker.started < QUICK_SECONDS
        self._quick_failures = self._quick_failures + 1 if quick else 0
        delay = min(5.0, 0.1 * 2**self._quick_failures) if self._quick_failures > 2 else 0.0
        log.error("worker %d ended (%s) and is being restarted", worker.slot, worker.reason)
        self.state.metrics.increment("restarts")
        self._restart_times[worker.slot] = time.monotonic() + delay

    def watch(self, now: float) -> None:
        """Ping workers; report those that do not respond, and kill them if that lasts.

        Only the time in which the supervisor itself was running counts.
        """
        passed, self._last_watch = min(now - self._last_watch, 2 * PING_SECONDS), now
        for worker in self.state.workers.values():
            worker.channel.flush()
            worker.quiet_seconds += passed
            if worker.killed:
                continue
            if not worker.opened:
                limit = START_SECONDS
            else:
                limit = SILENT_SECONDS
                if worker.quiet_seconds > PING_SECONDS and now - worker.pinged > PING_SECONDS:
                    worker.pinged = now
                    worker.channel.send("ping")
                if worker.quiet_seconds > SUSPECT_SECONDS and not worker.silent:
                    worker.silent = True
                    self._on_event(on.WorkerSilent(worker.pid))
            if worker.quiet_seconds > limit:
                log.error("worker %d does not respond and is killed", worker.slot)
                worker.reason = f"no response for {limit:g} s"
                worker.kill()

    def kill_all(self) -> None:
        """Kill all workers, and wait for their end for a moment."""
        pids = {worker.pid for worker in self.state.workers.values()}
        for worker in self.state.workers.values():
            worker.kill()
        deadline = time.monotonic() + KILL_SECONDS
        while pids and time.monotonic() < deadline:
            pids = {pid for pid in pids if not _has_ended(pid)}
            time.sleep(REAP_SECONDS)
        self.state.workers.clear()

    def unregister(self, worker: WorkerHandle) -> None:
        """Stop waiting for a worker's messages."""
        with contextlib.suppress(KeyError, ValueError):
            self.state.selector.unregister(worker.channel)


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def _exit_reason(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    return f"exit code {os.WEXITSTATUS(status)}"
