"""The supervisor: keeps workers running, and follows the pointer of the deployment directory.

It never opens a bundle, speaks no HTTP and has no asyncio loop, so it can fork at any
moment, and no input from outside can crash it.

States of a server, and the events that change them::

    starting    a worker is serving               -> running
                a worker ended                    -> failed
    running     a worker ended                    -> running; the worker is restarted
                pointer changed, SIGHUP, "reload" -> running; see `swap`
    any         SIGTERM, SIGINT, "drain"          -> draining
    draining    all workers ended                 -> stopped
                deadline, or a second "drain"     -> all workers are killed, stopped
"""

from __future__ import annotations

import gc
import logging
import mmap
import os
import signal
import socket
import time
from typing import Any, NoReturn, TextIO

from lockgate.deployment.directory import Deployment
from lockgate.errors import ServingError
from lockgate.prediction_log.clock import ClockWatch
from lockgate.prediction_log.segments import delete_old_segments
from lockgate.prediction_log.trace import LOG
from lockgate.serving.settings import ServeSettings
from lockgate.serving.telemetry.metrics import PAGE, MetricsRecorder
from lockgate.serving.workers import swap_events as on
from lockgate.serving.workers.banner import log_banner
from lockgate.serving.workers.bind import server_url
from lockgate.serving.workers.control import Control
from lockgate.serving.workers.pool import WorkerPool
from lockgate.serving.workers.process import lock_directory, raise_file_limit, watch_signals
from lockgate.serving.workers.reload import ModelReloader
from lockgate.serving.workers.state import ServerState, WorkerHandle
from lockgate.serving.workers.swap_state import Swap
from lockgate.serving.workers.worker import run_worker

__all__ = ["Supervisor"]

log = logging.getLogger("lockgate.serve")

TICK_SECONDS = 0.1
"""Longest time between two polls of the pointer."""

PRUNE_SECONDS = 60.0
"""Seconds between two checks of the age and size of the prediction log."""


