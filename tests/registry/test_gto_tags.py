"""GTO's readers and DVC agree with the ledger, whatever happened."""

from __future__ import annotations

import os
import random
from pathlib import Path

import gto.api
import pytest
from dvc.repo import Repo
from gto.tag import parse_name

from lockgate.errors import LockgateError
from lockgate.registry.api import Ledger
from lockgate.registry.ledger.remote import Remote, TagExists
from lockgate.registry.sync import repair_tags
from tests.registry.conftest import git

HISTORIES = 50 if os.environ.get("LOCKGATE_SOAK") else 3
VERSIONS, STAGES = ("1.0.0", "1.1.0", "1.2.0"), ("prod", "canary")


def live(ledger: Ledger, rng: random.Random, events: int) -> None:
    """Do things at random; what cannot be done is refused."""
    for _ in range(events):
        version, stage = rng.choice(VERSIONS), rng.choice(STAGES)
        done = rng.choice(["promote", "promote", "promote", "rollback", "retire"])
        try:
            if done == "promote":
                ledger.promote("fraud", stage, version=version, override=True, reason="any")
            elif done == "rollback":
                ledger.rollback("fraud", stage, to=rng.choice([None, version]))
            else:
                ledger.retire("fraud", stage=stage)
        except LockgateError:
            continue


def agree(folder: Path, ledger: Ledger) -> None:
    shown = gto.api.show(str(folder), name="fraud")
    latest = {one["stage"]: row["version"] for row in shown for one in row["stages"]}
    registry = gto.api.show(str(folder))["fraud"]["stage"]
    for stage in STAGES:
        standing = ledger.current("fraud", stage)
        current = None if standing is None else f"v{standing.slot.version}"
        said = gto.api.find_versions_in_stage(str(folder), "fraud", stage)
        found = said if isinstance(said, list) else [said]
        assert [one.version for one in found if one] == ([current] if current else []), stage
        assert latest.get(stage) == current
        assert registry.get(stage, "-") == (current or "-")
        with Repo(str(folder)) as repo:
            if current is None:
                with pytest.raises(Exception, match="Unable to find artifact"):
                    repo.artifacts.get_rev("fraud", stage=stage)
            else:
                rev = repo.artifacts.get_rev("fraud", stage=stage)
                assert rev == repo.artifacts.get_rev("fraud", version=current)


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_gto_and_dvc_agree_after_a_random_history(shop: Path, seed: int) -> None:
    git(shop, "config", "core.logAllRefUpdates", "false")
    from dvc.repo import Repo as Project

    Project.init(str(shop), no_scm=False).close()
    ledger = Ledger(shop)
    live(ledger, random.Random(seed), 12)
    agree(shop, ledger)


def test_tags_that_were_lost_are_mended_alike(shop: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "hub.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "hub.git"))
    ledger = Ledger(shop)
    live(ledger, random.Random(3), 20)
    before = git(shop, "for-each-ref", "refs/tags")
    names = git(shop, "tag", "-l", "fraud*").splitlines()
    assert len(names) > 5
    for name in names:
        assert parse_name(name)
    git(shop, "tag", "-d", *names)
    assert repair_tags(ledger)[0]
    assert git(shop, "for-each-ref", "refs/tags") == before
    assert git(tmp_path / "hub.git", "for-each-ref", "refs/tags") == before
    assert repair_tags(ledger) == ([], "")
    git(tmp_path / "hub.git", "tag", "-d", *git(tmp_path / "hub.git", "tag").split())
    assert repair_tags(ledger)[0]
    assert git(tmp_path / "hub.git", "for-each-ref", "refs/tags") == before


def test_a_tag_of_a_user_outlives_a_retirement(shop: Path) -> None:
    ledger = Ledger(shop)
    ledger.promote("fraud", "prod", override=True, reason="first")
    git(shop, "tag", "-a", "-m", "mine", "fraud#prod#1", "main")
    git(shop, "tag", "fraud#prod#2", "main")
    ledger.retire("fraud", stage="prod")
    assert git(shop, "tag", "-l", "fraud#*") == "fraud#prod#1\nfraud#prod#2"


def test_a_tag_made_by_hand_is_named_and_not_touched(shop: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "hub.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "hub.git"))
    git(shop, "tag", "fraud#prod#8", "main")
    git(shop, "push", "-q", "origin", "fraud#prod#8")
    with pytest.raises(
        LockgateError,
        match="has another tag fraud#prod#8; .*git push origin ':refs/tags/fraud#prod#8'",
    ):
        Ledger(shop).promote("fraud", "prod", override=True, reason="first")
    git(shop, "config", "lockgate.mirror", "false")
    assert Ledger(shop).promote("fraud", "prod", override=True, reason="first").seq == 4


def test_a_tag_that_is_seen_before_its_event_stops_no_writer(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(shop), "hub.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "hub.git"))
    pushed, push = list[str](), Remote.push

    def push_late(remote: Remote, oid: str, *refspecs: str) -> None:
        pushed.append(oid)
        if len(pushed) < 3:  # Git read the references while a faster writer's were written
            raise TagExists("fraud#prod#8 already exists")
        push(remote, oid, *refspecs)

    monkeypatch.setattr(Remote, "push", push_late)
    Ledger(shop).promote("fraud", "prod", override=True, reason="first")
    assert len(pushed) == 3
    assert [event.op for event in Ledger(shop).history()].count("promote") == 1
