"""Events that change what a server serves, and the effects that follow."""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.deployment.pointer import Pointer

__all__ = [
    "CheckFailed",
    "CheckPassed",
    "DeadlinePassed",
    "Effect",
    "Event",
    "Kill",
    "PointerChanged",
    "PointerUnreadable",
    "Prepare",
    "Rejected",
    "Serving",
    "StartCheck",
    "StartDeadline",
    "Stop",
    "StopCheck",
    "Switch",
    "WorkerEnded",
    "WorkerFailed",
    "WorkerHeard",
    "WorkerReady",
    "WorkerSilent",
    "WorkerStarted",
    "WorkerSwitched",
]


@dataclass(frozen=True)
class PointerChanged:
    """The pointer of the directory was read; `again` if a user asked for it."""

    pointer: Pointer
    again: bool = False


@dataclass(frozen=True)
class PointerUnreadable:
    """The pointer cannot be read."""

    reason: str


@dataclass(frozen=True)
class CheckPassed:
    """All new bundles of a generation passed their checks."""

    generation: int


@dataclass(frozen=True)
class CheckFailed:
    """A bundle of a generation did not pass."""

    generation: int
    reason: str


@dataclass(frozen=True)
class DeadlinePassed:
    """The time in which workers must have opened a generation has passed."""

    generation: int


@dataclass(frozen=True)
class WorkerStarted:
    """A worker was started with what is live."""

    worker: int


@dataclass(frozen=True)
class WorkerReady:
    """A worker has opened a generation."""

    worker: int
    generation: int


@dataclass(frozen=True)
class WorkerFailed:
    """A worker cannot open a generation."""

    worker: int
    generation: int
    reason: str


@dataclass(frozen=True)
class WorkerSwitched:
    """A worker serves a generation."""

    worker: int
    generation: int


@dataclass(frozen=True)
class WorkerSilent:
    """A worker does not respond."""

    worker: int


@dataclass(frozen=True)
class WorkerHeard:
    """A worker that was silent responds."""

    worker: int


@dataclass(frozen=True)
class WorkerEnded:
    """The process of a worker has ended, or cannot be waited for any longer."""

    worker: int


@dataclass(frozen=True)
class Stop:
    """The server is to finish the requests in progress and stop."""


Event = (
    PointerChanged
    | PointerUnreadable
    | CheckPassed
    | CheckFailed
    | DeadlinePassed
    | WorkerStarted
    | WorkerReady
    | WorkerFailed
    | WorkerSwitched
    | WorkerSilent
    | WorkerHeard
    | WorkerEnded
    | Stop
)


@dataclass(frozen=True)
class StartCheck:
    """Check the new bundles of a pointer; answered by `CheckPassed` or `CheckFailed`."""

    pointer: Pointer
    generation: int


@dataclass(frozen=True)
class StopCheck:
    """Stop the checks in progress."""


@dataclass(frozen=True)
class StartDeadline:
    """Start the time of a generation; answered by `DeadlinePassed`, unless it ends before."""

    generation: int


@dataclass(frozen=True)
class Prepare:
    """Tell a worker to open the bundles of a pointer, instead of any before."""

    worker: int
    pointer: Pointer
    generation: int


@dataclass(frozen=True)
class Switch:
    """Tell a worker to serve what it has opened."""

    worker: int
    generation: int


@dataclass(frozen=True)
class Kill:
    """Kill a worker; another one is started in its place."""

    worker: int
    reason: str


@dataclass(frozen=True)
class Serving:
    """Report that a pointer is served from now on."""

    pointer: Pointer


@dataclass(frozen=True)
class Rejected:
    """Report that an event of the directory was rejected; -1 if it could not be read."""

    seq: int
    reason: str


Effect = StartCheck | StopCheck | StartDeadline | Prepare | Switch | Kill | Serving | Rejected
