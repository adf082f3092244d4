"""The worker processes: started, watched, and restarted when they end.

States of a worker, and the events that change them::

    starting    message "serving"             -> serving
                silent for START_SECONDS      -> killed
    serving     silent for SILENT_SECONDS     -> killed
    any         process ended                 -> waiting, or gone if the server is draining
    waiting     restart time reached          -> starting
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from typing import NoReturn

from lockgate.deployment.control.channel import Channel
from lockgate.serving.workers.state import ServerState, WorkerHandle

__all__ = ["WorkerPool"]

log = logging.getLogger("lockgate.serve")

START_SECONDS = 120.0
"""Longest time that a worker may take to open its bundles."""

SILENT_SECONDS = 60.0
"""Time after which a worker that does not respond to pings is killed."""

PING_SECONDS = 2.0
"""Time without a message after which a worker is pinged."""

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

    """

    def __init__(
        self,
        state: ServerState,
        *,
        run_child: Callable[[int, socket.socket, socket.socket], NoReturn],
        on_message: Callable[[WorkerHandle], None],
    ) -> None:
        self.state = state
        self._run_child, self._on_message = run_child, on_message
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
        worker = WorkerHandle(slot, pid, Channel(local_end), self.state.live.seq)
        self.state.workers[slot] = worker
        self.state.selector.register(
            worker.channel, selectors.EVENT_READ, lambda: self._on_message(worker)
        )

    def start_waiting(self, now: float) -> None:
        """Start the workers whose restart time is reached."""
        for slot in [slot for slot, due in self._restart_times.items() if due <= now]:
            del self._restart_times[slot]
            self.start(slot)

    def worker_serving(self, worker: WorkerHandle, seq: int) -> None:
        """Note that a worker is serving the pointer with this number."""
        worker.serving, worker.seq = True, seq
        self._quick_failures = 0

    def remove_ended(self) -> list[WorkerHandle]:
        """Remove workers whose process ended, with the reason, and return them."""
        ended = []
        for slot, worker in list(self.state.workers.items()):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid == 0:
                continue
            for message in worker.channel.receive():  # the last one may be the reason
                worker.reason = message.get("why", worker.reason)
            worker.reason = worker.reason or _exit_reason(status)
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

    def kill_silent(self, now: float) -> None:
        """Kill workers that do not start or do not respond; ping those that are quiet."""
        for worker in self.state.workers.values():
            if worker.serving:
                silent = now - worker.last_heard > SILENT_SECONDS
                if now - worker.last_heard > PING_SECONDS:
                    worker.channel.send("ping")
            else:
                silent = now - worker.started > START_SECONDS
            if silent:
                log.error("worker %d does not respond and is killed", worker.slot)
                _kill(worker)

    def kill_all(self) -> None:
        """Kill all workers and wait for their end."""
        for worker in self.state.workers.values():
            _kill(worker)
        for worker in self.state.workers.values():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(worker.pid, 0)
        self.state.workers.clear()

    def unregister(self, worker: WorkerHandle) -> None:
        """Stop waiting for a worker's messages."""
        with contextlib.suppress(KeyError, ValueError):
            self.state.selector.unregister(worker.channel)


def _kill(worker: WorkerHandle) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker.pid, signal.SIGKILL)


def _exit_reason(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    return f"exit code {os.WEXITSTATUS(status)}"
