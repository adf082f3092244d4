"""Clones of a shared ledger in memory, whose steps are taken in any order, with faults.

The decisions are those of the program: the writer, its checks, its replays. What it does to
references and to the remote is a step, before which anything may happen: another clone goes on, the
process is killed, an answer is lost, the remote cannot be reached, somebody pushes a commit that is
not an event, or takes the last event back.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
from greenlet import getcurrent, greenlet

from lockgate.errors import LedgerConflict, LedgerError, LedgerTampered, RemoteUnavailable
from lockgate.registry import actions
from lockgate.registry.git.objects import RefChanged
from lockgate.registry.git.trees import object_id
from lockgate.registry.ledger.drafts import Draft
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.ledger.remote import PushRejected, PushUnconfirmed, Remote
from lockgate.registry.ledger.repository import LEDGER, Repository, event_of
from lockgate.registry.ledger.rewritten import accept_rewritten
from lockgate.registry.ledger.stage_changes import StageChanges
from lockgate.registry.ledger.state import State, VersionRecord
from lockgate.registry.ledger.writer import Writer
from lockgate.registry.sync import discard_queued, push_queued
from tests.conftest import ROOT

(MANIFEST,) = sorted(
    (ROOT / "tests" / "golden").glob("deployment-1/served/bundles/*/manifest.json")
)[:1]
AT = "2026-09-01T00:00:00.000+00:00"
VERSIONS = ("1.0.0", "2.0.0", "3.0.0")
SETTINGS = {"lockgate.mirror": "false", "user.name": "Ada", "user.email": "ada@shop.example"}


class Killed(BaseException):
    """The process ends here."""


class Violation(Exception):
    """An invariant does not hold."""


@dataclass
class World:
    """The shared branch, all objects, and what may still go wrong."""

    branch: str | None = None
    objects: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    kills: int = 0
    losses: int = 0
    outages: int = 0
    calm: bool = True  # no step waits, and nothing goes wrong
    taken_back: set[str] = field(default_factory=set)  # ids of events

    def step(self, kind: str) -> str:
        """Wait until the step is taken; return what happens to it."""
        if self.calm:
            return "go"
        outcome: str = getcurrent().parent.switch(kind)
        if outcome == "kill":
            raise Killed
        return outcome

    def outcomes(self, kind: str) -> list[str]:
        """Return what may happen to a step of this kind."""
        may = ["go"]
        may += ["kill"] if self.kills and kind in ("fetch", "push", "ref") else []
        may += ["lost", "unsent"] if self.losses and kind == "push" else []
        may += ["outage"] if self.outages and kind == "fetch" else []
        return may

    def spend(self, outcome: str) -> None:
        """Count down what went wrong."""
        self.kills -= outcome == "kill"
        self.losses -= outcome in ("lost", "unsent")
        self.outages -= outcome == "outage"


class Store:
    """The objects of all clones, and the references of one."""

    def __init__(self, world: World) -> None:
        self.world, self.refs = world, dict[str, str]()

    def read(self, oid: str) -> tuple[str, bytes]:
        try:
            return self.world.objects[oid]
        except KeyError:
            raise LedgerError(f"no object {oid}") from None

    def write(self, kind: str, content: bytes) -> str:
        oid = object_id(kind, content)
        self.world.objects[oid] = (kind, content)
        return oid

    def ref(self, name: str) -> str | None:
        return self.refs.get(name)

    def compare_and_set(self, name: str, old: str | None, new: str | None) -> None:
        self.world.step("ref")
        if self.refs.get(name) != old:
            raise RefChanged(name)
        assert new is not None
        self.refs[name] = new

    def list_refs(self, prefix: str) -> dict[str, str]:
        return {name: oid for name, oid in self.refs.items() if name.startswith(prefix)}


class Clone(Repository):
    """A repository in memory."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(Path(f"/{name}"), Path(f"/{name}/.git"))
        self.__dict__["store"] = Store(world)
        self.__dict__["settings"] = SETTINGS

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        yield  # one writer for each clone


class SharedBranch(Remote):
    """The remote of all clones."""

    world: World

    @classmethod
    def of(cls, world: World, repository: Repository) -> SharedBranch:
        remote = cls(repository, "origin")
        object.__setattr__(remote, "world", world)
        return remote

    def fetch(self) -> str | None:
        if self.world.step("fetch") == "outage":
            raise RemoteUnavailable("origin cannot be reached")
        if self.world.branch is not None:
            self.repository.store.refs[self.incoming] = self.world.branch
        return self.world.branch

    def push(self, oid: str, *refspecs: str) -> None:
        outcome = self.world.step("push")
        if outcome == "unsent":
            raise PushUnconfirmed("no answer")
        parent = self.repository.commit(oid).parent
        chain, tip = [], oid
        while tip is not None and tip != self.world.branch:  # queued events are sent together
            chain.append(tip)
            tip = self.repository.commit(tip).parent
        if tip != self.world.branch or (parent is None and self.world.branch is not None):
            raise PushRejected("fetch first")
        self.world.branch = oid
        if outcome == "lost":
            raise PushUnconfirmed("no answer")


