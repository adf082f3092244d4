"""A server, its workers, and two commands as a value, and every event that may come next.

The decisions are those of the server: `handle`, `Handover`, `Swap.outcome`. The rest is what
sockets and processes do with them: messages arrive in order, and late; processes end, hang and
return at any moment.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lockgate.deployment.pointer import DeploymentEvent, Pointer
from lockgate.registry.slots import PreviousBundle, Slot
from lockgate.serving.workers import swap_events as on
from lockgate.serving.workers.handover import Handover
from lockgate.serving.workers.swap import handle
from lockgate.serving.workers.swap_state import Phase, Swap

GOOD, BROKEN, UNOPENABLE, SLOW = "good", "broken", "unopenable", "slow"
"""What happens to a version: served; refused by the check; by a worker; not opened in time."""


class Violation(Exception):
    """An invariant does not hold."""


def pointer(seq: int, version: int) -> Pointer:
    """The pointer of an event that serves a version."""
    digest = f"{version}" * 64
    event = DeploymentEvent(
        seq, "deploy", "m", "prod", None, PreviousBundle(str(version), digest), "", ""
    )
    return Pointer(1, event, (Slot("m", "prod", str(version), digest),))


def version_of(served: Pointer) -> int:
    return int(served.slots[0].version)


@dataclass(frozen=True)
class Process:
    """A worker process: what it serves, what it opens, and its messages."""

    slot: int
    serves: int = 0  # a version, 0 before it accepts requests
    handover: tuple[int, int, int] = (0, 0, 0)  # wanted, generation, version
    opening: tuple[tuple[int, int], ...] = ()
    inbox: tuple[Any, ...] = ()
    outbox: tuple[Any, ...] = ()
    hung: bool = False
    noticed: bool = False  # that it does not respond
    dead: bool = False


@dataclass(frozen=True)
class Command:
    """A deployment of a version, or a rollback (0), and how far it is."""

    version: int
    seq: int = 0
    before: int = 0
    done: str = ""
    killed: bool = False  # as soon as it has written the pointer


@dataclass(frozen=True)
class World:
    """All of it."""

    swap: Swap
    processes: Mapping[int, Process]
    commands: tuple[Command, ...]
    quality: Mapping[int, str]
    versions: tuple[int, ...] = (1, 2)  # of the directory's events
    read: int = 2
    check: int = 0  # generation that is being checked
    deadline: int = 0
    deaths: int = 0
    hangs: int = 0
    reloads: int = 0
    stops: int = 0
    failures: int = 0
    unkillable: bool = False  # as in an uninterruptible sleep of the kernel
    stopped: bool = False
    table: Any = field(default=None, compare=False)

    def key(self) -> Any:
        """A hashable value that is equal for equal states."""
        swap = self.swap
        return (
            swap.live.seq, swap.generation, swap.last, swap.phase, swap.ended, swap.failed_starts,
            swap.target and swap.target.seq, tuple(swap.workers.items()),
            tuple(swap.rejected), tuple(self.processes.items()), self.commands, self.versions,
            self.read, self.check, self.deadline, self.deaths, self.hangs, self.reloads,
            self.stops, self.failures, self.stopped,
        )  # fmt: skip


def start(
    commands: tuple[Command, ...], quality: Mapping[int, str], workers: int = 2, **budgets: Any
) -> World:
    """A server with version 2 live on all workers; version 1 was before."""
    swap = Swap(pointer(2, 2))
    world = World(swap, {}, commands, quality, **budgets)
    for slot in range(workers):
        world = _start_worker(world, slot)
        pid = max(world.processes)
        for event in (on.WorkerReady(pid, 1), on.WorkerSwitched(pid, 1)):
            swap, _ = handle(world.swap, event)
            world = replace(world, swap=swap)
        ready = Process(slot, serves=2, handover=(1, 1, 0))
        world = replace(world, processes={**world.processes, pid: ready})
    return world


def _start_worker(world: World, slot: int) -> World:
    pid = max(world.processes, default=0) + 1
    generation, version = world.swap.generation, version_of(world.swap.live)
    process = Process(slot, handover=(generation, 0, 0), opening=((generation, version),))
    world = replace(world, processes={**world.processes, pid: process})
    return apply(world, on.WorkerStarted(pid))


def apply(world: World, event: on.Event) -> World:
    """Let the server handle an event, and do what follows."""
    swap, effects = handle(world.swap, event, world.table)
    world = replace(world, swap=swap)
    for effect in effects:
        world = _do(world, effect)
    return world


def _do(world: World, effect: on.Effect) -> World:
    if world.stopped:
        raise Violation(f"{effect} while the server stops")
    match effect:
        case on.StartCheck(generation=generation):
            return replace(world, check=generation)
        case on.StopCheck():
            return replace(world, check=0)
        case on.StartDeadline(generation=generation):
            return replace(world, deadline=generation)
        case on.Prepare(worker=pid, pointer=target, generation=generation):
            return _send(world, pid, ("prepare", generation, version_of(target)))
        case on.Switch(worker=pid, generation=generation):
            return _send(world, pid, ("switch", generation))
        case on.Kill(worker=pid):
            return _change(world, pid, dead=True)
        case on.Serving(pointer=served):
            if world.quality.get(version_of(served), GOOD) != GOOD:
                raise Violation(f"version {version_of(served)} is served")
    return world


def _change(world: World, pid: int, **changes: Any) -> World:
    changed = replace(world.processes[pid], **changes)
    return replace(world, processes={**world.processes, pid: changed})


def _send(world: World, pid: int, message: Any) -> World:
    process = world.processes.get(pid)
    return world if process is None else _change(world, pid, inbox=(*process.inbox, message))


# what may happen next


def internal(world: World) -> Iterator[tuple[str, World]]:
    """What happens by itself, sooner or later."""
    if world.swap.phase is not Phase.STOPPING:
        if world.read < len(world.versions):
            seq = len(world.versions)
            changed = on.PointerChanged(pointer(seq, world.versions[-1]))
            yield f"reads {seq}", apply(replace(world, read=seq), changed)
        yield from _checks(world)
        if world.swap.phase is Phase.PREPARING and world.deadline and _is_slow(world):
            yield "too slow", apply(replace(world, deadline=0), on.DeadlinePassed(world.deadline))
    for pid, process in world.processes.items():
        yield from _of_process(world, pid, process)
    for index, command in enumerate(world.commands):
        if command.seq and not command.done:
            yield from _end_command(world, index, command)


def _checks(world: World) -> Iterator[tuple[str, World]]:
    if world.check and world.swap.target is not None:
        generation, version = world.check, version_of(world.swap.target)
        passed = world.quality.get(version, GOOD) != BROKEN
        event = on.CheckPassed(generation) if passed else on.CheckFailed(generation, "broken")
        yield f"check of {version}", apply(replace(world, check=0), event)


def _is_slow(world: World) -> bool:
    target = world.swap.target
    return target is not None and world.quality.get(version_of(target), GOOD) == SLOW


def _of_process(world: World, pid: int, process: Process) -> Iterator[tuple[str, World]]:
    if process.outbox:
        message, *rest = process.outbox
        yield f"{pid} said {message}", apply(_change(world, pid, outbox=tuple(rest)), message)
    if process.dead:
        if not process.outbox:
            rest = {key: value for key, value in world.processes.items() if key != pid}
            world = apply(replace(world, processes=rest), on.WorkerEnded(pid))
            if world.swap.phase is not Phase.STOPPING:
                world = _start_worker(world, process.slot)
            yield f"{pid} ended", world
        return
    yield from _of_hung(world, pid, process)
    if process.hung:
        return
    if process.inbox:
        message, *rest = process.inbox
        yield f"{pid} got {message}", _receive(_change(world, pid, inbox=tuple(rest)), pid, message)
    for generation, version in process.opening:
        if world.quality.get(version, GOOD) != SLOW:
            yield f"{pid} opened {version}", _opened(world, pid, generation, version)


def _of_hung(world: World, pid: int, process: Process) -> Iterator[tuple[str, World]]:
    if process.hung and not process.noticed:
        silent = _change(world, pid, noticed=True)
        yield f"{pid} is silent", apply(silent, on.WorkerSilent(pid))
    elif process.noticed and not process.hung:
        heard = _change(world, pid, noticed=False)
        yield f"{pid} is heard", apply(heard, on.WorkerHeard(pid))
    elif process.hung and not world.unkillable:
        yield f"{pid} is killed", _change(world, pid, dead=True)


def _receive(world: World, pid: int, message: Any) -> World:
    process = world.processes[pid]
    handover: Handover[int] = Handover(*process.handover)
    outbox = process.outbox
    if message[0] == "prepare":
        _, generation, version = message
        handover.prepare(generation)
        process = replace(process, opening=(*process.opening, (generation, version)))
    elif (version := handover.take(message[1])) is not None:
        process = replace(process, serves=version)
        outbox = (*outbox, on.WorkerSwitched(pid, message[1]))
    return _change(world, pid, **_fields(process, handover, outbox))


def _opened(world: World, pid: int, generation: int, version: int) -> World:
    process = world.processes[pid]
    handover: Handover[int] = Handover(*process.handover)
    opening = tuple(entry for entry in process.opening if entry[0] != generation)
    process = replace(process, opening=opening)
    outbox = process.outbox
    if world.quality.get(version, GOOD) == UNOPENABLE:
        outbox = (*outbox, on.WorkerFailed(pid, generation, "unopenable"))
    elif handover.on_opened(generation, version):
        outbox = (*outbox, on.WorkerReady(pid, generation))
    return _change(world, pid, **_fields(process, handover, outbox))


def _fields(process: Process, handover: Handover[int], outbox: tuple[Any, ...]) -> dict[str, Any]:
    fields = copy.copy(vars(process))
    parts = (handover.wanted, handover.generation, handover.opened)
    return {**fields, "handover": parts, "outbox": outbox}


def _end_command(world: World, index: int, command: Command) -> Iterator[tuple[str, World]]:
    """A command asks for the outcome; it ends when there is one."""
    if world.swap.phase is Phase.STOPPING:
        yield f"command {index}: stopping", _done(world, index, "stopping")
        return
    outcome = _outcome(world, command)
    if outcome is None:
        return
    served = version_of(world.swap.live)
    if outcome:
        if world.versions[-1] == command.version:
            world = replace(world, versions=(*world.versions, command.before))
        yield f"command {index}: rejected", _done(world, index, "rejected")
    elif served != command.version:
        yield f"command {index}: replaced", _done(world, index, "replaced")
    else:
        for pid, process in world.processes.items():
            if process.serves not in (0, served) and not process.dead:
                raise Violation(f"{served} is said to be served, {pid} serves {process.serves}")
        yield f"command {index}: served", _done(world, index, "served")


def _outcome(world: World, command: Command) -> str | None:
    """The outcome of a command's event, or of a later one that nobody reverts."""
    latest = len(world.versions)
    outcome = world.swap.outcome(command.seq)
    reverted = any(other.seq == latest and not other.done for other in world.commands)
    if outcome is not None or reverted or world.swap.live.seq >= command.seq:
        return outcome
    return world.swap.outcome(latest)


