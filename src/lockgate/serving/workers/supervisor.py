"""The supervisor: keeps workers alive, and what they serve in step with the deployment directory.

It never opens a bundle, speaks no HTTP and runs no loop of asyncio, so that it
can fork at any moment and nothing that comes from outside can take it down.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import logging
import mmap
import os
import resource
import selectors
import signal
import socket
import time
from typing import Any

from lockgate.deployment.control.channel import Channel
from lockgate.deployment.directory import Deployment
from lockgate.errors import ServingError
from lockgate.prediction_log.segments import delete_old_segments
from lockgate.prediction_log.trace import LOG
from lockgate.serving.settings import ServeSettings
from lockgate.serving.telemetry.metrics import PAGE, MetricsRecorder
from lockgate.serving.workers.banner import log_banner
from lockgate.serving.workers.control import Control
from lockgate.serving.workers.listener import server_url
from lockgate.serving.workers.reload import ModelReloader
from lockgate.serving.workers.state import ServerState, WorkerHandle
from lockgate.serving.workers.worker import run_worker

__all__ = ["Supervisor"]

log = logging.getLogger("lockgate.serve")

TICK = 0.1
"""Seconds between two looks at the pointer."""

START_SECONDS = 120.0
"""Longest time that a worker may take to open what it serves."""

SILENT_SECONDS = 60.0
"""Time after which a worker that answers no question of ours is killed."""


PRUNE_SECONDS = 60.0
"""Seconds between two looks at the size and age of the prediction log."""


class Supervisor:
    """Runs a server until it is told to stop.

    Parameters
    ----------
    settings : ServeSettings
        What the server was told.
    deployment : Deployment
        What it serves.
    listening : socket.socket
        Where.
    bare : bool
        Whether it is a bundle that was not deployed by anybody.

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
        self.bare, self.started = bare, False
        self.started_at = time.time()
        self.pages = mmap.mmap(-1, PAGE * (settings.workers + 1))
        self.state = ServerState(
            settings, deployment, deployment.pointer(), MetricsRecorder(self.pages, 0)
        )
        self.restart_times: dict[int, float] = {}
        self.failures = 0
        self.next_prune = time.monotonic() + 1
        self.stopping = 0.0
        self.failed = ""
        self.reloader = ModelReloader(self.state)
        self.control: Control
        self.lock: Any

    def run(self) -> int:
        """Serve; return the exit code."""
        self.lock = self._acquire_lock()
        _raise_file_limit()
        self.control = Control(self.state, self.reloader, status=self.status, drain=self.drain)
        self._handle_signals()
        gc.collect()
        gc.freeze()
        for slot in range(1, self.settings.workers + 1):
            self._fork(slot)
        try:
            while self.state.workers or not self.stopping:
                self._run_once()
                if self.failed:
                    raise ServingError(self.failed)
        finally:
            self._kill_all()
            self.control.close()
            self.lock.close()
        return 0

    # one turn

    def _run_once(self) -> None:
        for key, _ in self.state.selector.select(TICK):
            key.data()
        self._reap_workers()
        now = time.monotonic()
        for worker in list(self.state.workers.values()):
            self._check_worker(worker, now)
        if self.stopping:
            if now > self.stopping:
                self._kill_all()
            return
        for slot in [
            slot for slot, restart_time in self.restart_times.items() if restart_time <= now
        ]:
            del self.restart_times[slot]
            self._fork(slot)
        self.reloader.step()
        self._prune(now)
        self.state.metrics.publish()

    def _prune(self, now: float) -> None:
        """Delete what the log need not keep any longer."""
        if now < self.next_prune:
            return
        self.next_prune = now + PRUNE_SECONDS
        log_settings = self.settings.log
        try:
            removed = delete_old_segments(
                self.deployment.path / LOG, log_settings.days, log_settings.megabytes
            )
        except OSError as error:
            log.warning("the prediction log cannot be pruned: %s", error)
            return
        if removed:
            log.info("%d files of the prediction log were deleted for age or size", removed)

    def _check_worker(self, worker: WorkerHandle, now: float) -> None:
        if not worker.serving:
            silent = now - worker.started > START_SECONDS
        else:
            silent = now - worker.last_heard > SILENT_SECONDS
            if now - worker.last_heard > 2:
                worker.channel.send("ping")
        if silent:
            log.error("worker %d does not answer; killed", worker.slot)
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)

    def _on_message(self, worker: WorkerHandle) -> None:
        for message in worker.channel.receive():
            worker.last_heard = time.monotonic()
            op = message["op"]
            if op == "serving":
                worker.serving, worker.seq = True, message["seq"]
                self.failures = 0
                if not self.started:
                    self.started = True
                    url = server_url(self.settings, self.listening)
                    log_banner(self.settings, self.deployment, self.state.live, url, bare=self.bare)
            elif op == "unfit":
                worker.reason = message["why"]
            elif op != "pong":
                self.reloader.worker_message(worker, message)
        if worker.channel.closed:
            self._unregister(worker)

    # workers

    def _fork(self, slot: int) -> None:
        try:
            ours, theirs = socket.socketpair()
            pid = os.fork()
        except OSError as error:  # no memory, no descriptors: perhaps soon
            log.error("worker %d cannot be started: %s", slot, error)
            self.restart_times[slot] = time.monotonic() + 1
            return
        if pid == 0:
            self._run_worker(slot, ours, theirs)
        theirs.close()
        worker = WorkerHandle(slot, pid, Channel(ours), self.state.live.seq)
        self.state.workers[slot] = worker
        self.state.selector.register(
            worker.channel, selectors.EVENT_READ, lambda: self._on_message(worker)
        )

    def _run_worker(self, slot: int, ours: socket.socket, theirs: socket.socket) -> None:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            ours.close()
            for other in self.state.workers.values():
                other.channel.close()  # else nobody would notice the supervisor's end
            self.control.close(inherited=True)
            self.state.selector.close()
            self.lock.close()  # else no other server could start before this process ends
            code = run_worker(
                self.settings,
                self.deployment,
                self.state.live,
                self.listening,
                theirs,
                self.pages,
                slot,
                self.started_at,
            )
        except BaseException:
            log.exception("worker %d ends", slot)
        finally:
            os._exit(code)

    def _reap_workers(self) -> None:
        """Take note of workers that ended, and start others in their place."""
        for slot, worker in list(self.state.workers.items()):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid == 0:
                continue
            for message in worker.channel.receive():
                worker.reason = message.get("why", worker.reason)
            self._unregister(worker)
            worker.channel.close()
            del self.state.workers[slot]
            self.reloader.worker_lost(worker)
            if self.stopping:
                continue
            reason = worker.reason or (
                f"signal {os.WTERMSIG(status)}"
                if os.WIFSIGNALED(status)
                else f"exit code {os.WEXITSTATUS(status)}"
            )
            if not self.started:
                self.failed = f"what is to be served cannot be: {reason}"
                return
            quick = time.monotonic() - worker.started < 1.0
            self.failures = self.failures + 1 if quick else 0
            delay = min(5.0, 0.1 * 2**self.failures) if self.failures > 2 else 0.0
            log.error("worker %d ended (%s); a new one starts", slot, reason)
            self.state.metrics.increment("restarts")
            self.restart_times[slot] = time.monotonic() + delay

    def _unregister(self, worker: WorkerHandle) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self.state.selector.unregister(worker.channel)

    def _kill_all(self) -> None:
        for worker in self.state.workers.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)
        for worker in self.state.workers.values():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(worker.pid, 0)
        self.state.workers.clear()

    # being told

    def drain(self) -> None:
        """Stop: finish what was asked, then end. A second time: at once."""
        if self.stopping:
            self.stopping = 0.001
            return
        log.info("stopping: what was asked is still answered")
        self.stopping = time.monotonic() + self.settings.drain_seconds + 2
        for worker in self.state.workers.values():
            worker.channel.send("drain")

    def status(self) -> dict[str, Any]:
        """Say how things are."""
        return {
            "pid": os.getpid(),
            "address": server_url(self.settings, self.listening),
            "seq": self.state.live.seq,
            "served": [
                {"model": s.name, "version": s.version, "stage": s.stage, "digest": s.digest}
                for s in self.state.live.slots
            ],
            "workers": [
                {"slot": c.slot, "pid": c.pid, "serving": c.serving, "seq": c.seq}
                for c in self.state.workers.values()
            ],
            "draining": bool(self.stopping),
            "refused": self.reloader.refused,
        }

    def _handle_signals(self) -> None:
        read_fd, write_fd = os.pipe()
        os.set_blocking(read_fd, False)
        os.set_blocking(write_fd, False)
        signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(signum, lambda *_: None)

        def on_signal() -> None:
            for number in os.read(read_fd, 64):
                if number in (signal.SIGTERM, signal.SIGINT):
                    self.drain()
                elif number == signal.SIGHUP:
                    self.reloader.poll(again=True)

        self.state.selector.register(read_fd, selectors.EVENT_READ, on_signal)

    def _acquire_lock(self) -> Any:
        file = (self.deployment.path / ".serving").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServingError(f"{self.deployment.path} is served by another process") from None
        os.set_inheritable(file.fileno(), False)
        return file


def _raise_file_limit() -> None:
    """Let the workers hold as many connections as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = hard if hard != resource.RLIM_INFINITY else 1 << 16
    if soft < limit:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
