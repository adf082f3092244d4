"""Every order of overlapping events: the server ends at the pointer, and commands tell the truth."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.serving.workers import swap_events as on
from lockgate.serving.workers.swap import TABLE, handle
from lockgate.serving.workers.swap_state import MAX_REJECTED, Phase, Swap
from tests.serving.swap_world import (
    BROKEN,
    SLOW,
    UNOPENABLE,
    Command,
    Violation,
    World,
    check,
    check_end,
    external,
    internal,
    pointer,
    start,
)

SOAK = bool(os.environ.get("LOCKGATE_SOAK"))

ROLLBACK, DEPLOY, OTHER = Command(0), Command(3), Command(4)
KILLED = Command(4, killed=True)

SCENARIOS: dict[str, Callable[[], World]] = {
    "a stop during a deployment": lambda: start((DEPLOY,), {}, stops=1),
    "a worker that cannot be killed": lambda: start((DEPLOY,), {}, hangs=1, unkillable=True),
    "a rollback during a deployment": lambda: start((DEPLOY, ROLLBACK), {}, reloads=1),
    "a broken bundle during a deployment": lambda: start((DEPLOY, OTHER), {4: BROKEN}),
    "a broken bundle, a death and a hung worker": lambda: start(
        (DEPLOY,), {3: BROKEN}, deaths=1, hangs=1
    ),
    "a command is killed before it can revert": lambda: start(
        (KILLED, DEPLOY), {4: BROKEN}, hangs=1
    ),
    "a worker cannot open what others serve": lambda: start((DEPLOY,), {}, hangs=1, failures=1),
    "bundles that open too slowly": lambda: start((DEPLOY, ROLLBACK), {3: SLOW}),
    "a worker cannot open what is live": lambda: start(
        (replace(DEPLOY, killed=True), KILLED), {4: BROKEN}, hangs=1, failures=1
    ),
    "a bundle that no worker can open": lambda: start((DEPLOY, ROLLBACK), {3: UNOPENABLE}),
    "a death during two commands": lambda: start((DEPLOY, ROLLBACK), {}, deaths=1),
    "a death, a hung worker and a stop": lambda: start((DEPLOY,), {}, deaths=1, hangs=1, stops=1),
}
"""Ordered by their number of states."""

LONG: dict[str, Callable[[], World]] = {
    "a hung worker during two commands": lambda: start((DEPLOY, ROLLBACK), {}, hangs=1, reloads=1),
    "two deployments, a hung worker, a failure": lambda: start(
        (DEPLOY, OTHER), {4: BROKEN}, hangs=1, failures=1
    ),
    "two commands, a death and a stop": lambda: start((DEPLOY, ROLLBACK), {}, deaths=1, stops=1),
    "three workers": lambda: start((DEPLOY, ROLLBACK), {}, workers=3, reloads=1),
}

HARMLESS = {
    # the worker is told to open what is live once more, when the change has ended
    (Phase.PREPARING, on.WorkerSwitched): "test_a_deployment_ends_while_the_next_is_prepared",
    **{
        (phase, on.PointerUnreadable): "test_a_pointer_that_cannot_be_read_is_remembered"
        for phase in (Phase.IDLE, Phase.CHECKING, Phase.PREPARING)
    },
}
"""Entries without which every history still ends well, and the tests that need them."""


def explore(first: World, limit: int = 5_000_000) -> int:
    """Visit every state that can be reached; return their number.

    Raises
    ------
    Violation
        With the events that lead to it.

    """
    seen = {first.key()}
    waiting: list[tuple[World, tuple[Any, ...]]] = [(first, ())]
    while waiting:
        world, path = waiting.pop()
        try:
            check(world)
            following = list(internal(world))
            if not following:
                check_end(world)
            following += external(world)
        except Violation as error:
            steps = []
            while path:
                step, path = path
                steps.append(step)
            raise Violation(f"{error}; after: {' | '.join(reversed(steps))}") from None
        for step, reached in following:
            key = reached.key()
            if key not in seen:
                seen.add(key)
                waiting.append((reached, (step, path)))
        assert len(seen) < limit
    return len(seen)


LARGEST = ("a death, a hung worker and a stop", "a death during two commands")


@pytest.mark.parametrize("name", [name for name in SCENARIOS if SOAK or name not in LARGEST])
def test_every_order_of_events_ends_at_the_pointer(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    states = explore(SCENARIOS[name]())
    record_property("explored", f"{states:,} states: {name}")
    assert states > 100


@pytest.mark.skipif(not SOAK, reason="minutes: make soak")
@pytest.mark.parametrize("name", LONG)
def test_every_order_of_more_events_ends_at_the_pointer(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("explored", f"{explore(LONG[name]()):,} states: {name}")


NEEDED = [key for key in TABLE if key not in HARMLESS]


@pytest.mark.parametrize("key", NEEDED if SOAK else NEEDED[::3], ids=str)
def test_every_transition_is_needed(key: tuple[Phase, type]) -> None:
    table = {other: handler for other, handler in TABLE.items() if other != key}
    for scenario in SCENARIOS.values():
        try:
            explore(replace(scenario(), table=table))
        except Violation:
            return
    pytest.fail(f"no history goes wrong without {key}")


def test_the_tests_of_harmless_transitions_exist() -> None:
    assert set(HARMLESS.values()) <= set(globals())


@settings(max_examples=2000 if SOAK else 60, deadline=None)
@given(st.data())
def test_long_histories_end_at_the_pointer(data: st.DataObject) -> None:
    """Three commands, three workers, several faults: too many states to visit all of them."""
    quality = data.draw(
        st.dictionaries(st.sampled_from([3, 4]), st.sampled_from([BROKEN, UNOPENABLE, SLOW]))
    )
    budgets = {"deaths": 3, "hangs": 2, "reloads": 2, "failures": 1}
    world = start((DEPLOY, ROLLBACK, OTHER), quality, workers=3, **budgets)
    for _ in range(data.draw(st.integers(10, 120))):
        following = [*internal(world), *external(world)]
        if not following:
            break
        index = data.draw(st.integers(0, len(following) - 1))
        world = following[index][1]
        check(world)
    while following := list(internal(world)):  # what is left happens by itself
        world = following[0][1]
        check(world)
    check_end(world)


def test_a_deployment_ends_while_the_next_is_prepared() -> None:
    swap = Swap(pointer(1, 1))
    for event in (
        on.WorkerStarted(7), on.WorkerReady(7, 1), on.WorkerSwitched(7, 1),
        on.PointerChanged(pointer(2, 2)), on.CheckPassed(2), on.WorkerReady(7, 2),
        on.PointerChanged(pointer(3, 3)), on.CheckPassed(3), on.WorkerSwitched(7, 2),
    ):  # fmt: skip
        swap, _ = handle(swap, event)
    assert swap.phase is Phase.PREPARING
    assert swap.outcome(2) == ""
    assert swap.outcome(3) is None


def test_a_pointer_that_cannot_be_read_is_remembered() -> None:
    swap = Swap(pointer(1, 1))
    for event in ((), (on.PointerChanged(pointer(2, 2)),), (on.CheckPassed(2),)):
        for earlier in event:
            swap, _ = handle(swap, earlier)
        swap, effects = handle(swap, on.PointerUnreadable(f"damaged {swap.phase}"))
        assert effects == [on.Rejected(-1, f"damaged {swap.phase}")]
        assert swap.rejected == {-1: f"damaged {swap.phase}"}


def test_a_bundle_that_ends_three_workers_is_rejected() -> None:
    swap = Swap(pointer(1, 1))
    for worker in (7, 8):
        for event in (on.WorkerStarted(worker), on.WorkerReady(worker, 1)):
            swap, _ = handle(swap, event)
    swap, _ = handle(swap, on.PointerChanged(pointer(2, 2)))
    swap, _ = handle(swap, on.CheckPassed(2))
    for worker in (7, 8, 9):
        swap, _ = handle(swap, on.WorkerEnded(worker))
        for event in (on.WorkerStarted(worker + 1), on.WorkerReady(worker + 1, 1)):
            swap, _ = handle(swap, event)
    assert swap.rejected == {2: "3 workers ended while they opened the bundles"}
    assert swap.live.seq == 1


def test_a_good_bundle_is_served_after_an_outage() -> None:
    swap = Swap(pointer(1, 1))
    for worker in (5, 6, 7):  # none can open what is live
        for event in (on.WorkerStarted(worker), on.WorkerEnded(worker)):
            swap, _ = handle(swap, event)
    for event in (
        on.WorkerStarted(8), on.PointerChanged(pointer(2, 2)), on.CheckPassed(2),
    ):  # fmt: skip
        swap, _ = handle(swap, event)
    assert swap.live.seq == 2
    swap, effects = handle(swap, on.WorkerReady(8, 1))
    assert effects == []  # it was told to open the new bundles
    swap, effects = handle(swap, on.WorkerReady(8, 2))
    assert effects == [on.Switch(8, 2)]


def test_a_reload_tries_what_was_rejected_again_and_few_reasons_are_kept() -> None:
    swap = Swap(pointer(1, 1))
    for seq in range(2, 2 * MAX_REJECTED):
        swap, _ = handle(swap, on.PointerChanged(pointer(seq, 2)))
        swap, _ = handle(swap, on.CheckFailed(swap.last, "broken"))
    assert len(swap.rejected) == MAX_REJECTED
    again = on.PointerChanged(pointer(seq, 2))
    assert handle(swap, again)[1] == []
    assert handle(swap, replace(again, again=True))[1] == [
        on.StartCheck(again.pointer, swap.last + 1)
    ]
