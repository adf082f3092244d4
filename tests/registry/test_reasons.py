"""The ledger says why: what cannot be trusted, had, written or read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lockgate.deployment.directory import Deployment
from lockgate.deployment.follow import deploy_stage
from lockgate.errors import GateRefused, LedgerError, LedgerTampered
from lockgate.registry.api import Ledger
from lockgate.registry.bundle_store import bundle_of, store_path
from lockgate.registry.git.objects import RefChanged
from lockgate.registry.ledger.repository import LEDGER
from lockgate.registry.ledger.state import State
from lockgate.registry.provenance.events import Event, InvalidEvent
from lockgate.registry.provenance.policy import StagePolicy
from lockgate.registry.provenance.provenance import Provenance
from lockgate.registry.provenance.verdict import Verdict
from tests.registry.conftest import git
from tests.registry.test_ledger import put, run
from tests.registry.test_tampering import forge, promotion


def test_an_unsigned_event_is_marked_wherever_it_is_shown(signed: Path) -> None:
    root = str(signed)
    assert "NOT TRUSTED" not in run("history", "-C", root) + run("current", "-C", root)
    git(signed, "config", "--unset", "user.signingkey")
    forge(signed, promotion("1.1.0", "prod"))
    shown = run("history", "-C", root).splitlines()
    assert "NOT TRUSTED (it is not signed" in shown[0]
    assert "NOT TRUSTED" not in "".join(shown[1:])
    assert "NOT TRUSTED (it is not signed" in run("current", "-C", root)
    first, *others = [
        json.loads(line) for line in run("history", "--json", "-C", root).splitlines()
    ]
    assert "not signed" in first["doubt"]
    assert not any("doubt" in event for event in others)
    (standing,) = json.loads(run("current", "--json", "-C", root))
    assert "not signed" in standing["doubt"]


def test_a_repository_that_cannot_be_written_is_read(shop: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "hub.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "hub.git"))
    put(Ledger(shop), "1.0.0")
    lock = shop / ".git" / "lockgate" / "lock"
    lock.unlink()
    lock.mkdir()  # as on a read-only disk, the lock cannot be opened; root may write anywhere
    shown = run("current", "-C", str(shop))
    assert "cannot be written" in shown
    assert "fraud@1.0.0" in shown
    with pytest.raises(LedgerError, match="cannot be written"):
        put(Ledger(shop), "1.1.0")


def test_a_ledger_that_stays_open_knows_of_keys_that_end(signed: Path) -> None:
    ledger = Ledger(signed)
    event, commit, _ = next(ledger.commits())
    assert (ledger.signer(event, commit), ledger.doubt(event, commit)) == ("ada@shop.example", "")
    file = signed / ".lockgate" / "allowed_signers"
    file.write_text(file.read_text().replace('namespaces="git"', 'valid-before="20200101"'))
    git(signed, "commit", "-qam", "ada left")
    ledger.fetch()
    assert "was not valid at its date" in ledger.doubt(event, commit)
    report = run("trace", "fraud@1.0.0", "-C", str(signed))
    assert "not valid: the key of ada@shop.example was not valid" in report


def test_a_setting_of_git_log_does_not_matter(signed: Path) -> None:
    git(signed, "config", "commit.gpgsign", "true")
    (signed / "params.yaml").write_text("gate: {parity: {plugin: parity}}\n")
    git(signed, "commit", "-qam", "a signed policy")
    git(signed, "config", "log.showSignature", "true")
    assert Ledger(signed).verify().events == 5


def test_a_lock_that_vanishes_is_no_change(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`git pack-refs` holds the lock of each reference for a moment."""
    ledger = Ledger(shop)
    store = ledger.repository.store
    attempts: list[str] = []
    compare_and_set = store.compare_and_set

    def busy(name: str, old: str | None, new: str | None) -> None:
        attempts.append(name)
        if len(attempts) < 3:
            raise RefChanged(name)
        compare_and_set(name, old, new)

    monkeypatch.setattr(store, "compare_and_set", busy)
    put(ledger, "1.0.0")
    assert len(attempts) >= 3
    monkeypatch.undo()
    with pytest.raises(LedgerError, match="was changed by another process; repeat the command"):
        ledger.repository.update_ref(LEDGER, None, ledger.tip)


@pytest.mark.parametrize("content", ["", "garbage"])
def test_a_damaged_reference_is_named(shop: Path, tmp_path: Path, content: str) -> None:
    """As a power cut leaves it."""
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "hub.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "hub.git"))
    put(Ledger(shop), "1.0.0")
    for name in ("ledger", "remotes/origin"):
        file = shop / ".git" / "refs" / "lockgate" / name
        file.write_text(content)
        with pytest.raises(LedgerError, match=f"refs/lockgate/{name} is damaged .*remove the file"):
            run("current", "-C", str(shop))
        file.unlink()
        assert "fraud@1.0.0" in run("current", "-C", str(shop))


def test_a_damaged_tree_is_a_finding(shop: Path) -> None:
    put(Ledger(shop), "1.0.0")
    tree = git(shop, "rev-parse", "refs/lockgate/ledger:stages")
    file = shop / ".git" / "objects" / tree[:2] / tree[2:]
    file.unlink()
    assert f"the object {tree} is missing" in run("verify", "-C", str(shop), code=1)


