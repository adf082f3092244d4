"""What the parts of a supervisor share: what is served, and its workers."""

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
    """A worker.

    Attributes
    ----------
    slot, pid : int
        Which one, and its process.
    channel : Channel
        Where it is told things, and tells them.
    seq : int
        Event of the deployment directory that it follows.
    serving : bool
        Whether it answers.
    started, last_heard : float
        When it was started, and when it last said something.
    reason : str
        What it said before it ended.
    behind : bool
        Whether it was started just before a switch, and was told what it missed.

    """

    def __init__(self, slot: int, pid: int, channel: Channel, seq: int) -> None:
        self.slot, self.pid, self.channel, self.seq = slot, pid, channel, seq
        self.serving = False
        self.started = self.last_heard = time.monotonic()
        self.reason = ""
        self.behind = False


@dataclass
class ServerState:
    """The state of a server, as its supervisor keeps it.

    Attributes
    ----------
    settings : ServeSettings
        What the server was started with.
    deployment : Deployment
        The directory that it follows.
    live : Pointer
        What is served.
    metrics : Counts
        The supervisor's own metrics.
    workers : dict of int to Child
        Workers by their slot.
    selector : selectors.BaseSelector
        Waits for workers, control clients and checks; each key's data is a function to call.

    """

    settings: ServeSettings
    deployment: Deployment
    live: Pointer
    metrics: MetricsRecorder
    workers: dict[int, WorkerHandle] = field(default_factory=dict)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
