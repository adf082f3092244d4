"""Ways around the gates and into a server, each found by somebody who tried."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from lockgate.data.io.atomic import write_file
from lockgate.deployment.admission import read_signers, require_provenance
from lockgate.deployment.bundle_files import BundleFiles
from lockgate.deployment.directory import Deployment
from lockgate.deployment.follow import deploy_stage
from lockgate.deployment.take_back import record_rollbacks
from lockgate.errors import (
    GateRefused,
    LedgerConflict,
    LedgerError,
    LedgerTampered,
    LockgateError,
    UsageError,
)
from lockgate.registry.api import Ledger
from lockgate.registry.gates.judge import judge
from lockgate.registry.gates.require import record_verdict
from lockgate.registry.ledger.repository import LEDGER
from lockgate.registry.provenance.commits import Commit
from lockgate.registry.provenance.events import Event
from lockgate.registry.provenance.provenance import Provenance
from lockgate.registry.provenance.verdict import GateRecord, Verdict
from lockgate.registry.sync import discard_queued, push_queued
from tests.registry.conftest import git, guard, key, new_repository, packed, sign_with
from tests.registry.test_follow import promoted, served
from tests.registry.test_ledger import put, run
from tests.registry.test_tampering import forge, problems, promotion
from tests.serving.running import serving


def test_a_pointer_that_was_changed_by_hand_is_not_followed(shop: Path, tmp_path: Path) -> None:
    """The number of its event is the same; what it points to is not."""
    ledger, deployment = Ledger(shop), Deployment(tmp_path / "live")
    promoted(ledger, "1.0.0")
    deploy_stage(ledger, deployment, "fraud", "prod")
    other = ledger.version("fraud", "1.2.0").digest
    with serving(deployment.path, "--require-verdict") as server:
        BundleFiles(deployment.path).store(shop / ".git" / "lockgate" / "bundles" / other)
        pointer = deployment.pointer()
        slot = msgspec.structs.replace(pointer.slots[0], digest=other, version="6.6.6")
        changed = msgspec.structs.replace(pointer, slots=(slot,))
        write_file(deployment.pointer_path, msgspec.json.encode(changed))
        server.wait(
            lambda: any(text in server.log.read_text() for text in ("its provenance", "no verdict"))
        )
        os.kill(next(one["pid"] for one in server.status["workers"]), signal.SIGKILL)
        row = {f"x{k}": 0.0 for k in range(4)}
        server.wait(lambda: all(one["serving"] for one in server.status["workers"]) or None)
        assert server.predict(row)["version"] == "1.0.0"


def test_who_may_only_promote_cannot_make_up_a_verdict(tmp_path: Path, bundles: list[Path]) -> None:
    shop = new_repository(tmp_path / "signed")
    (shop / ".lockgate").mkdir()
    signers = shop / ".lockgate" / "allowed_signers"
    roles = {"ci": "register,gate", "ada": "promote:prod", "old": "register,gate,promote"}
    lines = []
    for name, role in roles.items():
        ended = 'valid-before="20200101" ' if name == "old" else ""
        lines.append(f"{name}@shop.example {ended}{key(tmp_path, name)} roles={role}")
    signers.write_text("\n".join(lines) + "\n")
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "signers")

    def be(name: str) -> None:
        sign_with(shop, tmp_path / name)
        git(shop, "config", "user.email", f"{name}@shop.example")
        ledger.repository.__dict__.pop("settings", None)

    ledger, deployment = Ledger(shop), Deployment(tmp_path / "live")
    be("ci")
    ledger.register(bundles[0])
    be("ada")
    guard(shop, "gate:\n  parity:\n    plugin: parity\n")
    record, verdict = judge(ledger, "fraud", "prod")
    be("ada")
    with pytest.raises(LedgerError, match="ada@shop.example may not gate in prod"):
        record_verdict(ledger, verdict, record.version)
    be("ci")
    record_verdict(ledger, verdict, record.version)
    be("ada")
    ledger.promote("fraud", "prod")
    deploy_stage(ledger, deployment, "fraud", "prod")
    (slot,) = deployment.pointer().slots
    require_provenance(deployment, [slot], read_signers(str(signers)), now=2e9)
    proof = Provenance.decode(next((deployment.path / "proofs").iterdir()).read_bytes())
    listed = read_signers(str(signers))

    def forged(who: str, date: int | None = None) -> Provenance:
        """The same papers with a verdict of one's own, signed by `who`."""
        from lockgate.registry.ledger.signing import sign

        be(who)
        mine = msgspec.structs.replace(verdict, judged=(GateRecord("all", "x", "x", True, "fine"),))
        papers = {}
        for name in ("judged", "promoted"):
            old = Commit.decode(str(getattr(proof, name)).encode())
            event = Event.parse(old.message)
            person = ledger.repository.person(date or old.person.date)
            event = msgspec.structs.replace(
                event, gate=mine.digest, actor=f"{person.name} <{person.email}>"
            )
            made = dataclasses.replace(old, person=person, message=event.message(), signature=b"")
            signed = dataclasses.replace(made, signature=sign(ledger.repository, made.payload))
            papers[name] = signed.encode().decode()
        papers["placed"] = papers["promoted"]
        return msgspec.structs.replace(proof, verdict=mine.encode().decode(), **papers)

    said = {"name": "fraud", "stage": "prod", "version": "1.0.0", "digest": slot.digest}
    with pytest.raises(GateRefused, match="ada@shop.example may not gate"):
        forged("ada").check(**said, signers=listed)
    with pytest.raises(GateRefused, match="is dated before the event that it is based on"):
        forged("old", 1_500_000_000).check(**said, signers=listed)


