"""Every order of the steps of two clones that share a ledger, with every fault that is stated."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from lockgate.errors import LedgerConflict
from lockgate.registry.ledger import rules, writer
from lockgate.registry.ledger.rules import Expectation
from lockgate.registry.ledger.writer import Writer
from tests.registry import ledger_world
from tests.registry.ledger_world import Scenario, Violation, explore

SOAK = bool(os.environ.get("LOCKGATE_SOAK"))

SCENARIOS = {
    "two people change a stage": Scenario(),
    "one of them is killed": Scenario(kills=1),
    "answers of pushes are lost": Scenario(losses=2),
    "the remote cannot be reached": Scenario(outages=1),
    "a forged event comes and goes": Scenario(mistake="forged"),
    "a kill and a lost answer": Scenario(kills=1, losses=1),
    "an event is taken back": Scenario(mistake="taken back"),
    "an event is taken back while others are queued": Scenario(
        mistake="taken back", queue=True, outages=1
    ),
    "events are queued while the remote is away": Scenario(queue=True, outages=2),
    "a commit that is not an event follows a lost answer": Scenario(
        people=1, mistake="stray", losses=1
    ),
}
LONG = {
    "a commit that is not an event comes and goes": Scenario(mistake="stray"),
    "a mistake, a kill and a lost answer": Scenario(mistake="stray", kills=1, losses=1),
    "queued events, lost answers and a kill": Scenario(queue=True, outages=2, losses=1, kills=1),
    "an event is taken back, a kill and a lost answer": Scenario(
        mistake="taken back", kills=1, losses=1
    ),
    "an event is taken back, queued events and a kill": Scenario(
        mistake="taken back", queue=True, outages=2, kills=1
    ),
    "a mistake while events are queued": Scenario(queue=True, outages=1, mistake="forged", kills=1),
}


@pytest.fixture(autouse=True)
def _one_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal steps make equal commits."""
    monkeypatch.setattr(time, "time", lambda: 1_790_000_000.0)


LARGEST = ("a forged event comes and goes", "a kill and a lost answer")


@pytest.mark.parametrize("name", [name for name in SCENARIOS if SOAK or name not in LARGEST])
def test_in_every_order_the_ledger_holds(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    runs, states = explore(SCENARIOS[name])
    record_property("explored", f"{states:,} states, {runs:,} ends: {name}")
    assert runs > 1


@pytest.mark.skipif(not SOAK, reason="minutes: make soak")
@pytest.mark.parametrize("name", LONG)
def test_in_every_order_of_more_faults(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    runs, states = explore(LONG[name])
    record_property("explored", f"{states:,} states, {runs:,} ends: {name}")


def no_id_is_known(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Writer, "find", lambda *_: None)


def nothing_is_expected(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Expectation, "check", lambda *_: None)
    patch.setattr(rules, "require_current", lambda state, name, stage, _: state.stage(name, stage))


def what_comes_is_taken(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(writer, "check_fetched", lambda *_, **__: None)


def a_lost_answer_is_a_refusal(patch: pytest.MonkeyPatch) -> None:
    publish = Writer.publish

    def changed(self: Any, *words: Any, **options: Any) -> bool:
        try:
            return publish(self, *words, **options)
        except writer.PushUnconfirmed:
            raise LedgerConflict("not accepted") from None

    patch.setattr(Writer, "publish", changed)


def a_rejected_push_counts(patch: pytest.MonkeyPatch) -> None:
    publish = Writer.publish
    patch.setattr(Writer, "publish", lambda *words, **options: publish(*words, **options) or True)


def what_was_taken_back_counts_as_queued(patch: pytest.MonkeyPatch) -> None:
    def accept(writer: Writer, **_: object) -> tuple[list[object], list[object]]:
        assert writer.remote is not None
        store, remote = writer.repository.store, writer.remote
        store.compare_and_set(remote.tracking, store.ref(remote.tracking), remote.fetch())
        return [], []

    patch.setattr(ledger_world, "accept_rewritten", accept)


MUTANTS: dict[Callable[[pytest.MonkeyPatch], None], Scenario] = {
    no_id_is_known: SCENARIOS["answers of pushes are lost"],
    nothing_is_expected: SCENARIOS["two people change a stage"],
    what_comes_is_taken: SCENARIOS["a forged event comes and goes"],
    a_lost_answer_is_a_refusal: SCENARIOS["answers of pushes are lost"],
    a_rejected_push_counts: SCENARIOS["two people change a stage"],
    what_was_taken_back_counts_as_queued: SCENARIOS["an event is taken back"],
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_each_rule_of_the_protocol_is_needed(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    with pytest.raises((Violation, AssertionError, LookupError, ValueError)):
        explore(MUTANTS[mutant])
