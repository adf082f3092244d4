"""The state of a server's swap: what is live, the change in progress, and the workers."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lockgate.deployment.pointer import Pointer

__all__ = ["Phase", "Swap", "WorkerState", "is_same"]

MAX_REJECTED = 20
"""Rejected events that are remembered."""


class Phase(enum.Enum):
    """Phase of a change."""

    IDLE = "idle"
    CHECKING = "checking"
    PREPARING = "preparing"
    STOPPING = "stopping"


@dataclass(frozen=True)
class WorkerState:
    """A worker, as far as its messages say.

    Attributes
    ----------
    generation : int
        Generation that it serves, by its own words; 0 before it accepts requests.
    serving : bool
        Whether it accepts requests, or was told to.
    silent : bool
        Whether it does not respond.
    opening, ready : int
        Last generation that it was told to open, and that it has opened; 0 for none.

    """

    generation: int = 0
    serving: bool = False
    silent: bool = False
    opening: int = 0
    ready: int = 0


@dataclass(frozen=True)
class Swap:
    """What is served, and the change in progress.

    Attributes
    ----------
    live : Pointer
        The pointer that is served.
    generation, last : int
        Its generation, and the last generation that was given.
    phase : Phase
        Phase of the change in progress.
    target : Pointer or None
        The pointer that is being changed to, of generation `last`; None in the phase idle.
    ended : int
        Workers that ended while they were opening its bundles.
    failed_starts : int
        Workers that ended before they opened what is live, since another one has opened it.
    workers : mapping of int to WorkerState
        Workers by their process id.
    rejected : mapping of int to str
        Reasons of the events of the directory that were rejected, by their number.

    """

    live: Pointer
    generation: int = 1
    last: int = 1
    phase: Phase = Phase.IDLE
    target: Pointer | None = None
    ended: int = 0
    failed_starts: int = 0
    workers: Mapping[int, WorkerState] = field(default_factory=dict)
    rejected: Mapping[int, str] = field(default_factory=dict)

    @property
    def settled(self) -> bool:
        """Whether every worker that accepts requests serves what is live, and responds."""
        serving = [worker for worker in self.workers.values() if worker.serving]
        return bool(serving) and all(
            worker.generation == self.generation and not worker.silent for worker in serving
        )

    def outcome(self, seq: int) -> str | None:
        """Return the outcome of an event: "" if it is served, the reason if rejected, or None."""
        if seq in self.rejected:
            return self.rejected[seq]
        return "" if self.live.seq >= seq and self.settled else None

    def with_worker(self, worker: int, **changes: Any) -> Swap:
        """Return the state with a changed worker; the same if that worker has ended."""
        if worker not in self.workers:
            return self
        changed = dataclasses.replace(self.workers[worker], **changes)
        return dataclasses.replace(self, workers={**self.workers, worker: changed})

    def without_worker(self, worker: int) -> Swap:
        """Return the state without a worker."""
        workers = {key: state for key, state in self.workers.items() if key != worker}
        return dataclasses.replace(self, workers=workers)

    def remember(self, seq: int, reason: str) -> Swap:
        """Return the state with a rejected event."""
        rejected = {**self.rejected, seq: reason}
        for oldest in sorted(rejected)[:-MAX_REJECTED]:
            del rejected[oldest]
        return dataclasses.replace(self, rejected=rejected)


def is_same(pointer: Pointer, other: Pointer) -> bool:
    """Return whether both are the same event, and serve the same bundles under the same names."""
    return pointer.seq == other.seq and {slot.address for slot in pointer.slots} == {
        slot.address for slot in other.slots
    }
