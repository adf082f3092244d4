"""State that the parts of a supervisor share: the live pointer and the workers."""

from __future__ import annotations

import selectors
import time
from dataclasses import dataclass, field

from lockgate.deployment.control.channel import Channel
from lockgate.deployment.directory import Deployment
from lockgate.deployment.pointer import Pointer
from lockgate.serving.settings import ServeSettings
from lockgate.serving.telemetry.metrics import MetricsRecorder

__all__ = ["ServerState", "WorkerHandle"]


class WorkerHandle:
    """A worker process, as the supervisor sees it.

    Attributes
    ----------
    slot, pid : int
        Number of the worker, counted from 1, and its process id.
    channel : Channel
        Connection to the worker.
    seq : int
        Number of the pointer that it serves.
    serving : bool
        Whether it accepts requests.
    started, last_heard : float
        Time of its start, and of its last message.
    reason : str
        Reason for its end, if it gave one.
    behind : bool
        Whether it was started before a switch, and has been told to catch up.

    """

    def __init__(self, slot: int, pid: int, channel: Channel, seq: int) -> None:
        self.slot, self.pid, self.channel, self.seq = slot, pid, channel, seq
        self.serving = False
        self.started = self.last_heard = time.monotonic()
        self.reason = ""
        self.behind = False


@dataclass
class ServerState:
    """State of a server.

    Attributes
    ----------
    settings : ServeSettings
        Settings of the server.
    deployment : Deployment
        The directory that is served.
    live : Pointer
        The pointer that is served.
    metrics : MetricsRecorder
        The supervisor's metrics.
    workers : dict of int to WorkerHandle
        Workers by their slot.
    selector : selectors.BaseSelector
        Waits for workers, control clients and checks; the data of each key is a callback.

    """

    settings: ServeSettings
    deployment: Deployment
    live: Pointer
    metrics: MetricsRecorder
    workers: dict[int, WorkerHandle] = field(default_factory=dict)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
