"""What others push onto the shared ledger by mistake or malice is named, and can be taken back."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lockgate.errors import LedgerError, LedgerTampered
from lockgate.registry.api import Ledger
from tests.registry.conftest import git
from tests.registry.test_ledger import put, run

BRANCH = "refs/heads/lockgate/ledger"
AUTHOR = {"GIT_AUTHOR_NAME": "Eve", "GIT_AUTHOR_EMAIL": "eve@x"}
COMMITTER = {"GIT_COMMITTER_NAME": "Eve", "GIT_COMMITTER_EMAIL": "eve@x"}


@pytest.fixture
def hub(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A remote with 1.0.0 in prod, and a clone `other` that has fetched it."""
    for key, value in (AUTHOR | COMMITTER).items():
        monkeypatch.setenv(key, value)
    git(tmp_path, "init", "-q", "--bare", "hub.git")
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
