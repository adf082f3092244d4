"""What others push onto the shared ledger by mistake or malice is named, and can be taken back."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lockgate.deployment.directory import Deployment
from lockgate.deployment.follow import deploy_stage
from lockgate.errors import LedgerConflict, LedgerError, LedgerTampered
from lockgate.registry.api import Ledger
from lockgate.registry.ledger.rewritten import accept_rewritten
from tests.registry.conftest import git, kill_after_reference, packed
from tests.registry.test_ledger import put, run

BRANCH = "refs/heads/lockgate/ledger"
AUTHOR = {"GIT_AUTHOR_NAME": "Eve", "GIT_AUTHOR_EMAIL": "eve@x"}
COMMITTER = {"GIT_COMMITTER_NAME": "Eve", "GIT_COMMITTER_EMAIL": "eve@x"}


@pytest.fixture
def hub(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A remote with 1.0.0 in prod, and a clone `other` that has fetched it."""
    for key, value in (AUTHOR | COMMITTER).items():
        monkeypatch.setenv(key, value)
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "hub.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "hub.git"))
    git(shop, "push", "-q", "origin", "main")
    put(Ledger(shop), "1.0.0")
    git(tmp_path, "clone", "-q", str(tmp_path / "hub.git"), "other")
    Ledger(tmp_path / "other").fetch()
    return tmp_path / "hub.git"


def plain_commit(hub: Path, good: str) -> str:
    return git(hub, "commit-tree", f"{good}^{{tree}}", "-p", good, "-m", "update readme")


def merge(hub: Path, good: str) -> str:
    return git(hub, "commit-tree", f"{good}^{{tree}}", "-p", good, "-p", f"{good}~1", "-m", "merge")


def event_with_other_files(hub: Path, good: str) -> str:
    """A copy of the last event's message, on a tree that puts something else into the stage."""
    message = git(hub, "log", "-1", "--format=%B", good)
    return git(hub, "commit-tree", f"{good}~2^{{tree}}", "-p", good, "-m", message)


def other_history(hub: Path, good: str) -> str:
    return git(hub, "rev-parse", f"{good}~1")