def test_a_later_verdict_that_fails_counts(shop: Path) -> None:
    """And so do gates that were chosen since."""
    guard(shop, "gate: {}\n")
    run("gate", "fraud@1.1.0", "prod", "-C", shop)
    guard(shop, "gate:\n  lineage:\n    plugin: lineage\n")
    with pytest.raises(GateRefused, match="did not pass the gates of prod: lineage"):
        Ledger(shop).promote("fraud", "prod", version="1.1.0")
    with pytest.raises(GateRefused, match="did not pass the gates of prod: lineage"):
        run("promote", "fraud@1.1.0", "prod", "-C", shop)
    assert Ledger(shop).current("fraud", "prod") is None


def test_a_verdict_without_gates_satisfies_no_server(shop: Path, tmp_path: Path) -> None:
    guard(shop, "gate: {}\n")
    run("promote", "fraud@1.1.0", "prod", "-C", shop)
    ledger, deployment = Ledger(shop), Deployment(tmp_path / "live")
    deploy_stage(ledger, deployment, "fraud", "prod")
    with pytest.raises(GateRefused, match="its verdict has no gates"):
        require_provenance(deployment, deployment.pointer().slots, None)


def test_files_of_gates_that_say_nothing_are_refused(shop: Path, tmp_path: Path) -> None:
    policy = tmp_path / "gates.yaml"
    line = ["gate", "fraud", "prod", "--dry", "--policy", policy, "-C", shop]
    policy.write_text("gate: [lineage, signed]\n")
    with pytest.raises(UsageError, match="gate is .*, expected settings by plugin"):
        run(*line)
    policy.write_text("gates:\n  lineage: {}\n")
    with pytest.raises(UsageError, match="has neither stages nor the key gate"):
        run(*line)


@pytest.mark.parametrize("stage", ["Prod", "1.0.0"])
def test_stages_are_in_lower_case_and_no_versions(shop: Path, stage: str) -> None:
    with pytest.raises(UsageError, match="is not a name of a stage"):
        put(Ledger(shop), "1.0.0", stage)


def test_an_override_stays_visible_after_a_rollback_to_it(shop: Path) -> None:
    ledger = Ledger(shop)
    for version in ("1.1.0", "1.2.0"):
        put(ledger, version)
    ledger.rollback("fraud", "prod")
    assert "GATES OVERRIDDEN" in run("current", "-C", shop)


def test_nothing_is_deployed_from_a_ledger_that_does_not_hold(shop: Path, tmp_path: Path) -> None:
    ledger = Ledger(shop)
    put(ledger, "1.0.0")
    assert ledger.tip is not None
    last = ledger.repository.commit(ledger.tip)
    slipped = ledger.repository.trees.apply_changes(
        last.tree, {"verdicts/fraud/1.0.0/x.json": b"{}"}
    )
    made = dataclasses.replace(last, tree=slipped)
    git(shop, "update-ref", LEDGER, ledger.repository.store.write("commit", made.encode()))
    with pytest.raises(LedgerTampered, match="failed verification, so nothing is deployed from it"):
        deploy_stage(ledger, Deployment(tmp_path / "live"), "fraud", "prod")


