"""Two people who change the same stage from two clones: the second is told, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lockgate.errors import LedgerConflict
from lockgate.registry.api import Ledger
from lockgate.registry.ledger.seen import SeenStages
from tests.conftest import Run
from tests.registry.conftest import git
from tests.registry.test_ledger import put, run


@pytest.fixture
def two(shop: Path, tmp_path: Path) -> tuple[Ledger, Ledger]:
    """Two clones of one remote, with 1.0.0, 1.1.0 and then 1.2.0 in prod."""
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "hub.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "hub.git"))
    git(shop, "push", "-q", "origin", "main")
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        put(Ledger(shop), version)
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(tmp_path / "hub.git"), "other")
    ledgers = Ledger(shop), Ledger(other)
    for ledger in ledgers:
        ledger.fetch()
        ledger.current("fraud", "prod")
    return ledgers


CHANGES: dict[str, Callable[[Ledger], object]] = {
    "rollback": lambda ledger: ledger.rollback("fraud", "prod", reason="alarm"),
    "rollback --to": lambda ledger: ledger.rollback("fraud", "prod", to="1.0.0"),
    "promote": lambda ledger: put(ledger, "1.0.0"),
    "retire": lambda ledger: ledger.retire("fraud", stage="prod", reason="alarm"),
}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("rollback", "rollback"),
        ("rollback", "retire"),
        ("promote", "rollback --to"),
        ("retire", "promote"),
    ],
)
def test_the_second_change_of_what_both_saw_is_refused(
    two: tuple[Ledger, Ledger], first: str, second: str
) -> None:
    here, there = two
    CHANGES[first](here)
    after = here.current("fraud", "prod")
    with pytest.raises(LedgerConflict, match=r"it was 1\.2\.0 when you last saw it, and is now "):
        CHANGES[second](there)
    here.fetch()
    assert here.current("fraud", "prod") == after == there.current("fraud", "prod")


def test_the_message_says_who_did_what_and_the_exit_code_is_its_own(
    two: tuple[Ledger, Ledger], call: Run
) -> None:
    here, there = two
    here.rollback("fraud", "prod", reason="refunds doubled")
    root = there.repository.top
    done = call("lockgate", "rollback", "fraud", "prod", cwd=root, code=6)
    assert "is now 1.1.0, since " in done.stderr
    assert "by Ada <ada@shop.example> (refunds doubled)" in done.stderr
    call("lockgate", "rollback", "fraud", "prod", cwd=root)  # they looked, and mean it
    current = there.current("fraud", "prod")
    assert current is not None
    assert current.slot.version == "1.0.0"


def test_what_a_script_expects_counts_alone(two: tuple[Ledger, Ledger]) -> None:
    here, there = two
    here.rollback("fraud", "prod")
    with pytest.raises(
        LedgerConflict, match=r"fraud in prod is not 1\.2\.0, as was expected, but 1\.1\.0"
    ):
        there.rollback("fraud", "prod", expect="1.2.0")
    here.rollback("fraud", "prod")
    assert there.rollback("fraud", "prod", to="1.2.0", expect="1.0.0").slot.version == "1.2.0"


def test_a_clone_that_has_seen_nothing_sees_first(two: tuple[Ledger, Ledger]) -> None:
    here, _ = two
    fresh = here.repository.top.parent / "fresh"
    git(fresh.parent, "clone", "-q", str(fresh.parent / "hub.git"), "fresh")
    assert Ledger(fresh).rollback("fraud", "prod").slot.version == "1.1.0"


@pytest.mark.parametrize("command", ["register", "verify", "policy", "sync"])
def test_fetching_is_not_seeing(
    two: tuple[Ledger, Ledger], bundles: list[Path], command: str
) -> None:
    """A person decides on what they were shown, whatever this clone has fetched since."""
    here, there = two
    root = str(there.repository.top)
    run("current", "-C", root)
    here.rollback("fraud", "prod", reason="alarm")
    words = [str(bundles[0])] if command == "register" else []
    run(command, *words, "-C", root)
    assert there.state.stage("fraud", "prod") == here.state.stage("fraud", "prod")
    with pytest.raises(LedgerConflict, match=r"it was 1\.2\.0 when you last saw it"):
        there.rollback("fraud", "prod", reason="alarm")


@pytest.mark.parametrize(
    "words",
    [
        ("current",),
        ("current", "fraud", "prod"),
        ("history",),
        ("trace", "fraud@prod"),
    ],
    ids=" ".join,
)
def test_what_was_shown_is_seen(two: tuple[Ledger, Ledger], words: tuple[str, ...]) -> None:
    here, there = two
    root = str(there.repository.top)
    run("current", "-C", root)
    here.rollback("fraud", "prod", reason="alarm")
    run(*words, "-C", root)
    assert there.rollback("fraud", "prod", reason="worse").slot.version == "1.0.0"


def test_a_stage_that_was_seen_empty_is_not_replaced(two: tuple[Ledger, Ledger]) -> None:
    here, there = two
    run("current", "fraud", "canary", "-C", str(there.repository.top), code=1)
    put(here, "1.0.0", "canary")
    there.fetch()
    with pytest.raises(LedgerConflict, match="it was empty when you last saw it"):
        put(there, "1.1.0", "canary")
    put(there, "1.1.0", "canary")


@pytest.mark.parametrize("words", [("current",), ("current", "fraud")], ids=" ".join)
def test_a_list_shows_which_stages_are_empty(
    two: tuple[Ledger, Ledger], bundles: list[Path], words: tuple[str, ...]
) -> None:
    here, there = two
    root = str(there.repository.top)
    run(*words, "-C", root)
    put(here, "1.0.0", "canary")
    run("register", str(bundles[0]), "-C", root)
    with pytest.raises(LedgerConflict, match="fraud in canary was changed: it was empty when you"):
        put(there, "1.1.0", "canary")
    here.retire("fraud", stage="canary")
    run(*words, "-C", root)
    put(there, "1.1.0", "canary")


def test_a_clone_that_was_shown_nothing_has_what_it_fetched(two: tuple[Ledger, Ledger]) -> None:
    here, there = two
    (there.repository.folder / "lockgate" / "seen.json").unlink()
    here.rollback("fraud", "prod", reason="alarm")
    with pytest.raises(LedgerConflict, match=r"it was 1\.2\.0 when this clone last fetched, and"):
        there.rollback("fraud", "prod")


def test_what_two_processes_show_is_all_recorded(tmp_path: Path) -> None:
    def show(worker: int) -> None:
        for number in range(50):
            SeenStages(tmp_path).mark({(f"m{number}", f"s{worker}"): None})

    with ThreadPoolExecutor() as pool:
        list(pool.map(show, range(4)))
    shown = json.loads((tmp_path / "lockgate" / "seen.json").read_bytes())
    assert len(shown) == 200


def test_names_that_no_stage_can_have_are_not_recorded(
    two: tuple[Ledger, Ledger], call: Run
) -> None:
    _, there = two
    done = call("lockgate", "current", "fraud", "\udcff", cwd=there.repository.top, code=1)
    assert "no version of fraud is in" in done.stdout


def test_gates_show_what_they_compared_with(two: tuple[Ledger, Ledger]) -> None:
    here, there = two
    run("current", "-C", str(here.repository.top))
    there.rollback("fraud", "prod", reason="alarm")
    here.gate("fraud", "canary", version="1.0.0", dry=True)
    with pytest.raises(LedgerConflict, match=r"it was 1\.2\.0 when you last saw it"):
        here.rollback("fraud", "prod")
    there.rollback("fraud", "prod", reason="alarm")
    rows = here.repository.top.parent / "rows.csv"
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 4)), columns=list("0123"))
    frame = frame.rename(columns="x{}".format).assign(bad=frame.sum(axis=1) > 0)
    frame.to_csv(rows, index=False)
    here.gate("fraud", "prod", version="1.2.0", data=rows, dry=True)
    assert here.retire("fraud", stage="prod").before == "1.0.0"


def test_a_damaged_record_of_what_was_seen_is_none(two: tuple[Ledger, Ledger]) -> None:
    here, there = two
    (there.repository.folder / "lockgate" / "seen.json").write_bytes(b'{"fraud/prod": 3')
    assert there.rollback("fraud", "prod").slot.version == "1.1.0"
    here.fetch()


def test_a_version_that_is_there_is_no_conflict(two: tuple[Ledger, Ledger], call: Run) -> None:
    root = two[0].repository.top
    words = ("promote", "fraud@1.2.0", "prod", "--override", "--reason", "again")
    done = call("lockgate", *words, cwd=root, code=2)
    assert "fraud@1.2.0 is already in prod; nothing was changed" in done.stderr


def test_an_emptied_stage_that_is_filled_again_is_another(two: tuple[Ledger, Ledger]) -> None:
    here, there = two
    here.retire("fraud", stage="prod")
    put(here, "1.2.0")  # the same version, put there by another decision
    with pytest.raises(LedgerConflict, match=r"was changed"):
        there.rollback("fraud", "prod")


def test_a_reason_cannot_write_on_the_terminal_or_the_page(shop: Path, tmp_path: Path) -> None:
    reason = "größer\x1b[2J\x1b]0;owned\x07\r\x9b2J\u202ebetter"
    Ledger(shop).promote("fraud", "prod", version="1.0.0", override=True, reason=reason)
    page = tmp_path / "trace.html"
    shown = [
        run("history", "-C", str(shop)),
        run("current", "-C", str(shop)),
        run("verify", "-C", str(shop)),
        run("trace", "fraud@prod", "--page", str(page), "-C", str(shop)) + page.read_text(),
    ]
    for text in shown:
        assert not set(text) & set("\x1b\x07\r\x9b\u202e")
        assert "größer\\x1b[2J" in text
        assert "better" in text