WRONG: dict[str, tuple[Callable[[Path, str], str], str]] = {
    "a plain commit": (plain_commit, r"'update readme' by Eve\).*its message does not contain"),
    "a merge": (merge, r"'merge' by Eve\).* is not an event"),
    "an event with other files": (event_with_other_files, r"'promote fraud 1\.0\.0 -> prod"),
    "an older tip": (other_history, r"was rewritten: it does not continue"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_clone_goes_on_before_it_and_after_it(hub: Path, tmp_path: Path, kind: str) -> None:
    make, message = WRONG[kind]
    other = tmp_path / "other"
    ledger = Ledger(other)
    good = git(hub, "rev-parse", BRANCH)
    git(hub, "update-ref", BRANCH, make(hub, good))
    with pytest.raises(LedgerTampered, match=message):
        ledger.fetch()
    with pytest.raises(LedgerTampered, match=message):
        put(ledger, "1.1.0")
    shown = run("current", "-C", str(other))
    assert "warning: " in shown
    assert "fraud@1.0.0" in shown
    assert "note: " in run("trace", "fraud@prod", "-C", str(other))
    assert "the shared ledger: " in run("verify", "-C", str(other), code=1)
    assert git(other, "rev-parse", "refs/lockgate/ledger") == good
    git(hub, "update-ref", BRANCH, good)
    put(ledger, "1.1.0")
    assert "fraud@1.1.0" in run("current", "-C", str(other))
    assert "no problems" in run("verify", "-C", str(other))


def repair_of(error: LedgerTampered) -> list[str]:
    return str(error).partition("takes it back: git ")[2].split()


def test_the_repair_that_the_message_names_works(hub: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    good = git(hub, "rev-parse", BRANCH)
    git(hub, "update-ref", BRANCH, plain_commit(hub, good))
    with pytest.raises(LedgerTampered) as caught:
        Ledger(other).fetch()
    git(other, *repair_of(caught.value))
    assert git(hub, "rev-parse", BRANCH) == good


def test_good_events_before_a_wrong_one_wait_for_the_repair(hub: Path, tmp_path: Path) -> None:
    shop, other = tmp_path / "shop", tmp_path / "other"
    put(Ledger(shop), "1.1.0")
    good = git(hub, "rev-parse", BRANCH)
    git(hub, "update-ref", BRANCH, plain_commit(hub, good))
    with pytest.raises(LedgerTampered, match=good[:12]):  # the repair keeps the good event
        Ledger(other).fetch()
    git(hub, "update-ref", BRANCH, good)
    Ledger(other).fetch()
    current = Ledger(other).current("fraud", "prod")
    assert current is not None
    assert current.slot.version == "1.1.0"


def test_a_first_fetch_checks_from_the_first_event(hub: Path, tmp_path: Path) -> None:
    git(hub, "update-ref", BRANCH, plain_commit(hub, git(hub, "rev-parse", BRANCH)))
    git(tmp_path, "clone", "-q", str(hub), "fresh")
    with pytest.raises(LedgerTampered, match="update readme"):
        Ledger(tmp_path / "fresh").fetch()
    assert Ledger(tmp_path / "fresh").tip is None


YEAR = 365 * 24 * 3600


def test_an_event_of_a_clock_that_is_ahead_ages_nobodys_keys(hub: Path, tmp_path: Path) -> None:
    shop, other = tmp_path / "shop", tmp_path / "other"
    good = git(hub, "rev-parse", BRANCH)
    with pytest.MonkeyPatch.context() as patch:
        real = time.time
        patch.setattr(time, "time", lambda: real() + YEAR)
        put(Ledger(shop), "1.1.0")  # the clock of this machine is wrong, and it cannot know
    message = r"it is dated 20\d\d-.*, and the clock here says 20\d\d-.*: one of the two clocks"
    with pytest.raises(LedgerTampered, match=message) as caught:
        Ledger(other).fetch()
    with pytest.raises(LedgerError, match=message):
        put(Ledger(shop), "1.2.0")
    assert "one of the two clocks is wrong" in run("verify", "-C", str(shop), code=1)
    git(other, *repair_of(caught.value))  # with the tags of the event
    assert git(hub, "rev-parse", BRANCH) == good
    put(Ledger(other), "1.2.0")


def test_a_burst_of_events_may_run_ahead(shop: Path) -> None:
    ledger = Ledger(shop)
    for number in range(12):
        put(ledger, f"1.{number % 2}.0")
    dates = [commit.person.date for _, commit, _ in ledger.commits()]
    assert dates == sorted(set(dates), reverse=True)
    assert dates[0] > time.time() + 12
    assert ledger.verify().findings == []


def test_a_valid_event_is_taken_back(hub: Path, tmp_path: Path, bundles: list[Path]) -> None:
    """A version number far too high: nothing is wrong with the event, and nobody wants it."""
    shop, other = tmp_path / "shop", tmp_path / "other"
    good = git(hub, "rev-parse", BRANCH)
    deployment = Deployment(tmp_path / "live")
    Ledger(other).register(packed(tmp_path / "extra", columns=6), version="99999.0.0")
    Ledger(other).register(bundles[2])  # a copy of this bundle, too
    put(Ledger(other), "99999.0.0")
    deploy_stage(Ledger(other), deployment, "fraud", "prod")
    Ledger(shop).fetch()
    git(hub, "update-ref", BRANCH, good)
    gone = r"lacks 2 events, from event 5 \(register fraud 99999\.0\.0\) on; .*sync --accept"
    with pytest.raises(LedgerTampered, match=gone):
        put(Ledger(other), "1.1.0")
    with pytest.raises(LedgerTampered, match=gone):
        run("sync", "-C", str(other))
    shown = run("sync", "--accept", "-C", str(other))
    assert "taken back: register fraud 99999.0.0" in shown
    assert "taken back: promote fraud 99999.0.0 -> prod" in shown
    assert "the ledger has 4 events" in shown
    assert "99999" not in git(other, "tag")
    with pytest.raises(LedgerTampered, match="has followed event 6, and this ledger has only 4"):
        deploy_stage(Ledger(other), deployment, "fraud", "prod")
    with pytest.raises(LedgerConflict, match=r"it was 99999\.0\.0 when you last saw it"):
        put(Ledger(other), "1.1.0")
    put(Ledger(other), "1.1.0")
    put(Ledger(other), "1.2.0")
    deploy_stage(Ledger(other), deployment, "fraud", "prod")
    assert deployment.pointer().slots[0].version == "1.2.0"
    assert "no problems" in run("verify", "-C", str(other))
    assert run("sync", "--accept", "-C", str(other)) == "the ledger has 6 events\n"


def test_what_is_queued_outlives_what_is_taken_back(hub: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    good = git(hub, "rev-parse", BRANCH)
    put(Ledger(tmp_path / "shop"), "1.1.0", "canary")
    Ledger(other).fetch()
    hub.rename(tmp_path / "away.git")
    put(Ledger(other, queue=True), "1.2.0")
    (tmp_path / "away.git").rename(hub)
    git(hub, "update-ref", BRANCH, good)
    shown = run("sync", "--accept", "-C", str(other))
    assert "taken back: promote fraud 1.1.0 -> canary" in shown
    assert "pushed: promote fraud 1.2.0 -> prod" in shown
    assert [event.subject for event in Ledger(other).history("fraud", "canary")] == []


def test_a_killed_acceptance_is_completed(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was taken back is never taken for an event that is queued here."""
    other = tmp_path / "other"
    good = git(hub, "rev-parse", BRANCH)
    put(Ledger(tmp_path / "shop"), "1.1.0", "canary")
    Ledger(other).fetch()
    git(hub, "update-ref", BRANCH, good)
    ledger = Ledger(other)
    with monkeypatch.context() as patch:
        kill_after_reference(patch)
        with pytest.raises(KeyboardInterrupt):
            accept_rewritten(ledger.writer)
    with pytest.raises(LedgerTampered, match="was rewritten"):
        Ledger(other).fetch()
    run("sync", "--accept", "-C", str(other))
    assert Ledger(other).tip == good == git(hub, "rev-parse", BRANCH)


def test_tags_of_what_was_taken_back_go_with_the_next_sync(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if accepting it was killed after the references, and before the tags."""
    other = tmp_path / "other"
    good = git(hub, "rev-parse", BRANCH)
    put(Ledger(other), "1.1.0", "canary")
    git(hub, "update-ref", BRANCH, good)
    accept_rewritten(Ledger(other).writer)
    assert "fraud#canary#10" in git(hub, "tag")
    assert "repaired tags: " in run("sync", "-C", str(other))
    assert "canary" not in git(hub, "tag") + git(other, "tag")
    put(Ledger(tmp_path / "shop"), "1.2.0", "canary")
    assert "fraud#canary#10" in git(hub, "tag")
    git(tmp_path, "clone", "-q", "--no-tags", str(hub), "third")  # it never had the tags
    Ledger(tmp_path / "third").fetch()
    git(hub, "update-ref", BRANCH, good)
    run("sync", "--accept", "-C", str(tmp_path / "third"))
    assert "canary" not in git(hub, "tag")


def test_a_stage_that_was_taken_back_can_be_retired(hub: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    good = git(hub, "rev-parse", BRANCH)
    Ledger(other).register(packed(tmp_path / "extra", columns=6), version="9.0.0")
    put(Ledger(other), "9.0.0")
    git(hub, "update-ref", BRANCH, good)
    run("sync", "--accept", "-C", str(other))
    with pytest.raises(LedgerConflict, match=r"it was 9\.0\.0 when you last saw it"):
        Ledger(other).retire("fraud", stage="prod")
    assert Ledger(other).retire("fraud", stage="prod").before == "1.0.0"


def test_what_came_instead_is_checked(hub: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    good = git(hub, "rev-parse", BRANCH)
    git(hub, "update-ref", BRANCH, plain_commit(hub, good))
    with pytest.raises(LedgerTampered, match=r"'update readme' by Eve.*git push --force"):
        run("sync", "--accept", "-C", str(other))
    git(hub, "update-ref", BRANCH, plain_commit(hub, f"{good}~1"))
    with pytest.raises(LedgerTampered, match=r"'update readme' by Eve.*git push --force"):
        run("sync", "--accept", "-C", str(other))
    assert Ledger(other).tip == good


@pytest.mark.parametrize("drop", ["impossible", "all"])
def test_queued_events_that_need_what_was_taken_back(hub: Path, tmp_path: Path, drop: str) -> None:
    other = tmp_path / "other"
    good = git(hub, "rev-parse", BRANCH)
    Ledger(other).register(packed(tmp_path / "extra", columns=6), version="9.0.0")
    hub.rename(tmp_path / "away.git")
    put(Ledger(other, queue=True), "9.0.0", "canary")
    (tmp_path / "away.git").rename(hub)
    git(hub, "update-ref", BRANCH, good)
    with pytest.raises(LedgerConflict, match="`lockgate sync --accept --drop impossible` discards"):
        run("sync", "--accept", "-C", str(other))
    shown = run("sync", "--accept", "--drop", drop, "-C", str(other))
    assert "taken back: register fraud 9.0.0" in shown
    assert shown.count("discarded: ") == 1
    assert "discarded: promote fraud 9.0.0 -> canary" in shown
    assert Ledger(other).tip == good


def test_only_events_of_this_clone_are_discarded(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is shared already is not said to be discarded by an acceptance that goes on."""
    shop, other = tmp_path / "shop", tmp_path / "other"
    good = git(hub, "rev-parse", BRANCH)
    put(Ledger(other), "1.1.0", "canary")
    git(hub, "update-ref", BRANCH, good)
    git(hub, "tag", "-d", "fraud#canary#10")
    put(Ledger(shop), "1.2.0", "canary")
    ledger = Ledger(other)
    with monkeypatch.context() as patch:
        kill_after_reference(patch)
        with pytest.raises(KeyboardInterrupt):
            accept_rewritten(ledger.writer)
    shown = run("sync", "--accept", "--drop", "all", "-C", str(other))
    assert "discarded" not in shown
    assert "fraud@1.2.0" in run("current", "-C", str(other))


def test_what_is_anchored_is_not_taken_back(hub: Path, tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    good = git(hub, "rev-parse", BRANCH)
    put(Ledger(shop), "1.1.0")
    run("verify", "--anchor", "-C", str(shop))
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "anchor")
    git(shop, "push", "-q", "origin", "main")
    git(hub, "update-ref", BRANCH, good)
    with pytest.raises(LedgerTampered, match="origin no longer has event 5, which .*anchor.json"):
        run("sync", "--accept", "-C", str(shop))
    assert Ledger(shop).state.head().seq == 5


def test_a_clone_that_lags_does_not_go_behind_the_anchor(hub: Path, tmp_path: Path) -> None:
    shop, other = tmp_path / "shop", tmp_path / "other"
    good = git(hub, "rev-parse", BRANCH)
    put(Ledger(shop), "1.1.0")
    Ledger(other).fetch()
    put(Ledger(shop), "1.2.0")
    run("verify", "--anchor", "-C", str(shop))
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "anchor")
    git(shop, "push", "-q", "origin", "main")
    git(hub, "update-ref", BRANCH, good)
    with pytest.raises(LedgerTampered, match="origin no longer has event 6, which .*anchor.json"):
        run("sync", "--accept", "-C", str(other))
    assert Ledger(other).state.head().seq == 5
