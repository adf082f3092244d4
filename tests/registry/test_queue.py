"""Events that are recorded while the remote is away, and those of others meanwhile."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import lockgate
from lockgate.errors import LedgerConflict, LedgerTampered, RemoteUnavailable, UsageError
from lockgate.registry.api import Ledger
from lockgate.registry.ledger.remote import Remote
from tests.conftest import Run
from tests.registry.conftest import git, kill_after_reference, packed
from tests.registry.test_ledger import put, run
from tests.registry.test_policy import LAX, declare
from tests.registry.test_stray_commits import BRANCH, plain_commit


@pytest.fixture
def clones(shop: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Two clones of one remote with 1.0.0 in prod."""
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "hub.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "hub.git"))
    git(shop, "push", "-q", "origin", "main")
    put(Ledger(shop), "1.0.0")
    git(tmp_path, "clone", "-q", str(tmp_path / "hub.git"), "other")
    for name, value in (("user.name", "Bea"), ("user.email", "bea@shop.example")):
        git(tmp_path / "other", "config", name, value)
    Ledger(tmp_path / "other").fetch()
    return shop, tmp_path / "other"


@contextlib.contextmanager
def remote_away(clone: Path) -> Iterator[None]:
    hub = Path(git(clone, "config", "remote.origin.url"))
    hub.rename(hub.with_name("away.git"))
    yield
    hub.with_name("away.git").rename(hub)


def test_what_is_queued_is_marked_until_it_is_shared(clones: tuple[Path, Path]) -> None:
    here, there = clones
    with remote_away(here):
        words = ("fraud@1.1.0", "prod", "--override", "--reason", "fire", "--queue", "-C", here)
        assert "1 event is queued in this clone only" in run("promote", *map(str, words))
        assert "QUEUED: GATES OVERRIDDEN: fire" in run("current", "-C", str(here))
        first, second, *_ = run("history", "-C", str(here)).splitlines()[1:]  # after a note
        assert "QUEUED: fire" in first
        assert "QUEUED" not in second
        (line,) = run("current", "--json", "-C", str(here)).split("\n", 1)[1:]
        assert json.loads(line)[0]["queued"] is True
    assert "pushed: promote fraud 1.1.0 -> prod" in run("sync", "-C", str(here))
    assert "QUEUED" not in run("current", "-C", str(here)) + run("history", "-C", str(here))
    assert "fraud@1.1.0" in run("current", "-C", str(there))


def test_a_queued_change_of_what_others_changed_and_changed_back_is_refused(
    clones: tuple[Path, Path],
) -> None:
    here, there = clones
    with remote_away(here):
        put(Ledger(here, queue=True), "1.1.0")
    put(Ledger(there), "1.2.0")
    Ledger(there).rollback("fraud", "prod", reason="alarm")  # 1.0.0 again, by another decision
    with pytest.raises(LedgerConflict, match=r"became impossible: .* was changed"):
        Ledger(here).fetch()


def test_others_are_read_and_the_other_queued_events_are_shared(
    clones: tuple[Path, Path],
) -> None:
    here, there = clones
    with remote_away(here):
        put(Ledger(here, queue=True), "1.1.0")
        put(Ledger(here, queue=True), "1.2.0", "canary")
    put(Ledger(there), "1.2.0")
    shown = run("current", "fraud", "prod", "-C", str(here))
    assert "warning: a queued event became impossible: promote fraud 1.1.0 -> prod" in shown
    assert "showing the ledger without the events that are queued here" in shown
    assert "fraud@1.2.0" in shown
    traced = run("trace", "fraud@prod", "-C", str(here))
    assert "note: a queued event became impossible" in traced
    assert '"reason": "for the test"' in traced
    assert "Bea" in traced  # who promoted 1.2.0
    with pytest.raises(LedgerConflict, match="a queued event became impossible"):
        Ledger(here).retire("fraud", version="1.1.0")
    shown = run("sync", "--drop", "impossible", "-C", str(here))
    assert "discarded: promote fraud 1.1.0 -> prod" in shown
    assert "pushed: promote fraud 1.2.0 -> canary" in shown
    assert "canary" in run("current", "-C", str(there))
    assert "no problems" in run("verify", "-C", str(there))


