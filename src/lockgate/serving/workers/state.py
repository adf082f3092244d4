"""State that the parts of a supervisor share: what is served, and the workers."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from dataclasses import dataclass, field

from lockgate.deployment.control.channel import Channel
from lockgate.deployment.directory import Deployment
from lockgate.serving.settings import ServeSettings
from lockgate.serving.telemetry.metrics import MetricsRecorder
from lockgate.serving.workers.swap_state import Swap

__all__ = ["ServerState", "WorkerHandle"]


class WorkerHandle:
    """A worker process, as the supervisor sees it.

    Attributes
    ----------
    slot, pid : int
        Number of the worker, counted from 1, and its process id.
    channel : Channel
        Connection to the worker.
    opened : bool
        Whether it has opened its bundles, and responds from then on.
    serving : bool
        Whether it accepts requests.
    started : float
        Time of its start.
    quiet_seconds : float
        Time since its last message, while the supervisor was running.
    pinged : float
        Time of the last ping.
    silent : bool
        Whether it was reported as silent.
    killed : float
        Time at which it was killed; 0 before.
    reason : str
        Reason for its end, if it gave one.

    """

    def __init__(self, slot: int, pid: int, channel: Channel) -> None:
        self.slot, self.pid, self.channel = slot, pid, channel
        self.opened = self.serving = self.silent = False
        self.started = time.monotonic()
        self.quiet_seconds = self.pinged = self.killed = 0.0
        self.reason = ""

    def kill(self) -> None:
        """Kill the process."""
        self.killed = self.killed or time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


@dataclass
class ServerState:
    """State of a server.

    Attributes
    ----------
    settings : ServeSettings
        Settings of the server.
    deployment : Deployment
        The directory that is served.
    swap : Swap
        What is served, and the change in progress.
    metrics : MetricsRecorder
        The supervisor's metrics.
    workers : dict of int to WorkerHandle
        Workers by their slot.
    selector : selectors.BaseSelector
        Waits for workers, control clients and checks; the data of each key is a callback.

    """

    settings: ServeSettings
    deployment: Deployment
    swap: Swap
    metrics: MetricsRecorder
    workers: dict[int, WorkerHandle] = field(default_factory=dict)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def find_worker(self, pid: int) -> WorkerHandle | None:
        """Return the worker with a process id; None if it has ended."""
        return next((worker for worker in self.workers.values() if worker.pid == pid), None)