def test_a_ledger_that_was_lost_stops_no_server(shop: Path, tmp_path: Path) -> None:
    ledger, deployment = Ledger(shop), Deployment(tmp_path / "live")
    put(ledger, "1.0.0")
    deploy_stage(ledger, deployment, "fraud", "prod")
    git(shop, "update-ref", "-d", LEDGER)
    with pytest.raises(LedgerTampered, match="followed event 4, and this ledger has only 0 events"):
        deploy_stage(ledger, deployment, "fraud", "prod")
    assert served(deployment) == "1.0.0"


def signers_in(shop: Path, line: str) -> None:
    (shop / ".lockgate").mkdir(exist_ok=True)
    (shop / ".lockgate" / "allowed_signers").write_text(line + "\n")
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "signers")


def test_signers_are_found_wherever_the_main_branch_is(shop: Path, tmp_path: Path) -> None:
    signers_in(shop, f"ada@shop.example {key(tmp_path, 'ada')}")
    git(shop, "branch", "-m", "trunk")
    with pytest.raises(LedgerError, match="accepts only events signed by an allowed signer"):
        put(Ledger(shop), "1.0.0")
    (shop / ".lockgate" / "allowed_signers").chmod(0o755)
    git(shop, "commit", "-qam", "mode")
    assert "it is not signed" in problems(shop)
    git(tmp_path, "init", "-q", "job")
    job = tmp_path / "job"
    git(job, "fetch", "-q", str(shop), "trunk:refs/remotes/origin/main", f"{LEDGER}:{LEDGER}")
    git(job, "checkout", "-q", "--detach", "refs/remotes/origin/main")
    assert "it is not signed" in problems(job)


