"""Every way to falsify a ledger is named."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from lockgate.errors import LedgerError, LedgerTampered
from lockgate.registry.api import Ledger
from lockgate.registry.ledger.drafts import Draft
from lockgate.registry.ledger.repository import LEDGER
from lockgate.registry.ledger.state import State
from lockgate.registry.ledger.transitions import attached_paths, changes
from lockgate.registry.ledger.verify import Verification, verify
from lockgate.registry.provenance.commits import Commit
from lockgate.registry.provenance.events import Event
from tests.registry.conftest import git, key, sign_with


def verified(shop: Path) -> Verification:
    ledger = Ledger(shop)
    return verify(ledger.repository, ledger.tip, now=time.time())


def problems(shop: Path) -> str:
    return "\n".join(f"{one.subject}: {one.problem}" for one in verified(shop).findings)


def test_an_honest_ledger_has_no_findings_and_git_agrees(signed: Path) -> None:
    found = verified(signed)
    assert (found.events, found.signed, found.findings) == (5, 5, [])
    assert len(found.overrides) == 3  # and the rollback to one
    allowed = signed / ".lockgate" / "allowed_signers"
    said = git(
        signed,
        "-c",
        f"gpg.ssh.allowedSignersFile={allowed}",
        "log",
        "--format=%G?",
        "refs/lockgate/ledger",
    )
    assert said.split() == ["G"] * 5


def rewrite(
    shop: Path,
    change: Callable[[list[tuple[Event, Commit]]], list[tuple[Event, Commit]]],
    *,
    resign: bool = False,
    honest_trees: bool = True,
) -> None:
    """Write the chain anew, as somebody would who wants it to look right."""
    ledger = Ledger(shop)
    repository = ledger.repository
    chain = [(event, commit) for event, commit, _ in ledger.commits()][::-1]
    files = {}
    for event, commit in chain:
        state = repository.state(None)
        state.tree = commit.tree
        files[event.id] = {
            p: state.trees.file(commit.tree, p) or b"" for p in attached_paths(event)
        }
    tip: str | None = None
    for event, commit in change(chain):
        tree = commit.tree
        if honest_trees:
            state = repository.state(tip)
            tree = repository.trees.apply_changes(
                state.tree, changes(state, event, files.get(event.id, {}))
            )
        made = dataclasses.replace(commit, tree=tree, parent=tip, message=event.message())
        if resign:
            from lockgate.registry.ledger.signing import sign

            made = dataclasses.replace(made, signature=b"")
            made = dataclasses.replace(made, signature=sign(repository, made.payload))
        tip = repository.store.write("commit", made.encode())
    git(shop, "update-ref", LEDGER, str(tip))


def edited(event: Event, **said: object) -> Event:
    return msgspec.structs.replace(event, **said)


def test_a_changed_reason_breaks_the_signature(signed: Path) -> None:
    rewrite(
        signed,
        lambda chain: [
            (edited(e, reason="all was well") if e.seq == 5 else e, c) for e, c in chain
        ],
    )
    assert "rollback fraud 1.0.0 -> prod (override): the signature does not match" in problems(
        signed
    )


def test_a_dropped_event_is_missed(signed: Path) -> None:
    rewrite(signed, lambda chain: [one for one in chain if one[0].seq != 4], honest_trees=False)
    assert "event 5 cannot follow event 3" in problems(signed)


def test_reordered_events_are_named(signed: Path) -> None:
    rewrite(signed, lambda chain: [chain[1], chain[0], *chain[2:]], honest_trees=False)
    said = problems(signed)
    assert "event 2 cannot follow event 0" in said
    assert "is not after" in said


def test_a_doubled_event_is_named(signed: Path) -> None:
    rewrite(signed, lambda chain: [*chain, chain[-1]], honest_trees=False)
    assert "it is duplicated" in problems(signed)


def test_files_that_no_event_explains_are_named(signed: Path) -> None:
    ledger = Ledger(signed)
    repository = ledger.repository
    assert ledger.tip is not None
    last = repository.commit(ledger.tip)
    slipped = repository.trees.apply_changes(last.tree, {"verdicts/fraud/1.0.0/x.json": b"{}"})
    made = dataclasses.replace(last, tree=slipped)
    git(signed, "update-ref", LEDGER, repository.store.write("commit", made.encode()))
    said = problems(signed)
    assert "its files are not those that the event produces" in said
    assert "the signature does not match" in said


def test_a_wrong_key_is_named(signed: Path, tmp_path: Path) -> None:
    key(tmp_path, "stranger")
    sign_with(signed, tmp_path / "stranger")
    forge(signed, promotion("1.1.0", "prod"))
    assert "a key that is not among the allowed signers" in problems(signed)


def test_a_key_that_has_ended_is_named_and_back_dating_does_not_help(
    signed: Path, tmp_path: Path
) -> None:
    sign_with(signed, tmp_path / "old")
    forge(signed, promotion("1.1.0", "prod"))
    assert "old@shop.example was not valid at its date" in problems(signed)

    def dated(chain: list[tuple[Event, Commit]]) -> list[tuple[Event, Commit]]:
        *rest, (event, commit) = chain
        person = dataclasses.replace(commit.person, date=1_500_000_000)
        return [*rest, (event, dataclasses.replace(commit, person=person))]

    ledger = Ledger(signed)
    commits = [(event, commit) for event, commit, _ in ledger.commits()][::-1]
    made = dated(commits)[-1][1]
    from lockgate.registry.ledger.signing import sign

    made = dataclasses.replace(made, signature=b"")
    made = dataclasses.replace(made, signature=sign(ledger.repository, made.payload))
    git(signed, "update-ref", LEDGER, ledger.repository.store.write("commit", made.encode()))
    said = problems(signed)
    assert "old@shop.example was not valid" not in said
    assert "its date 2017-07-14T02:40:00+00:00 is not after" in said


def test_a_role_that_was_not_given_is_named(signed: Path, tmp_path: Path) -> None:
    sign_with(signed, tmp_path / "robot")
    git(signed, "config", "user.email", "robot@shop.example")
    forge(signed, promotion("1.1.0", "prod"))
    assert (
        "robot@shop.example may not promote in prod; their roles: register, promote:staging"
        in problems(signed)
    )


def test_a_ledger_forged_from_the_start_is_named_by_the_anchor(
    signed: Path, tmp_path: Path
) -> None:
    ledger = Ledger(signed)
    anchor = msgspec.json.encode({"seq": 5, "commit": ledger.tip})
    (signed / ".lockgate" / "anchor.json").write_bytes(anchor)
    git(signed, "add", "-A")
    git(signed, "commit", "-qm", "anchor")
    assert problems(signed) == ""
    # the forger has a trusted key and tells a story that holds together
    rewrite(
        signed,
        lambda chain: [(edited(e, reason="forged") if e.seq == 5 else e, c) for e, c in chain],
        resign=True,
    )
    assert problems(signed) == (
        "event 5: the anchor of the main branch names it, and the ledger has another event there: it was "
        "rewritten or cut off"
    )
    git(signed, "update-ref", LEDGER, str(ledger.repository.commit(str(Ledger(signed).tip)).parent))
    assert "the ledger has 4 events there" in problems(signed)


def test_unsigned_events_are_named_only_after_the_anchor(shop: Path, tmp_path: Path) -> None:
    ledger = Ledger(shop)
    (shop / ".lockgate").mkdir()
    (shop / ".lockgate" / "allowed_signers").write_text(f"ada@x {key(tmp_path, 'ada')}\n")
    (shop / ".lockgate" / "anchor.json").write_bytes(
        msgspec.json.encode({"seq": 3, "commit": ledger.tip})
    )
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "signers from here on")
    assert problems(shop) == ""
    with pytest.raises(LedgerError, match="accepts only events signed by an allowed signer"):
        ledger.promote("fraud", "prod", override=True, reason="unsigned")


def test_a_rewritten_remote_is_refused_and_what_was_there_is_kept(
    shop: Path, tmp_path: Path
) -> None:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "hub.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "hub.git"))
    ledger = Ledger(shop)
    ledger.promote("fraud", "prod", version="1.0.0", override=True, reason="first")
    tip = ledger.tip
    git(tmp_path / "hub.git", "update-ref", "refs/heads/lockgate/ledger", f"{tip}~1")
    with pytest.raises(LedgerTampered, match="was rewritten: it does not continue"):
        ledger.promote("fraud", "prod", version="1.1.0", override=True, reason="second")
    git(tmp_path / "hub.git", "update-ref", "-d", "refs/heads/lockgate/ledger")
    with pytest.raises(LedgerTampered, match="no longer has refs/heads/lockgate/ledger"):
        ledger.fetch()
    assert ledger.tip == tip


def forge(shop: Path, draft: Callable[[State], Draft]) -> None:
    writer = Ledger(shop).writer
    writer.signers = lambda: None
    writer.write(draft)


def promotion(version: str, stage: str) -> Callable[[State], Draft]:
    def draft(state: State) -> Draft:
        record = state.version("fraud", version)
        assert record is not None
        found = state.stage("fraud", stage)
        return Draft(
            {
                "op": "promote",
                "name": "fraud",
                "stage": stage,
                "before": found.slot.version if found else None,
                "after": version,
                "digest": record.digest,
                "override": True,
                "reason": "forged",
            }
        )

    return draft


def retirement(version: str, stage: str) -> Callable[[State], Draft]:
    def draft(state: State) -> Draft:
        record = state.version("fraud", version)
        assert record is not None
        fields = {"op": "retire", "name": "fraud", "stage": stage, "before": version}
        return Draft({**fields, "digest": record.digest, "reason": "forged"})

    return draft