def _done(world: World, index: int, done: str) -> World:
    commands = list(world.commands)
    commands[index] = replace(commands[index], done=done)
    return replace(world, commands=tuple(commands))


def external(world: World) -> Iterator[tuple[str, World]]:
    """What may happen, or not."""
    for index, command in enumerate(world.commands):
        if not command.seq:
            before = world.versions[-1]
            version = command.version or max(before - 1, 1)
            started = replace(
                command,
                version=version,
                before=before,
                seq=len(world.versions) + 1,
                done="killed" if command.killed else "",
            )
            commands = list(world.commands)
            commands[index] = started
            yield (
                f"command {index} writes {version}",
                replace(world, commands=tuple(commands), versions=(*world.versions, version)),
            )
    if world.reloads and world.swap.phase is not Phase.STOPPING:
        again = on.PointerChanged(pointer(len(world.versions), world.versions[-1]), again=True)
        yield (
            "reload",
            apply(replace(world, reloads=world.reloads - 1, read=len(world.versions)), again),
        )
    if world.stops and world.swap.phase is not Phase.STOPPING:
        stopping = apply(replace(world, stops=0), on.Stop())
        yield "stop", replace(stopping, stopped=True)
    for pid, process in world.processes.items():
        if not process.dead:
            yield from _faults(world, pid, process)