def test_an_impossible_event_is_not_shown_when_the_remote_goes_away(
    clones: tuple[Path, Path],
) -> None:
    """A server that follows would switch to what others had refused."""
    here, there = clones
    with remote_away(here):
        put(Ledger(here, queue=True), "1.1.0")
    put(Ledger(there), "1.2.0")
    ledger = Ledger(here)
    with pytest.raises(LedgerConflict, match="a queued event became impossible"):
        ledger.fetch()
    with remote_away(here), pytest.raises(RemoteUnavailable):
        ledger.fetch()
    with remote_away(here), pytest.raises(LedgerConflict, match="nothing can be queued after it"):
        put(Ledger(here, queue=True), "1.0.0", "canary")
    for known in (ledger, Ledger(here)):
        record = known.current("fraud", "prod")
        assert record is not None
        assert record.slot.version == "1.2.0"
    result = lockgate.sync(ledger=ledger, drop="impossible")
    assert [event.subject for event in result.dropped] == ["promote fraud 1.1.0 -> prod (override)"]


def test_a_fresh_clone_may_queue(clones: tuple[Path, Path], tmp_path: Path) -> None:
    here, _ = clones
    git(tmp_path, "clone", "-q", str(tmp_path / "hub.git"), "fresh")
    put(Ledger(tmp_path / "fresh", queue=True), "1.1.0")
    assert Ledger(tmp_path / "fresh").queued() == []
    assert "fraud@1.1.0" in run("current", "-C", str(here))


def test_another_ledger_is_not_merged(clones: tuple[Path, Path], bundles: list[Path]) -> None:
    here, _ = clones
    alone = here.with_name("alone")
    git(here.parent, "clone", "-q", str(here.parent / "hub.git"), "alone")
    git(alone, "config", "lockgate.remote", "none")
    Ledger(alone).register(bundles[2])
    git(alone, "config", "lockgate.remote", "origin")
    for words in ((), ("--drop", "impossible"), ("--drop", "all")):
        with pytest.raises(LedgerTampered, match="have no event in common"):
            run("sync", *words, "-C", str(alone))


def test_what_is_to_be_discarded_is_spelled_right(clones: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="drop is True, expected None, 'impossible' or 'all'"):
        lockgate.sync(ledger=clones[0], drop=True)  # type: ignore[arg-type]  # the mistake


