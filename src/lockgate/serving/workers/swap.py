"""What a server serves, and how it changes, as a value: (state, event) gives (state, effects).

Nothing here knows sockets, processes or clocks, so that a test explores every order of events.
A change of the pointer is given a number, its generation, and goes through these phases::

    idle        pointer changed              -> checking
    checking    all checks passed            -> preparing; every worker opens the bundles
                a check failed               -> idle, rejected
    preparing   all workers are ready        -> idle; the bundles are served
                a worker failed, three ended
                while opening, or too slow   -> idle, rejected
    any         pointer changed again        -> checking; the change in progress is given up
                stop                         -> stopping

Workers that do not respond are not waited for: they are replaced, or follow later. Up to the
switch, what is served does not change, so a rejection has no effect on clients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from lockgate.serving.workers import swap_events as on
from lockgate.serving.workers.swap_events import Effect, Event
from lockgate.serving.workers.swap_state import Phase, Swap, WorkerState, is_same

__all__ = ["TABLE", "handle"]

MAX_ENDED = 3
"""Workers that may end while they open a bundle, before it is rejected."""

MAX_FAILED_STARTS = 3
"""Workers that must have failed to open what is live, before it is replaced without any."""

Step = tuple[Swap, list[Effect]]
Handler = Callable[[Swap, Any], Step]


def handle(
    swap: Swap, event: Event, table: Mapping[tuple[Phase, type], Handler] | None = None
) -> Step:
    """Return the state after an event, and what is to be done.

    An event that means nothing in a phase, like a message about a change that was given up,
    changes nothing.
    """
    handler = (TABLE if table is None else table).get((swap.phase, type(event)))
    return (swap, []) if handler is None else handler(swap, event)


# the pointer


def _pointer_changed(swap: Swap, event: on.PointerChanged) -> Step:
    pointer = event.pointer
    if -1 in swap.rejected:  # it can be read again
        swap = replace(swap, rejected={k: v for k, v in swap.rejected.items() if k != -1})
    if event.again:
        swap = replace(swap, rejected={})  # the reason may have been removed since
    if swap.target is not None and is_same(pointer, swap.target):
        return replace(swap, target=pointer), []
    if is_same(pointer, swap.live):
        swap = replace(swap, live=pointer)  # a verdict or the ledger's event may be new
        return (swap, []) if swap.target is None else _give_up(swap)
    if pointer.seq in swap.rejected:
        return (swap, []) if swap.target is None else _give_up(swap)
    effects = _stop_check(swap)
    generation = swap.last + 1
    swap = replace(swap, phase=Phase.CHECKING, target=pointer, last=generation, ended=0)
    return swap, [*effects, on.StartCheck(pointer, generation)]


def _pointer_unreadable(swap: Swap, event: on.PointerUnreadable) -> Step:
    return swap.remember(-1, event.reason), [on.Rejected(-1, event.reason)]


# checking


def _check_passed(swap: Swap, event: on.CheckPassed) -> Step:
    if event.generation != swap.last:
        return swap, []
    swap = replace(swap, phase=Phase.PREPARING)
    effects: list[Effect] = [on.StartDeadline(swap.last)]
    for worker, state in swap.workers.items():
        if state.serving:
            swap, prepare = _tell_to_open(swap, worker)
            effects += prepare
    return _switch_if_ready(swap, effects)


def _check_failed(swap: Swap, event: on.CheckFailed) -> Step:
    return _reject(swap, event.reason) if event.generation == swap.last else (swap, [])


# preparing


def _deadline_passed(swap: Swap, event: on.DeadlinePassed) -> Step:
    if event.generation != swap.last:
        return swap, []
    return _reject(swap, "the workers did not open the bundles in time")


def _ready_for_target(swap: Swap, event: on.WorkerReady) -> Step:
    if event.generation == swap.last:
        return _switch_if_ready(swap.with_worker(event.worker, ready=event.generation), [])
    swap, effects = _ready(swap, event)
    worker = swap.workers.get(event.worker)
    if worker is None or not worker.serving or worker.opening == swap.last:
        return swap, effects
    swap, prepare = _tell_to_open(swap, event.worker)  # it serves from now on
    return swap, [*effects, *prepare]


def _failed_for_target(swap: Swap, event: on.WorkerFailed) -> Step:
    if event.generation != swap.last:
        return _failed(swap, event)
    return _reject(swap, event.reason)


def _silent_for_target(swap: Swap, event: on.WorkerSilent) -> Step:
    return _switch_if_ready(swap.with_worker(event.worker, silent=True), [])


def _ended_for_target(swap: Swap, event: on.WorkerEnded) -> Step:
    worker = swap.workers.get(event.worker, WorkerState())
    opening = worker.opening == swap.last != worker.ready
    swap, _ = _ended(replace(swap, ended=swap.ended + opening), event)
    if swap.ended >= MAX_ENDED:
        return _reject(swap, f"{swap.ended} workers ended while they opened the bundles")
    return _switch_if_ready(swap, [])


def _switch_if_ready(swap: Swap, effects: list[Effect]) -> Step:
    """Switch when every worker that accepts requests and responds has opened the bundles.

    Where no worker can open what is live, the next ones start with the new bundles.
    """
    serving = [worker for worker in swap.workers.values() if worker.serving]
    responding = [worker for worker in serving if not worker.silent]
    ready = responding and all(worker.ready == swap.last for worker in responding)
    if not (ready or (swap.failed_starts >= MAX_FAILED_STARTS and not serving)):
        return swap, effects
    assert swap.target is not None
    live, generation = swap.target, swap.last
    effects += [on.Serving(live)]
    for worker, state in swap.workers.items():
        if state.ready == swap.last:
            effects += [on.Switch(worker, generation)]
            swap = swap.with_worker(worker, serving=True)
    swap = replace(swap, live=live, generation=generation, target=None, phase=Phase.IDLE, ended=0)
    swap = replace(swap, failed_starts=0)
    return _catch_up(swap, effects)


# workers, in any phase


def _started(swap: Swap, event: on.WorkerStarted) -> Step:
    started = WorkerState(opening=swap.generation)
    return replace(swap, workers={**swap.workers, event.worker: started}), []


def _ready(swap: Swap, event: on.WorkerReady) -> Step:
    """Let a worker serve that has opened what is live: a new one, or one that was behind.

    A worker that was started before a switch and is ready after it opens the new bundles first.
    """
    worker, generation = event.worker, swap.generation
    if event.generation == generation:
        swap = swap.with_worker(worker, ready=generation, serving=True)
        return replace(swap, failed_starts=0), [on.Switch(worker, generation)]
    if swap.workers.get(worker, WorkerState()).opening != event.generation:
        return swap, []  # it was told to open another one since
    swap = swap.with_worker(worker, opening=generation)
    return swap, [on.Prepare(worker, swap.live, generation)]


def _failed(swap: Swap, event: on.WorkerFailed) -> Step:
    """Replace a worker that cannot open what all others serve."""
    if event.generation != swap.generation:
        return swap, []
    return swap, [on.Kill(event.worker, event.reason)]


def _switched(swap: Swap, event: on.WorkerSwitched) -> Step:
    return swap.with_worker(event.worker, generation=event.generation), []


def _silent(swap: Swap, event: on.WorkerSilent) -> Step:
    return swap.with_worker(event.worker, silent=True), []


def _heard(swap: Swap, event: on.WorkerHeard) -> Step:
    return swap.with_worker(event.worker, silent=False), []


def _ended(swap: Swap, event: on.WorkerEnded) -> Step:
    worker = swap.workers.get(event.worker, WorkerState())
    failed = worker.opening == swap.generation and not worker.ready
    failed_starts = swap.failed_starts + failed
    return replace(swap.without_worker(event.worker), failed_starts=failed_starts), []


def _stop(swap: Swap, event: on.Stop) -> Step:  # noqa: ARG001  # the same form as the others
    return replace(swap, phase=Phase.STOPPING, target=None), _stop_check(swap)


# the end of a change


def _reject(swap: Swap, reason: str) -> Step:
    assert swap.target is not None
    seq = swap.target.seq
    swap, effects = _give_up(swap.remember(seq, reason))
    return swap, [*effects, on.Rejected(seq, reason)]


def _give_up(swap: Swap) -> Step:
    effects = _stop_check(swap)
    return _catch_up(replace(swap, phase=Phase.IDLE, target=None, ended=0), effects)


def _catch_up(swap: Swap, effects: list[Effect]) -> Step:
    """Let workers open what is live that serve something else, and were not told to."""
    for worker, state in swap.workers.items():
        if state.generation != swap.generation != state.opening:
            swap = swap.with_worker(worker, opening=swap.generation)
            effects = [*effects, on.Prepare(worker, swap.live, swap.generation)]
    return swap, effects


# shared


def _tell_to_open(swap: Swap, worker: int) -> Step:
    assert swap.target is not None
    prepare = on.Prepare(worker, swap.target, swap.last)
    return swap.with_worker(worker, opening=swap.last), [prepare]


def _stop_check(swap: Swap) -> list[Effect]:
    return [on.StopCheck()] if swap.phase is Phase.CHECKING else []


_SERVING_PHASES = (Phase.IDLE, Phase.CHECKING, Phase.PREPARING)
_ANY: dict[type, Handler] = {
    on.WorkerStarted: _started,
    on.WorkerReady: _ready,
    on.WorkerFailed: _failed,
    on.WorkerSwitched: _switched,
    on.WorkerSilent: _silent,
    on.WorkerHeard: _heard,
    on.WorkerEnded: _ended,
    on.PointerChanged: _pointer_changed,
    on.PointerUnreadable: _pointer_unreadable,
    on.Stop: _stop,
}

TABLE: Mapping[tuple[Phase, type], Handler] = {
    **{(phase, event): handler for phase in _SERVING_PHASES for event, handler in _ANY.items()},
    (Phase.CHECKING, on.CheckPassed): _check_passed,
    (Phase.CHECKING, on.CheckFailed): _check_failed,
    (Phase.PREPARING, on.DeadlinePassed): _deadline_passed,
    (Phase.PREPARING, on.WorkerReady): _ready_for_target,
    (Phase.PREPARING, on.WorkerFailed): _failed_for_target,
    (Phase.PREPARING, on.WorkerSilent): _silent_for_target,
    (Phase.PREPARING, on.WorkerEnded): _ended_for_target,
}
"""What handles an event in a phase; what is missing changes nothing."""