def _faults(world: World, pid: int, process: Process) -> Iterator[tuple[str, World]]:
    if world.deaths:
        yield f"{pid} dies", _change(replace(world, deaths=world.deaths - 1), pid, dead=True)
    if world.failures and not process.hung:
        for generation, _ in process.opening:
            failed = _change(
                replace(world, failures=world.failures - 1),
                pid,
                opening=tuple(e for e in process.opening if e[0] != generation),
                outbox=(*process.outbox, on.WorkerFailed(pid, generation, "no memory")),
            )
            yield f"{pid} cannot open {generation}", failed
    if process.hung:
        yield f"{pid} returns", _change(world, pid, hung=False)
    elif world.hangs:
        yield f"{pid} hangs", _change(replace(world, hangs=world.hangs - 1), pid, hung=True)


def check(world: World) -> None:
    """Raise if a version is served that was refused, or that the pointer never had."""
    for pid, process in world.processes.items():
        if process.serves and world.quality.get(process.serves, GOOD) != GOOD:
            raise Violation(f"{pid} serves {process.serves}")


def check_end(world: World) -> None:
    """Raise if nothing more happens by itself, and the server is not at the pointer."""
    if world.swap.phase is Phase.STOPPING:
        return
    stuck = any(process.hung for process in world.processes.values())
    waiting = [command for command in world.commands if command.seq and not command.done]
    if waiting and not stuck:
        raise Violation(f"{waiting[0]} waits for ever")
    seq, live = len(world.versions), world.swap.live
    if world.swap.phase is not Phase.IDLE or (live.seq != seq and seq not in world.swap.rejected):
        raise Violation(f"the pointer is {seq}, live is {live.seq}")
    if not (world.swap.settled or stuck):
        raise Violation("the server is not settled, and no worker hangs")
    for pid, process in world.processes.items():
        if process.serves != version_of(live) and not process.hung:
            raise Violation(f"{version_of(live)} is live, {pid} serves {process.serves}")