def test_an_event_that_was_pushed_is_never_queued(
    clones: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the process is killed between the references that it writes."""
    here, there = clones
    ledger = Ledger(here)
    ledger.fetch()
    push = Remote.push

    def pushed(self: Remote, oid: str, *refspecs: str) -> None:
        push(self, oid, *refspecs)
        kill_after_reference(monkeypatch)

    monkeypatch.setattr(Remote, "push", pushed)
    with pytest.raises(KeyboardInterrupt):
        put(ledger, "1.1.0")
    monkeypatch.undo()
    with remote_away(here):
        put(Ledger(here, queue=True), "1.2.0", "canary")
        assert [event.seq for event in Ledger(here).queued()] == [6]
    run("sync", "--drop", "all", "-C", str(here))
    shown = run("current", "--offline", "-C", str(here))
    assert "fraud@1.1.0" in shown
    assert "QUEUED" not in shown
    assert Ledger(here).state.head().seq == 5
    Ledger(there).fetch()
    assert Ledger(there).state.head().seq == 5


@pytest.mark.parametrize("others_wrote", [True, False])
def test_a_queue_that_is_older_than_the_policy_is_refused(
    clones: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, others_wrote: bool
) -> None:
    here, there = clones
    now = time.time()
    declare(here, LAX, days_ago=30)
    git(here, "push", "-q", "origin", "main")
    with remote_away(here), monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now + 5)
        Ledger(here, queue=True).promote("fraud", "canary", version="1.1.0")
    declare(here, "stages: {prod: {gates: {}}, canary: {gates: {small: {plugin: size}}}}\n")
    git(here, "push", "-q", "origin", "main")
    if others_wrote:
        put(Ledger(there), "1.2.0")
    monkeypatch.setattr(time, "time", lambda: now + 5 * 86400)
    with pytest.raises(LedgerConflict, match="the policy is another one now: its verdict was made"):
        run("sync", "-C", str(here))
    shown = run("sync", "--drop", "impossible", "-C", str(here))
    assert "discarded: promote fraud 1.1.0 -> canary" in shown
    Ledger(there).fetch()
    assert Ledger(there).state.stage("fraud", "canary") is None


def test_tags_of_events_that_moved_are_replaced(clones: tuple[Path, Path]) -> None:
    here, there = clones
    with remote_away(here):
        put(Ledger(here, queue=True), "1.1.0", "canary")
    put(Ledger(there), "1.2.0")
    assert "repaired tags: " in run("sync", "-C", str(here))
    assert "repaired" not in run("sync", "-C", str(here))
    shown = run("sync", "-C", str(there))
    assert "not repaired" not in shown + run("sync", "-C", str(there))
    tags = git(here, "tag", "-l", "fraud#canary*")
    assert tags == git(here.with_name("hub.git"), "tag", "-l", "fraud#canary*") == "fraud#canary#12"


def test_tags_of_a_queued_registration_are_of_the_shared_event(clones: tuple[Path, Path]) -> None:
    here, there = clones
    with remote_away(here):
        Ledger(here, queue=True).register(packed(here.parent / "new", seed=9), version="9.0.0")
        put(Ledger(here, queue=True), "9.0.0", "canary")
    time.sleep(0.5)  # on the way to another second: releases are dated by it
    put(Ledger(there), "1.2.0")
    run("sync", "-C", str(here))
    hub, names = here.with_name("hub.git"), ("fraud@v9.0.0", "fraud#canary#14")
    for clone in (here, hub):
        commits = {git(clone, "rev-parse", f"{name}^{{commit}}") for name in names}
        assert len(commits) == 1
    put(Ledger(there), "9.0.0")
    put(Ledger(here), "1.1.0", "canary")
    run("sync", "-C", str(there))
    assert git(here, "tag", "-l") == git(hub, "tag", "-l")


def test_a_ledger_may_begin_with_queued_events(
    shop: Path, tmp_path: Path, bundles: list[Path]
) -> None:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "empty.git")
    git(shop, "push", "-q", str(tmp_path / "empty.git"), "main")
    here, there = tmp_path / "a" / "shop", tmp_path / "b" / "shop"
    for folder in (here, there):
        git(tmp_path, "clone", "-q", str(tmp_path / "empty.git"), str(folder))
        git(folder, "config", "user.name", "Ben")
        git(folder, "config", "user.email", "ben@shop.example")
    away = tmp_path / "away.git"
    (tmp_path / "empty.git").rename(away)
    Ledger(here, queue=True).register(bundles[0])
    put(Ledger(here, queue=True), "1.0.0", "canary")
    away.rename(tmp_path / "empty.git")
    Ledger(there).register(bundles[1], version="0.5.0")
    shown = run("sync", "-C", str(here))
    assert shown.count("pushed: ") == 2
    assert [event.seq for event in Ledger(here).history()] == [3, 2, 1]
    assert "no event in common" not in run("sync", "-C", str(there))


def test_all_that_is_queued_can_be_discarded(clones: tuple[Path, Path]) -> None:
    here, _ = clones
    before = Ledger(here).tip
    with remote_away(here):
        put(Ledger(here, queue=True), "1.1.0")
        put(Ledger(here, queue=True), "1.2.0", "canary")
    shown = run("sync", "--drop", "all", "-C", str(here))
    assert shown.count("discarded: ") == 2
    assert "pushed: " not in shown
    assert Ledger(here).tip == before


def test_what_is_discarded_is_named_though_a_later_step_fails(
    clones: tuple[Path, Path], call: Run
) -> None:
    here, there = clones
    with remote_away(here):
        put(Ledger(here, queue=True), "1.1.0")
        put(Ledger(here, queue=True), "1.2.0", "canary")
    put(Ledger(there), "1.2.0")
    hook = here.with_name("hub.git") / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    done = call("lockgate", "sync", "--drop", "impossible", cwd=here, code=2)
    assert "discarded: promote fraud 1.1.0 -> prod" in done.stdout
    assert "refused the event" in done.stderr
    hook.unlink()
    assert "pushed: promote fraud 1.2.0 -> canary" in run("sync", "-C", str(here))


@pytest.mark.parametrize("which", ["impossible", "all"])
def test_discarding_takes_no_stray_commit_for_the_ledger(
    clones: tuple[Path, Path], which: str
) -> None:
    here, _ = clones
    hub = here.with_name("hub.git")
    before = Ledger(here).tip
    git(hub, "config", "user.name", "Eve")
    git(hub, "config", "user.email", "eve@x")
    git(hub, "update-ref", BRANCH, plain_commit(hub, str(before)))
    with pytest.raises(LedgerTampered, match="which is not valid"):
        run("sync", "--drop", which, "-C", str(here))
    assert Ledger(here).tip == before
