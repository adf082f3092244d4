"""Every order of what people, the ledger and `lockgate deploy --follow` do to a stage."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import msgspec

from lockgate.deployment.transitions import (
    NextStep,
    deployed,
    next_step,
    rolled_back_here,
    synchronized,
)
from lockgate.registry.slots import PreviousBundle, Slot, promoted, rolled_back

EVENTS = 6
"""Changes by people, in a history that is explored."""

Names = tuple[str, ...]


@dataclass(frozen=True)
class World:
    """A stage in a directory and in the ledger, and a follower between reading and changing.

    Kept by the test, apart from the slot: `distrusted` are the bundles that were rolled back from
    here, and the ledger was not told; `replaced` is the ledger's event whose bundle somebody
    replaced here.
    """

    here: Slot | None = None
    seq: int = 0
    ledger: Slot | None = None
    events: int = 0
    read: tuple[int, NextStep, Slot | None] | None = None
    distrusted: frozenset[str] = frozenset()
    replaced: str = ""


def bundle(name: str, event: int = 0) -> Slot:
    return Slot("m", "prod", name, name * 8, ledger=event, event=f"e{event}" if event else "")


def by_people(world: World) -> Iterator[tuple[str, World]]:
    """Yield what a person may do next."""
    number = world.events + 1
    for name in "ab":
        new = bundle(name, number)
        if world.ledger is not None and world.ledger.digest == new.digest:
            slot = msgspec.structs.replace(world.ledger, ledger=number, event=f"e{number}")
        else:
            slot = new if world.ledger is None else promoted(world.ledger, new, limit=5)
        yield f"promote {name}", replace(world, ledger=slot, events=number)
    if world.ledger is not None:
        yield "retire", replace(world, ledger=None, events=number)
    slot, is_new = deployed(world.here, bundle("c"))
    if is_new:
        replaced = world.here.event if world.here is not None else ""
        changed = replace(world, here=slot, seq=world.seq + 1, events=number, replaced=replaced)
        yield "deploy c here", changed
    if world.here is not None:
        for previous in world.here.before:
            yield from rollback_here(world, world.here, previous, number)
        yield from sync(world, world.here, number)


def rollback_here(
    world: World, here: Slot, previous: PreviousBundle, number: int
) -> Iterator[tuple[str, World]]:
    slot = rolled_back_here(here, previous, by_person=True)
    distrusted = world.distrusted
    if here.ledger:
        skipped = [] if previous.left else here.before[: here.before.index(previous)]
        distrusted |= {here.digest, *(bundle.digest for bundle in skipped)}
    distrusted -= {slot.digest}
    changed = replace(world, here=slot, seq=world.seq + 1, events=number, distrusted=distrusted)
    yield f"roll back to {previous.version} here", changed


def sync(world: World, here: Slot, number: int) -> Iterator[tuple[str, World]]:
    """`lockgate sync`: the ledger rolls back as the directory did, and the directory notes it."""
    ledger = world.ledger
    held = any(previous.held for previous in here.before)
    if ledger is None or not here.ledger or not (here.local or held):
        return
    moved = (ledger.ledger, ledger.event) != (here.ledger, here.event)
    if ledger.digest != here.digest and here.local:
        if moved:
            return  # the ledger has moved: somebody has to decide
        matching = [previous for previous in ledger.before if previous.digest == here.digest]
        if not matching:
            return
        ledger = msgspec.structs.replace(
            rolled_back(ledger, matching[0], limit=5), ledger=number, event=f"e{number}"
        )
    assert moved or ledger.digest == here.digest  # the ledger says what is served
    slot = synchronized(here, ledger.ledger, ledger.event)
    synced = replace(world, here=slot, ledger=ledger, events=number, distrusted=frozenset())
    yield "sync", synced


def follow_read(world: World) -> World:
    return replace(world, read=(world.seq, next_step(world.here, world.ledger), world.ledger))


def follow_change(world: World) -> World:
    """Change the directory as it was decided, if it is still as it was read."""
    assert world.read is not None
    seq, step, promotion = world.read
    world = replace(world, read=None)
    if seq != world.seq:
        return world  # DeploymentChanged: it reads again
    if step is NextStep.REMOVE:
        # a stage that was emptied and is filled again is decided anew
        return replace(world, here=None, seq=world.seq + 1, distrusted=frozenset())
    if step is not NextStep.DEPLOY or promotion is None:
        return world
    assert promotion.event != world.replaced or world.here is None  # it is not undone
    slot, is_new = deployed(world.here, msgspec.structs.replace(promotion, before=()))
    return replace(world, here=slot, seq=world.seq + is_new, replaced="")


def check(world: World, path: Names) -> None:
    """What must be true after every event."""
    last = path[-1] if path else ""
    here = world.here
    if last == "follow changes" and here is not None:
        assert here.digest not in world.distrusted, path
    if here is not None:
        digests = [here.digest, *(previous.digest for previous in here.before)]
        assert len(digests) == len(set(digests)), path
    settled = follow_change(follow_read(replace(world, read=None)))
    after = next_step(settled.here, settled.ledger)
    assert after is not NextStep.DEPLOY, path  # one step is enough
    assert after is not NextStep.REMOVE, path
    if settled.ledger is None:
        assert settled.here is None or not settled.here.ledger, path
    if after is NextStep.NOTHING:
        assert settled.here is not None
        assert settled.ledger is not None
        assert settled.here.digest == settled.ledger.digest, path
    if after is NextStep.HELD:
        assert settled.ledger is not None
        assert settled.ledger.digest in settled.distrusted, path


def explore() -> int:
    start = World()
    seen = {start}
    queue: deque[tuple[World, Names]] = deque([(start, ())])
    while queue:
        world, path = queue.popleft()
        check(world, path)
        following: list[tuple[str, World]] = []
        if world.events < EVENTS:
            following += by_people(world)
        if world.read is None:
            following.append(("follow reads", follow_read(world)))
        else:
            following.append(("follow changes", follow_change(world)))
        for name, changed in following:
            if changed not in seen:
                seen.add(changed)
                queue.append((changed, (*path, name)))
    return len(seen)


def test_every_history_ends_at_the_ledger_or_says_why_not(
    record_property: Callable[[str, object], None],
) -> None:
    states = explore()
    assert states > 2000
    record_property(
        "explored", f"{states:,} states: people, the ledger and a follower change a stage"
    )