class Person:
    """Somebody with a clone, and the change that they make."""

    def __init__(self, world: World, name: str, *, queue: bool = False) -> None:
        self.name, self.clone = name, Clone(world, name)
        self.writer = Writer(self.clone, SharedBranch.of(world, self.clone), queue=queue)
        self.writer.signers = lambda: None
        self.result = "unfinished"
        self.event_id = ""
        self.ended = False

    @property
    def ledger(self) -> EventLog:
        log = EventLog.__new__(EventLog)
        log.repository, log.remote, log.writer = self.clone, self.writer.remote, self.writer
        log.stages = StageChanges(self.clone, self.writer, lambda: log.state)
        return log

    def promote(self, version: str) -> Callable[[], None]:
        """Return a promotion, decided on what this clone has seen."""

        def run() -> None:
            expected = self.ledger.stages.expectation("m", "prod")

            def draft(state: State) -> Draft:
                made = actions.promotion_draft(
                    state,
                    name="m",
                    stage="prod",
                    version=version,
                    expected=expected,
                    override=True,
                    reason=self.name,
                    policy=lambda: (_ for _ in ()).throw(AssertionError),
                )
                return Draft({**made.fields, "at": AT}, made.attached)

            self.result = "killed"
            try:
                event = self.writer.write(draft, id=identity(self.name, version))
                self.result = f"acknowledged {event.id}"
            except Killed:
                self.ended = True
                raise
            except LedgerConflict:
                self.result = "conflict"
            except RemoteUnavailable:
                self.result = "unknown"
            except LedgerTampered:
                self.result = "refused"
            self.ended = True

        return run


def identity(person: str, version: str) -> str:
    return hashlib.sha256(f"{person} {version}".encode()).hexdigest()[:32]


def registration(version: str) -> Callable[[State], Draft]:
    """Draft a version of the model."""
    fields = json.loads(MANIFEST.read_text()) | {"name": "m", "threshold": int(version[0]) / 10}
    manifest = json.dumps(fields).encode()
    digest = hashlib.sha256(manifest).hexdigest()
    record = VersionRecord(
        name="m",
        version=version,
        digest=digest,
        lineage="unknown",
        commit=None,
        path=None,
        tracked=None,
        size=1,
        why=(),
        figures={},
    )
    raw = msgspec.json.encode(record)
    event = {
        "op": "register",
        "name": "m",
        "after": version,
        "digest": digest,
        "attached": hashlib.sha256(raw).hexdigest(),
        "at": AT,
    }
    return lambda _: Draft(event, (raw, manifest))


def chain_of(world: World, reader: Clone) -> list[str]:
    """Return the ids of the shared events, oldest first; a commit that is none is a violation."""
    ids = [event_of(commit, oid).id for oid, commit in reader.walk(world.branch)]
    return ids[::-1]


FORGED = "f" * 32


def mistake(world: World, reader: Clone, kind: str) -> Callable[[], None]:
    """Return what somebody pushes and takes back: a commit that is not an event, or a forged one."""

    def run() -> None:
        world.step("mistake")
        good = str(world.branch)
        commit = reader.commit(good)
        message = "update readme\n"
        if kind == "forged":  # an event, on files that it does not make
            event = event_of(commit, good)
            message = msgspec.structs.replace(event, seq=event.seq + 1, id=FORGED).message()
        person = replace(commit.person, date=commit.person.date + 2)
        wrong = replace(commit, parent=good, person=person, message=message)
        world.branch = reader.store.write("commit", wrong.encode())
        world.step("repair")
        world.branch = good

    return run


def take_back(world: World, people: list[Person]) -> Callable[[], None]:
    """Return what somebody does who forces the branch back before the last event."""

    def run() -> None:
        world.step("take back")
        reader = people[0].clone
        commit = reader.commit(str(world.branch))
        id = event_of(commit, str(world.branch)).id
        authors = [person for person in people if id == person.event_id]
        if authors and authors[0].ended:  # who is still writing it may write it again
            world.branch = commit.parent
            world.taken_back.add(id)

    return run


