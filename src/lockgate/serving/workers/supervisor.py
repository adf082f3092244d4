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
from lockgate.serving.workers.listener import address
from lockgate.serving.workers.reload import ModelReloader
from lockgate.serving.workers.state import ServerState, WorkerHandle
from lockgate.serving.workers.worker import work

__all__ = ["Supervisor"]

log = logging.getLogger("lockgate.serve")

TICK = 0.1
"""Seconds between two looks at the pointer."""

START_SECONDS = 120.0
"""Longest time that a worker may take to open what it serves."""

SILENT_SECONDS = 60.0
"""Time after which a worker that answers no question of ours is killed."""


PRUNE = 60.0
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
        self.began = time.time()
        self.pages = mmap.mmap(-1, PAGE * (settings.workers + 1))
        self.state = ServerState(
            settings, deployment, deployment.pointer(), MetricsRecorder(self.pages, 0)
        )
        self.due: dict[int, float] = {}
        self.failures = 0
        self.next_prune = time.monotonic() + 1
        self.stopping = 0.0
        self.failed = ""
        self.reloader = ModelReloader(self.state)
        self.control: Control
        self.lock: Any

    def run(self) -> int:
        """Serve; return the exit code."""
        self.lock = self._only_one()
        _many_files()
        self.control = Control(self.state, self.reloader, status=self.status, drain=self.drain)
        self._hear_signals()
        gc.collect()
        gc.freeze()
        for slot in range(1, self.settings.workers + 1):
            self._fork(slot)
        try:
            while self.state.workers or not self.stopping:
                self._turn()
                if self.failed:
                    raise ServingError(self.failed)
        finally:
            self._kill_all()
            self.control.close()
            self.lock.close()
        return 0

    # one turn

    def _turn(self) -> None:
        for key, _ in self.state.selector.select(TICK):
            key.data()
        self._reap_workers()
        now = time.monotonic()
        for child in list(self.state.workers.values()):
            self._look_at(child, now)
        if self.stopping:
            if now > self.stopping:
                self._kill_all()
            return
        for slot in [slot for slot, at in self.due.items() if at <= now]:
            del self.due[slot]
            self._fork(slot)
        self.reloader.step()
        self._prune(now)
        self.state.counts.show()

    def _prune(self, now: float) -> None:
        """Delete what the log need not keep any longer."""
        if now < self.next_prune:
            return
        self.next_prune = now + PRUNE
        keep = self.settings.log
        try:
            removed = delete_old_segments(self.deployment.path / LOG, keep.days, keep.megabytes)
        except OSError as error:
            log.warning("the prediction log cannot be pruned: %s", error)
            return
        if removed:
            log.info("%d files of the prediction log were deleted for age or size", removed)

    def _look_at(self, child: WorkerHandle, now: float) -> None:
        if not child.serving:
            silent = now - child.born > START_SECONDS
        else:
            silent = now - child.heard > SILENT_SECONDS
            if now - child.heard > 2:
                child.channel.send("ping")
        if silent:
            log.error("worker %d does not answer; killed", child.slot)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)

    def _on_message(self, child: WorkerHandle) -> None:
        for message in child.channel.receive():
            child.heard = time.monotonic()
            op = message["op"]
            if op == "serving":
                child.serving, child.seq = True, message["seq"]
                self.failures = 0
                if not self.started:
                    self.started = True
                    where = address(self.settings, self.listening)
                    log_banner(
                        self.settings, self.deployment, self.state.live, where, bare=self.bare
                    )
            elif op == "unfit":
                child.why = message["why"]
            elif op != "pong":
                self.reloader.worker_message(child, message)
        if child.channel.closed:
            self._unregister(child)

    # workers

    def _fork(self, slot: int) -> None:
        try:
            ours, theirs = socket.socketpair()
            pid = os.fork()
        except OSError as error:  # no memory, no descriptors: perhaps soon
            log.error("worker %d cannot be started: %s", slot, error)
            self.due[slot] = time.monotonic() + 1
            return
        if pid == 0:
            self._run_worker(slot, ours, theirs)
        theirs.close()
        child = WorkerHandle(slot, pid, Channel(ours), self.state.live.seq)
        self.state.workers[slot] = child
        self.state.selector.register(
            child.channel, selectors.EVENT_READ, lambda: self._on_message(child)
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
            code = work(
                self.settings,
                self.deployment,
                self.state.live,
                self.listening,
                theirs,
                self.pages,
                slot,
                self.began,
            )
        except BaseException:
            log.exception("worker %d ends", slot)
        finally:
            os._exit(code)

    def _reap_workers(self) -> None:
        """Take note of workers that ended, and start others in their place."""
        for slot, child in list(self.state.workers.items()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid == 0:
                continue
            for message in child.channel.receive():
                child.why = message.get("why", child.why)
            self._unregister(child)
            child.channel.close()
            del self.state.workers[slot]
            self.reloader.worker_lost(child)
            if self.stopping:
                continue
            how = child.why or (
                f"signal {os.WTERMSIG(status)}"
                if os.WIFSIGNALED(status)
                else f"exit code {os.WEXITSTATUS(status)}"
            )
            if not self.started:
                self.failed = f"what is to be served cannot be: {how}"
                return
            quick = time.monotonic() - child.born < 1.0
            self.failures = self.failures + 1 if quick else 0
            wait = min(5.0, 0.1 * 2**self.failures) if self.failures > 2 else 0.0
            log.error("worker %d ended (%s); a new one starts", slot, how)
            self.state.counts.once("restarts")
            self.due[slot] = time.monotonic() + wait

    def _unregister(self, child: WorkerHandle) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self.state.selector.unregister(child.channel)

    def _kill_all(self) -> None:
        for child in self.state.workers.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
        for child in self.state.workers.values():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child.pid, 0)
        self.state.workers.clear()

    # being told

    def drain(self) -> None:
        """Stop: finish what was asked, then end. A second time: at once."""
        if self.stopping:
            self.stopping = 0.001
            return
        log.info("stopping: what was asked is still answered")
        self.stopping = time.monotonic() + self.settings.drain_seconds + 2
        for child in self.state.workers.values():
            child.channel.send("drain")

    def status(self) -> dict[str, Any]:
        """Say how things are."""
        return {
            "pid": os.getpid(),
            "address": address(self.settings, self.listening),
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

    def _hear_signals(self) -> None:
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(one, lambda *_: None)

        def heard() -> None:
            for number in os.read(reading, 64):
                if number in (signal.SIGTERM, signal.SIGINT):
                    self.drain()
                elif number == signal.SIGHUP:
                    self.reloader.poll(again=True)

        self.state.selector.register(reading, selectors.EVENT_READ, heard)

    def _only_one(self) -> Any:
        file = (self.deployment.path / ".serving").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServingError(f"{self.deployment.path} is served by another process") from None
        os.set_inheritable(file.fileno(), False)
        return file


def _many_files() -> None:
    """Let the workers hold as many connections as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else 1 << 16
    if soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