def test_private_tags_stay_private(shop: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "hub.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "hub.git"))
    git(shop, "config", "push.followTags", "true")
    git(shop, "tag", "-a", "-m", "mine", "private", "refs/lockgate/ledger")
    put(Ledger(shop), "1.0.0")
    assert "private" not in git(tmp_path / "hub.git", "tag")


def test_a_bundle_that_was_registered_without_dvc_is_elsewhere(shop: Path) -> None:
    ledger = Ledger(shop)
    record = ledger.version("fraud", "1.0.0")
    kept = store_path(ledger.repository, record.digest)
    kept.rename(shop.parent / "copy")
    with pytest.raises(LedgerError, match=r"only the clone that registered it has it; copy its"):
        bundle_of(ledger.repository, record)
    ledger.register(shop.parent / "copy")  # as the message says
    assert bundle_of(ledger.repository, record) == kept


LATER = b'{"v": 2, "more": 1}'


@pytest.mark.parametrize("form", [Verdict, StagePolicy, Provenance])
def test_records_of_a_later_lockgate_are_named(form: type) -> None:
    with pytest.raises(
        (LedgerError, GateRefused), match="has format 2, and this lockgate reads 1: upgrade"
    ):
        form.decode(LATER)
    with pytest.raises((LedgerError, GateRefused), match="cannot be read: "):
        form.decode(b'{"v": 1, "more": 1}')


@pytest.mark.parametrize(
    ("format_number", "message"),
    [(2, "has format 2, and this lockgate reads 1: upgrade"), (0, "has the unknown format 0")],
)
def test_records_of_another_format_are_not_read_as_this_one(
    format_number: int, message: str
) -> None:
    """Even if their fields are the same: they may mean something else."""
    policy = StagePolicy(v=format_number, stage="prod", gates={})
    with pytest.raises(LedgerError, match=message):
        StagePolicy.decode(policy.encode())
    event = Event(v=format_number, seq=1, id="a", op="register", name="m", actor="Ada", at="")
    with pytest.raises(InvalidEvent, match=message):
        Event.parse(event.message())


def test_an_event_of_a_later_lockgate_is_named() -> None:
    later = '{"v":2,"seq":1,"id":"a","op":"register","name":"m","actor":"","at":"","new":1}'
    with pytest.raises(InvalidEvent, match="has format 2, and this lockgate reads 1: upgrade"):
        Event.parse(f"register m -\n\n{later}\n")


def test_a_stage_of_a_later_lockgate_is_named(shop: Path) -> None:
    ledger = Ledger(shop)
    trees = ledger.repository.trees
    tree = trees.apply_changes(ledger.state.tree, {"stages/fraud/prod.json": LATER})
    with pytest.raises(LedgerTampered, match=r"stages/fraud/prod\.json has format 2.*upgrade"):
        State(trees, tree).stage("fraud", "prod")


def test_a_version_whose_commit_is_not_here_says_fetch(shop: Path, tmp_path: Path) -> None:
    import msgspec

    ledger = Ledger(shop)
    record = msgspec.structs.replace(
        ledger.version("fraud", "1.0.0"), tracked="ab.dir", commit="1" * 40, path="bundle"
    )
    shutil.rmtree(store_path(ledger.repository, record.digest))
    with pytest.raises(LedgerError, match="its commit 111111111111 is not in this clone; run git"):
        bundle_of(ledger.repository, record)


def test_what_other_clones_would_lack_is_said(
    shop: Path, tmp_path: Path, bundles: list[Path]
) -> None:
    from tests.registry.conftest import packed

    said: list[str] = []
    wider = packed(tmp_path / "wider", seed=9)
    Ledger(shop).register(wider, on_warning=said.append)
    assert said == []  # nobody shares this ledger
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "hub.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "hub.git"))
    other = packed(tmp_path / "other", seed=10)
    Ledger(shop).register(other, on_warning=said.append)
    assert said == ["it is not tracked by DVC: only this clone has the bundle"]
    with pytest.raises(LedgerError, match="it is not tracked by DVC"):
        Ledger(shop).register(packed(tmp_path / "third", seed=11), pushed=True)


def test_what_a_directory_serves_is_shown_beside_what_was_promoted(
    shop: Path, tmp_path: Path
) -> None:
    ledger, deployment = Ledger(shop), Deployment(tmp_path / "live")
    put(ledger, "1.0.0")
    deploy_stage(ledger, deployment, "fraud", "prod")
    line = ["current", "-C", str(shop), "--here", str(deployment.path)]
    run(*line)
    put(ledger, "1.1.0")
    assert "serves fraud@1.0.0 in prod (deploy, " in (shown := run(*line, code=1))
    assert shown.rstrip().endswith("promoted: 1.1.0")
    put(ledger, "1.1.0", "canary")
    assert "canary" not in run(*line, code=1).partition("serves")[2]  # it never had that stage
    named = ["current", "fraud", "canary", *line[1:]]
    assert "serves no version of fraud in canary" in run(*named, code=1)