@dataclass
class Scenario:
    """People, what they do, and what may go wrong."""

    people: int = 2
    queue: bool = False
    mistake: str = ""
    kills: int = 0
    losses: int = 0
    outages: int = 0

    def start(self) -> tuple[World, list[Person], list[tuple[str, Callable[[], None]]]]:
        """Return a world with three versions, the first of them in prod, and what comes next."""
        world = World()
        people = [Person(world, name, queue=self.queue) for name in "AB"[: self.people]]
        for person, version in zip(people, VERSIONS[1:], strict=False):
            person.event_id = identity(person.name, version)
        for version in VERSIONS:
            people[0].writer.write(registration(version), id=identity("start", version))
        people[0].promote(VERSIONS[0])()
        for person in people:
            person.writer.latest()
            person.result, person.ended = "unfinished", False
        world.kills, world.losses, world.outages = self.kills, self.losses, self.outages
        world.calm = False
        changes = [
            (person.name, person.promote(version))
            for person, version in zip(people, VERSIONS[1:], strict=False)
        ]
        if self.mistake == "taken back":
            changes.append(("Eve", take_back(world, people)))
        elif self.mistake:
            changes.append(("Eve", mistake(world, people[0].clone, self.mistake)))
        return world, people, changes


def run(scenario: Scenario, choices: list[int], seen: set[Any]) -> tuple[list[int], bool]:
    """Take the steps in the order that the choices say, then the first that may come.

    Returns
    -------
    tuple of (list of int, bool)
        How many ways to go on there were at each step, and whether the end was reached: a state
        that was seen before is not followed further.

    """
    world, people, changes = scenario.start()
    waiting: dict[str, tuple[greenlet, str]] = {}
    for name, change in changes:
        actor = greenlet(change)
        kind = actor.switch()
        if not actor.dead:
            waiting[name] = (actor, kind)
    logs: dict[str, tuple[Any, ...]] = {name: () for name, _ in changes}
    widths: list[int] = []
    while waiting:
        options = [
            (name, outcome)
            for name, (_, kind) in sorted(waiting.items())
            for outcome in world.outcomes(kind)
        ]
        position = len(widths)
        widths.append(len(options))
        name, outcome = options[choices[position] if position < len(choices) else 0]
        actor, kind = waiting.pop(name)
        logs[name] += ((kind, outcome, world.branch),)
        world.spend(outcome)
        try:
            kind = actor.switch(outcome)
        except Killed:
            kind = ""
        if not actor.dead:
            waiting[name] = (actor, kind)
        state = (world.branch, tuple(logs.items()), tuple(str(p.clone.store.refs) for p in people))
        if position >= len(choices) - 1 and state in seen:
            return widths, False
        seen.add(state)
    check_end(world, people)
    return widths, True


def check_end(world: World, people: list[Person]) -> None:
    """Check what must hold once nothing happens any more, and every clone has fetched."""
    world.calm = True
    for person in people:
        try:
            _, discarded = accept_rewritten(person.writer, drop_impossible=True)
            dropped = discard_queued(person.ledger, everything=False)
            push_queued(person.ledger)
            if discarded or dropped:  # a queued event became impossible, and its writer is told
                person.result = "dropped"
        except LedgerError as error:
            raise Violation(f"the clone of {person.name} cannot go on: {error}") from error
    for person in people:
        person.writer.latest()
    check_events(world, people, chain_of(world, people[0].clone))


def check_events(world: World, people: list[Person], ids: list[str]) -> None:
    """Check the shared events against what people were told."""
    if len(set(ids)) < len(ids):
        raise Violation(f"an event was written twice: {ids}")
    if FORGED in ids:
        raise Violation("a forged event was shared")
    if world.taken_back & set(ids):
        raise Violation("an event that was taken back was shared again")
    for person in people:
        if person.clone.store.ref(LEDGER) != world.branch:
            raise Violation(f"the clone of {person.name} does not have the shared ledger")
        told = person.result.removeprefix("acknowledged ")
        if person.result.startswith("acknowledged") and told not in {*ids, *world.taken_back}:
            raise Violation(f"an acknowledged event of {person.name} is lost")
        if person.result in ("conflict", "refused") and person.event_id in ids:
            raise Violation(f"{person.name} was told that nothing was changed, and it was")
    acknowledged = [person for person in people if person.result.startswith("acknowledged")]
    acknowledged = [person for person in acknowledged if person.event_id not in world.taken_back]
    if len(acknowledged) > 1:
        raise Violation("two people changed what both had seen")


def explore(scenario: Scenario, *, limit: int = 1_000_000) -> tuple[int, int]:
    """Run every order of steps and faults; return the number of runs, and of states."""
    seen: set[Any] = set()
    choices: list[int] = []
    runs = 0
    while runs < limit:
        widths, _ = run(scenario, choices, seen)
        runs += 1
        path = (choices + [0] * len(widths))[: len(widths)]
        while path and path[-1] == widths[len(path) - 1] - 1:
            path.pop()
        if not path:
            break
        path[-1] += 1
        choices = path
    return runs, len(seen)