class Supervisor:
    """Runs a server until it is stopped.

    Parameters
    ----------
    settings : ServeSettings
        Settings of the server.
    deployment : Deployment
        The directory to serve.
    listening : socket.socket
        The listening socket, shared by all workers.
    bare : bool
        Whether a local bundle is served that was not deployed.

    """

    def __init__(
        self,
        settings: ServeSettings,
        deployment: Deployment,
        listening: socket.socket,
        *,
        bare: bool = False,
    ) -> None:
        self.settings, self.deployment, self.listening = settings, deployment, listening
        self.address = server_url(settings, listening)
        self.bare, self.started_at = bare, time.time()
        self.pages = mmap.mmap(-1, PAGE * (settings.workers + 1))
        self.state = ServerState(
            settings, deployment, Swap(deployment.pointer()), MetricsRecorder(self.pages, 0)
        )
        self.pool = WorkerPool(
            self.state,
            run_child=self._run_worker,
            on_message=self._on_worker_message,
            on_event=self._on_event,
        )
        self.reloader = ModelReloader(self.state)
        self.control: Control
        self.lock: TextIO
        self.running = False
        self.drain_deadline = 0.0
        self.failed_because = ""
        self.next_prune = time.monotonic() + 1
        self.clock = ClockWatch(deployment.path / LOG)

    def run(self) -> int:
        """Serve until stopped; return the exit code.

        Raises
        ------
        ServingError
            If another server is running on the directory, or this one cannot start.

        """
        self.lock = lock_directory(self.deployment.path)
        raise_file_limit()
        self.control = Control(self.state, self.reloader, status=self.status, drain=self.drain)
        watch_signals(self.state.selector, self._on_signal)
        gc.collect()
        gc.freeze()  # so that workers share the memory of what is loaded already
        for slot in range(1, self.settings.workers + 1):
            self.pool.start(slot)
        try:
            while self.state.workers or not self.draining:
                self._run_once()
                if self.failed_because:
                    raise ServingError(self.failed_because)
        finally:
            self.pool.kill_all()
            self.control.close()
            self.lock.close()
        return 0

    @property
    def draining(self) -> bool:
        """Whether the server finishes the requests in progress and then stops."""
        return self.drain_deadline > 0

    def drain(self) -> None:
        """Finish the requests in progress, then stop; the second time, stop at once."""
        if self.draining:
            self.drain_deadline = 0.001
            return
        log.info("stopping: finishing the requests in progress")
        self.drain_deadline = time.monotonic() + self.settings.drain_seconds + 2
        self._on_event(on.Stop())
        for worker in self.state.workers.values():
            worker.channel.send("drain")
        # the last worker to stop listening answers whoever is in the queue; here nobody would
        self.listening.close()

    def status(self) -> dict[str, Any]:
        """Return the response to the control request "status"."""
        swap = self.state.swap
        return {
            "pid": os.getpid(),
            "address": self.address,
            "seq": swap.live.seq,
            "served": [
                {"model": s.name, "version": s.version, "stage": s.stage, "digest": s.digest}
                for s in swap.live.slots
            ],
            "phase": swap.phase.value,
            "workers": [self._worker_status(worker) for worker in self.state.workers.values()],
            "draining": self.draining,
            "refused": dict(swap.rejected),
        }

    def _worker_status(self, worker: WorkerHandle) -> dict[str, Any]:
        swap = self.state.swap
        known = swap.workers.get(worker.pid)
        return {
            "slot": worker.slot,
            "pid": worker.pid,
            "serving": worker.serving,
            "responds": not worker.silent,
            "live": known is not None and known.generation == swap.generation,
        }

    def _run_once(self) -> None:
        """Handle the events that have arrived, then everything that depends on time."""
        for key, _ in self.state.selector.select(TICK_SECONDS):
            key.data()
        for worker in self.pool.remove_ended():
            self._on_worker_ended(worker)
        now = time.monotonic()
        self.pool.watch(now)
        if self.draining:
            if now > self.drain_deadline:
                self.pool.kill_all()
            return
        self.pool.start_waiting(now)
        self.reloader.step()
        self._prune_log(now)
        self.state.metrics.publish()

    # events

    def _on_signal(self, signum: signal.Signals) -> None:
        if signum in (signal.SIGTERM, signal.SIGINT):
            self.drain()
        elif signum == signal.SIGHUP and not self.draining:
            self.reloader.poll(again=True)

    def _on_event(self, event: on.Event) -> None:
        self.reloader.on_event(event)

    def _on_worker_message(self, worker: WorkerHandle) -> None:
        for message in worker.channel.receive():
            self.pool.heard(worker)
            op = message["op"]
            if op == "unfit":
                worker.reason = message["why"]
            elif op == "switched" and not worker.serving:
                self._on_worker_serving(worker)
            if op not in ("pong", "unfit"):
                self.reloader.on_worker_message(worker, message)
        if worker.channel.closed:
            self.pool.unregister(worker)

    def _on_worker_serving(self, worker: WorkerHandle) -> None:
        self.pool.worker_serving(worker)
        if not self.running:
            self.running = True
            url = self.address
            live = self.state.swap.live
            log_banner(self.settings, self.deployment, live, url, undeployed=self.bare)

    def _on_worker_ended(self, worker: WorkerHandle) -> None:
        self._on_event(on.WorkerEnded(worker.pid))
        if self.draining:
            return
        if self.running:
            self.pool.restart(worker)
        elif not self.failed_because:
            self.failed_because = f"the server cannot start: {worker.reason}"

    # processes and files

    def _run_worker(
        self, slot: int, local_end: socket.socket, worker_end: socket.socket
    ) -> NoReturn:
        """Be a worker, in a process that was just forked."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            self._close_inherited(local_end)
            code = run_worker(
                self.settings,
                self.deployment,
                self.state.swap,
                self.listening,
                worker_end,
                self.pages,
                slot,
                self.started_at,
            )
        except BaseException:
            log.exception("worker %d failed", slot)
        finally:
            os._exit(code)

    def _close_inherited(self, local_end: socket.socket) -> None:
        """Close what belongs to the supervisor, in a worker."""
        local_end.close()
        for other in self.state.workers.values():
            other.channel.close()  # else other workers would not notice the supervisor's end
        self.control.close(inherited=True)
        self.state.selector.close()
        self.lock.close()  # else no other server could start before this process ends

    def _prune_log(self, now: float) -> None:
        """Delete old files of the prediction log, once a minute."""
        if now < self.next_prune:
            return
        self.next_prune = now + PRUNE_SECONDS
        limits = self.settings.log
        try:
            removed = delete_old_segments(
                self.deployment.path / LOG,
                limits.days,
                limits.megabytes,
                steady_seconds=self.clock.steady_seconds(),
            )
        except OSError as error:
            log.warning("old files of the prediction log cannot be deleted: %s", error)
            return
        if removed:
            log.info("deleted %d files of the prediction log for their age or size", removed)