def test_a_key_that_ended_at_the_remote_has_ended_here(shop: Path, tmp_path: Path) -> None:
    line = f"ada@shop.example {{}}{key(tmp_path, 'ada')}"
    anchor = msgspec.json.encode({"seq": 3, "commit": Ledger(shop).tip})
    (shop / ".lockgate").mkdir()
    (shop / ".lockgate" / "anchor.json").write_bytes(anchor)
    signers_in(shop, line.format(""))
    git(tmp_path, "clone", "-q", "--bare", str(shop), "hub.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "hub.git"))
    sign_with(shop, tmp_path / "ada")
    put(Ledger(shop), "1.0.0")
    git(tmp_path, "clone", "-q", "hub.git", "other")
    for name, value in (("user.name", "Ada"), ("user.email", "ada@shop.example")):
        git(tmp_path / "other", "config", name, value)
    signers_in(tmp_path / "other", line.format('valid-before="20200101" '))
    git(tmp_path / "other", "push", "-q", "origin", "HEAD")
    with pytest.raises(LedgerError, match="was not valid at its date"):
        put(Ledger(shop), "1.1.0")


def test_a_name_that_is_not_the_keys_is_named(shop: Path, tmp_path: Path) -> None:
    signers_in(shop, f"ada@shop.example {key(tmp_path, 'ada')}")
    sign_with(shop, tmp_path / "ada")
    git(shop, "config", "user.name", "Carol")
    git(shop, "config", "user.email", "carol@shop.example")
    forge(shop, promotion("1.0.0", "prod"))
    assert (
        "ada@shop.example signed an event of another actor, Carol <carol@shop.example>"
        in problems(shop)
    )


def test_what_was_rolled_back_from_here_is_held_whatever_comes_between(
    shop: Path, tmp_path: Path
) -> None:
    ledger, deployment = Ledger(shop), Deployment(tmp_path / "live")
    for version in ("1.0.0", "1.1.0"):
        put(ledger, version)
        deploy_stage(ledger, deployment, "fraud", "prod")
    deployment.rollback(reason="refunds doubled")
    put(ledger, "1.2.0")
    deploy_stage(ledger, deployment, "fraud", "prod")
    assert served(deployment) == "1.2.0"
    ledger.rollback("fraud", "prod")  # to 1.1.0
    _, words = deploy_stage(ledger, deployment, "fraud", "prod")
    assert "1.1.0 was rolled back in this directory" in words
    assert served(deployment) == "1.2.0"
    record_rollbacks(ledger, deployment.path)
    put(ledger, "1.0.0")
    ledger.rollback("fraud", "prod")
    deploy_stage(ledger, deployment, "fraud", "prod")
    assert served(deployment) == "1.1.0"


def test_what_was_deployed_by_hand_is_no_rollback(shop: Path, tmp_path: Path) -> None:
    ledger, deployment = Ledger(shop), Deployment(tmp_path / "live")
    put(ledger, "1.1.0")
    deploy_stage(ledger, deployment, "fraud", "prod")
    deployment.deploy(packed(tmp_path / "other", seed=9), version="1.0.0")
    with pytest.raises(LedgerConflict, match="which the ledger never had in that stage"):
        record_rollbacks(ledger, deployment.path)
    standing = ledger.current("fraud", "prod")
    assert standing is not None
    assert standing.slot.version == "1.1.0"


def test_a_whole_ledger_is_not_given_up(shop: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "hub.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "hub.git"))
    with pytest.raises(LedgerConflict, match="origin has no ledger: all events are here"):
        discard_queued(Ledger(shop), everything=True)
    assert Ledger(shop).state.head().seq == 3


def test_a_push_that_cannot_succeed_is_told_in_gits_words(shop: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "hub.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "hub.git"))
    put(Ledger(shop), "1.0.0")
    git(shop, "remote", "set-url", "--push", "origin", str(tmp_path / "nowhere.git"))
    with pytest.raises(LockgateError, match="8 pushes were not confirmed: .*nowhere.git"):
        put(Ledger(shop), "1.1.0")
    git(shop, "config", "--unset", "remote.origin.pushurl")
    lock = shop / ".git" / "refs" / "lockgate" / "remotes" / "origin.lock"
    lock.touch()
    os.utime(lock, (1, 1))
    put(Ledger(shop), "1.2.0")
    git(shop, "remote", "rename", "origin", "my.hub")
    with pytest.raises(LedgerError, match="choose the remote that shares the ledger: my.hub"):
        Ledger(shop)
    git(shop, "config", "lockgate.remote", "my.hub")
    put(Ledger(shop), "1.1.0")


def test_queued_registrations_go_by_the_rules(shop: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "hub.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "hub.git"))
    put(Ledger(shop), "1.0.0")
    git(tmp_path, "clone", "-q", "hub.git", "other")
    bundle = packed(tmp_path / "new", seed=20)
    (tmp_path / "hub.git").rename(tmp_path / "away")
    Ledger(shop, queue=True).register(bundle, version="1.5.0")
    (tmp_path / "away").rename(tmp_path / "hub.git")
    other = Ledger(tmp_path / "other")
    other.fetch()
    other.register(bundle, version="1.6.0")
    with pytest.raises(LedgerConflict, match=r"fraud@1\.5\.0 does not follow 1\.6\.0"):
        push_queued(Ledger(shop))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "stages: [a]\n",
        "stages: {package: x}\n",
        "stages:\n  a:\n    outs: [bundle]\n",
        "outs: 3\n",
    ],
)
def test_files_of_dvc_that_name_no_bundle_are_passed_over(
    shop: Path, bundles: list[Path], text: str
) -> None:
    shutil.copytree(bundles[0], shop / "bundle")
    (shop / "dvc.lock").write_text(text)
    assert Ledger(shop).register(shop / "bundle").version == "1.0.0"


def test_a_broken_file_of_dvc_is_named(shop: Path, bundles: list[Path]) -> None:
    shutil.copytree(bundles[0], shop / "bundle")
    (shop / "dvc.lock").write_text("a: [\n")
    with pytest.raises(LedgerError, match=r"dvc\.lock cannot be read"):
        Ledger(shop).register(shop / "bundle")


def test_few_rows_prove_nothing(shop: Path, tmp_path: Path) -> None:
    put(Ledger(shop), "1.0.0")
    rows = tmp_path / "rows.csv"
    pd.DataFrame({"x0": [1.0], "x1": [1.0], "x2": [0.0], "x3": [2.0], "bad": [True]}).to_csv(
        rows, index=False
    )
    _, verdict = judge(Ledger(shop), "fraud", "prod", version="1.1.0", data=rows)
    said = {one.gate: one.sentence for one in verdict.failed}
    assert said == {"no-worse": "1 rows are too few to compare; required: 50 (min_rows)"}


def test_a_verdict_is_read_strictly() -> None:
    with pytest.raises(LedgerError, match="the verdict cannot be read"):
        Verdict.decode(b"{}")
