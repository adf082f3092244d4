"""What people do with versions, and what they are told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

import lockgate
from lockgate.cli.commands import lockgate as command_line
from lockgate.errors import GateRefused, LedgerConflict, LedgerError, LockgateError, UsageError
from lockgate.registry.api import Ledger
from lockgate.registry.gates.judge import judge
from lockgate.registry.gates.policy import stage_policy
from lockgate.registry.gates.require import record_verdict
from lockgate.registry.git.objects import CommandStore, LibraryStore
from lockgate.registry.ledger.rules import verdict_for
from lockgate.registry.ledger.verify import verify
from lockgate.registry.provenance.verdict import Verdict
from tests.registry.conftest import git, guard, new_repository, packed


def put(ledger: Ledger, version: str, stage: str = "prod") -> None:
    ledger.promote("fraud", stage, version=version, override=True, reason="for the test")


def covering(ledger: Ledger, version: str) -> Verdict:
    """Return the verdict on which a promotion to prod would rest."""
    record = ledger.version("fraud", version)
    policy = stage_policy(ledger.repository, "fraud", "prod")
    return verdict_for(ledger.state, record, "prod", policy.digest)


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(command_line, [str(one) for one in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert (done.return_value if done.exit_code == 0 else done.exit_code) in (code, None), (
        done.output
    )
    return done.output


def test_versions_follow_from_what_changed(shop: Path, tmp_path: Path, bundles: list[Path]) -> None:
    ledger = Ledger(shop)
    assert ledger.version("fraud").version == "1.2.0"
    assert ledger.version("fraud", "1.0.0").why == ("the first version",)
    wider = ledger.register(packed(tmp_path / "wider", columns=5))
    assert wider.version == "2.0.0"
    assert wider.why[0] == "it requires the new column x4"
    again = ledger.register(bundles[0])
    assert (again.version, ledger.state.head().seq) == ("1.0.0", 4)
    with pytest.raises(UsageError, match="expected major"):
        ledger.register(packed(tmp_path / "w6", columns=6), bump="patch")
    with pytest.raises(UsageError, match="too low; expected at least 3.0.0"):
        ledger.register(packed(tmp_path / "w7", columns=7), version="2.1.0")
    with pytest.raises(UsageError, match="does not follow 2.0.0"):
        ledger.register(packed(tmp_path / "w8", columns=5, seed=8), version="1.9.0")


def test_promotion_needs_a_verdict_on_this_bundle_against_this_incumbent(
    shop: Path, tmp_path: Path
) -> None:
    ledger = Ledger(shop)
    with pytest.raises(
        GateRefused, match=r"fraud@1\.2\.0 has no verdict for prod \(incumbent none\)"
    ):
        covering(ledger, "1.2.0")
    record, verdict = judge(ledger, "fraud", "prod", version="1.0.0")
    record_verdict(ledger, verdict, record.version)
    made = ledger.promote("fraud", "prod", version="1.0.0", reason="begin")
    assert (made.slot.version, made.slot.verdict, made.override) == ("1.0.0", verdict.digest, False)
    rows = tmp_path / "rows.csv"
    frame = pd.DataFrame({f"x{k}": range(-50, 50) for k in range(4)})
    frame.assign(bad=frame["x0"] > 0).to_csv(rows, index=False)
    record, verdict = judge(ledger, "fraud", "prod", version="1.1.0", data=rows)
    assert verdict.passed
    record_verdict(ledger, verdict, "1.1.0")
    put(ledger, "1.2.0")
    with pytest.raises(
        GateRefused, match=r"for prod is against the incumbent 1\.0\.0, which is 1\.2\.0 now"
    ):
        covering(ledger, "1.1.0")
    with pytest.raises(
        LedgerConflict,
        match=r"fraud in prod is not 1\.0\.0, as was expected, but 1\.2\.0, since .* by Ada",
    ):
        record_verdict(ledger, verdict, "1.1.0")


def test_a_verdict_that_does_not_pass_lets_nobody_in(shop: Path) -> None:
    guard(shop, "gate:\n  small:\n    plugin: size\n    at_most_kb: 0.1\n")
    line = ["promote", "fraud@1.0.0", "prod", "-C", str(shop)]
    refused = CliRunner().invoke(command_line, line)
    assert isinstance(refused.exception, GateRefused)
    assert refused.exception.exit_code == 1
    assert "FAIL  small  the model is" in refused.output
    ledger = Ledger(shop)
    assert ledger.current("fraud", "prod") is None
    with pytest.raises(GateRefused, match="did not pass the gates of prod: small: the model is"):
        ledger.promote("fraud", "prod", version="1.0.0")
    guard(shop, "gate: {}\n")
    with pytest.raises(GateRefused, match="for prod is from other gates than the current ones"):
        covering(ledger, "1.0.0")
    with pytest.raises(UsageError, match="an override needs a reason"):
        run("promote", "fraud@1.0.0", "prod", "--override", "-C", shop)
    run("promote", "fraud@1.0.0", "prod", "--override", "--reason", "fire", "-C", shop)
    assert "GATES OVERRIDDEN: fire" in run("current", "-C", shop)
    assert "overridden gates: promote fraud 1.0.0 -> prod (override)" in run("verify", "-C", shop)


def test_gates_may_guard_some_stages_only(shop: Path) -> None:
    guard(shop, "gate:\n  lineage:\n    plugin: lineage\n    stages: prod, live\n")
    ledger = Ledger(shop)
    _, verdict = judge(ledger, "fraud", "canary")
    assert (verdict.passed, verdict.judged) == (True, ())
    _, verdict = judge(ledger, "fraud", "prod")
    assert [one.sentence for one in verdict.failed] == ["lineage is unknown; required: pipeline"]


def test_rolling_back_and_forward(shop: Path) -> None:
    ledger = Ledger(shop)
    with pytest.raises(LedgerError, match="nothing to roll back: fraud has no version in prod"):
        ledger.rollback("fraud", "prod")
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        put(ledger, version)
    assert ledger.rollback("fraud", "prod", reason="loud").slot.version == "1.1.0"
    assert ledger.rollback("fraud", "prod").slot.version == "1.0.0"
    with pytest.raises(
        LedgerError, match=r"but those rolled back from: 1\.1\.0, 1\.2\.0; choose one with --to"
    ):
        ledger.rollback("fraud", "prod")
    assert ledger.rollback("fraud", "prod", to="1.2.0").slot.version == "1.2.0"
    with pytest.raises(LedgerConflict, match="is not 1.0.0, as was expected"):
        ledger.rollback("fraud", "prod", expect="1.0.0")
    with pytest.raises(
        LedgerConflict, match=r"is not empty, as was expected, but 1\.2\.0, since .* by Ada"
    ):
        ledger.promote(
            "fraud", "prod", version="1.0.0", expect="nothing", override=True, reason="x"
        )


def test_a_rollback_names_what_it_replaced_and_keeps_the_override_visible(shop: Path) -> None:
    ledger = Ledger(shop)
    guard(shop, "gate: {}\n")
    ledger.promote("fraud", "prod", version="1.0.0")
    put(ledger, "1.1.0")
    words = ("rollback", "fraud", "prod", "-C", str(shop))
    assert "in prod again, instead of 1.1.0 (event 7)\n" in run(*words)
    shown = run(*words, "--to", "1.1.0")
    assert "instead of 1.0.0 (event 8); its gates were overridden" in shown
    last = next(ledger.history("fraud", "prod"))
    assert (last.op, last.after, last.override) == ("rollback", "1.1.0", True)
    assert "rollback fraud 1.1.0 -> prod (override)" in run("history", "-C", str(shop))
    assert len(verify(ledger.repository, ledger.tip, now=time.time()).overrides) == 2


def test_retired_versions_are_out_of_reach(shop: Path) -> None:
    ledger = Ledger(shop)
    put(ledger, "1.0.0")
    with pytest.raises(
        LedgerConflict, match=r"fraud@1\.0\.0 is in prod; promote another version first"
    ):
        ledger.retire("fraud", version="1.0.0")
    put(ledger, "1.1.0")
    ledger.retire("fraud", version="1.0.0", reason="leaked labels")
    with pytest.raises(LedgerError, match=r"all versions that were in prod before .* 1\.0\.0"):
        ledger.rollback("fraud", "prod")  # what is retired is passed over
    with pytest.raises(LedgerError, match=r"fraud@1\.0\.0 is retired"):
        ledger.rollback("fraud", "prod", to="1.0.0")
    with pytest.raises(LedgerError, match=r"fraud@1\.0\.0 is retired"):
        put(ledger, "1.0.0")
    ledger.retire("fraud", stage="prod")
    assert ledger.current("fraud", "prod") is None


def test_history_says_what_was_there_on_a_day(shop: Path) -> None:
    ledger = Ledger(shop)
    put(ledger, "1.0.0")
    put(ledger, "1.1.0")
    first = next(
        event for event in ledger.history() if event.after == "1.0.0" and event.op == "promote"
    )
    said = run("history", "fraud", "prod", "--on", first.at, "-C", shop, "--json")
    assert [json.loads(line)["after"] for line in said.splitlines()] == ["1.0.0"]
    early = run("history", "fraud", "prod", "--on", "2020-05-03", "-C", shop)
    assert early.startswith("nothing was in a stage on 2020-05-03; the first event is of 20")
    for name, stage, message in (("frau", "prod", "'fraud'"), ("fraud", "prd", "'prod'")):
        with pytest.raises(LedgerError, match=f"did you mean {message}"):
            run("history", name, stage, "-C", shop)
    with pytest.raises(LedgerError, match="did you mean 'fraud'"):
        run("current", "frau", "-C", shop)
    with pytest.raises(UsageError, match="not a date"):
        run("history", "--on", "yesterday", "-C", shop)


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "x" * 70, "a/b", "a\nb", "ünï"])
def test_odd_names_are_refused_and_nothing_changes(shop: Path, name: str) -> None:
    ledger = Ledger(shop)
    tip = ledger.tip
    for act in (
        lambda: ledger.promote(name, "prod", override=True, reason="x"),
        lambda: ledger.promote("fraud", name, override=True, reason="x"),
        lambda: ledger.promote("fraud", "prod", version=name or "x", override=True, reason="x"),
        lambda: ledger.retire("fraud", stage=name or "x"),
    ):
        with pytest.raises(LockgateError):
            act()
    assert ledger.tip == tip


def test_places_that_are_no_repository(tmp_path: Path, bundles: list[Path]) -> None:
    with pytest.raises(LedgerError, match="is not in a Git repository; create one: git init"):
        Ledger(tmp_path)
    git(tmp_path, "init", "-q", "empty")
    ledger = Ledger(tmp_path / "empty")
    assert list(ledger.history()) == []
    with pytest.raises(LedgerError, match="no model 'fraud' is registered"):
        ledger.promote("fraud", "prod")
    # a bundle from elsewhere needs no commit
    assert ledger.register(bundles[0]).lineage == "unknown"


def test_a_bundle_that_was_changed_on_disk_is_refused(
    shop: Path, bundles: list[Path], tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(bundles[0], tmp_path / "copy"))
    (copy / "card.md").write_text("better than it is")
    with pytest.raises(LockgateError, match="card.md has sha256"):
        Ledger(shop).register(copy)
    ledger = Ledger(shop)
    stored = next(
        (shop / ".git" / "lockgate" / "bundles").glob(f"{ledger.version('fraud', '1.0.0').digest}")
    )
    (stored / "card.md").write_text("better than it is")
    with pytest.raises(LedgerError, match=r"the bundle of fraud@1\.0\.0 .* is not here"):
        judge(ledger, "fraud", "prod", version="1.0.0")


def test_a_remote_that_is_down_is_refused_or_queued(shop: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "hub.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "hub.git"))
    put(Ledger(shop), "1.0.0")
    git(tmp_path, "clone", "-q", str(tmp_path / "hub.git"), "other")
    for key, value in (("user.name", "Bob"), ("user.email", "bob@x")):
        git(tmp_path / "other", "config", key, value)
    (tmp_path / "hub.git").rename(tmp_path / "away")
    with pytest.raises(LockgateError, match="cannot be reached.*nothing was written"):
        put(Ledger(shop), "1.1.0")
    put(Ledger(shop, queue=True), "1.1.0")
    assert "origin cannot be reached" in run("current", "-C", shop)
    (tmp_path / "away").rename(tmp_path / "hub.git")
    put(Ledger(tmp_path / "other"), "1.0.0", "canary")
    said = run("sync", "-C", shop)
    assert "pushed: promote fraud 1.1.0 -> prod" in said
    events = [event.subject for event in Ledger(shop).history()][:2]
    assert events == [
        "promote fraud 1.1.0 -> prod (override)",
        "promote fraud 1.0.0 -> canary (override)",
    ]
    other = Ledger(tmp_path / "other")
    other.fetch()
    assert other.tip == Ledger(shop).tip


def test_a_queued_event_that_does_not_fit_is_told_and_can_be_given_up(
    shop: Path, tmp_path: Path
) -> None:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "hub.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "hub.git"))
    put(Ledger(shop), "1.0.0")
    git(tmp_path, "clone", "-q", str(tmp_path / "hub.git"), "other")
    (tmp_path / "hub.git").rename(tmp_path / "away")
    put(Ledger(shop, queue=True), "1.1.0")
    (tmp_path / "away").rename(tmp_path / "hub.git")
    put(Ledger(tmp_path / "other"), "1.2.0")
    with pytest.raises(
        LedgerConflict, match=r"a queued event became impossible: promote fraud 1\.1\.0"
    ):
        run("sync", "-C", shop)
    assert "discarded: promote fraud 1.1.0 -> prod" in run(
        "sync", "--drop", "impossible", "-C", shop
    )
    standing = Ledger(shop).current("fraud", "prod")
    assert standing is not None
    assert standing.slot.version == "1.2.0"


def test_an_event_whose_push_had_landed_is_not_queued_twice(shop: Path, tmp_path: Path) -> None:
    from tests.registry.test_tampering import promotion

    git(tmp_path, "init", "-q", "--bare", "-b", "main", "hub.git")
    git(shop, "remote", "add", "origin", str(tmp_path / "hub.git"))
    put(Ledger(shop), "1.0.0")
    git(tmp_path, "clone", "-q", str(tmp_path / "hub.git"), "other")
    (tmp_path / "hub.git").rename(tmp_path / "away")
    Ledger(shop, queue=True).writer.write(promotion("1.1.0", "prod"), id="a" * 32)
    (tmp_path / "away").rename(tmp_path / "hub.git")
    Ledger(tmp_path / "other").writer.write(promotion("1.1.0", "prod"), id="a" * 32)
    run("sync", "-C", shop)
    assert [event.seq for event in Ledger(shop).history() if event.id == "a" * 32] == [5]


def test_repositories_that_the_library_cannot_open_are_used_by_command(
    tmp_path: Path, bundles: list[Path]
) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256", "-b", "main", "long")
    shop = tmp_path / "long"
    git(shop, "config", "user.name", "Ada")
    git(shop, "config", "user.email", "ada@x")
    ledger = Ledger(shop)
    assert isinstance(ledger.repository.store, CommandStore)
    ledger.register(bundles[0])
    put(ledger, "1.0.0")
    assert len(str(ledger.tip)) == 64
    assert run("verify", "-C", shop).endswith("no allowed signers are configured: no problems\n")
    git(shop, "fsck")


def test_a_worktree_and_a_folder_below_see_the_same_ledger(shop: Path, tmp_path: Path) -> None:
    git(shop, "worktree", "add", "-q", str(tmp_path / "tree"))
    put(Ledger(tmp_path / "tree"), "1.0.0")
    (shop / "below").mkdir()
    ledger = Ledger(shop / "below")
    assert isinstance(ledger.repository.store, LibraryStore)
    assert ledger.current("fraud", "prod") is not None
    git(shop, "pack-refs", "--all")
    git(shop, "gc", "-q", "--prune=now")
    put(ledger, "1.1.0")
    assert ledger.state.head().seq == 5


LISTENER = """
import lockgate

@lockgate.plugin
class Listener:
    "Print every event."
    @lockgate.hookimpl
    def on_registered(self, event):
        print(event)
    @lockgate.hookimpl
    def on_promoted(self, event):
        print(event)
    @lockgate.hookimpl
    def on_rolled_back(self, event):
        print(event)
"""

EVENTS = """
import sys
from lockgate.registry.api import Ledger
ledger = Ledger(sys.argv[1])
ledger.register(sys.argv[2])
for version in ("1.0.0", "1.1.0"):
    ledger.promote("fraud", "prod", version=version, override=True, reason="x")
ledger.rollback("fraud", "prod", reason="loud")
"""


def test_installed_listeners_hear_of_every_event(
    shop: Path, tmp_path: Path, bundles: list[Path]
) -> None:
    installed = tmp_path / "site"
    metadata = installed / "acme_listener-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-listener\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[lockgate]\nacme = acme_listener:Listener\n")
    (installed / "acme_listener.py").write_text(LISTENER)
    new = packed(tmp_path / "new", seed=7)
    done = subprocess.run(
        [sys.executable, "-c", EVENTS, str(shop), str(new)],
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    ada = "Ada <ada@shop.example>"
    digest = Ledger(shop).version("fraud", "1.3.0").digest
    assert done.stdout.splitlines() == [
        str(lockgate.Registration("fraud", "1.3.0", digest)),
        str(lockgate.Promotion("fraud", "1.0.0", "prod", ada, "x")),
        str(lockgate.Promotion("fraud", "1.1.0", "prod", ada, "x")),
        str(lockgate.Rollback("fraud", "1.0.0", "prod", ada, "loud")),
    ]


def test_a_ledger_that_is_here_only_in_part_is_told(shop: Path, tmp_path: Path) -> None:
    ledger = Ledger(shop)
    put(ledger, "1.0.0")
    git(tmp_path, "init", "-q", "part")
    git(
        tmp_path / "part",
        "fetch",
        "-q",
        "--depth",
        "1",
        str(shop),
        "refs/lockgate/ledger:refs/lockgate/ledger",
    )
    part = Ledger(tmp_path / "part")
    assert part.current("fraud", "prod") is not None
    with pytest.raises(LedgerError, match="the ledger is incomplete"):
        list(part.history())
    assert "the ledger is incomplete" in run("verify", "-C", tmp_path / "part", code=1)


def test_commands_work_from_a_hook(shop: Path) -> None:
    """Git sets GIT_DIR and more while a hook runs; they are another repository's business."""
    environment = os.environ | {"GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere/index"}
    done = subprocess.run(
        [sys.executable, "-m", "lockgate", "current", "fraud", "-C", str(shop)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "no version is in any stage\n"), done.stderr


def test_trace_tells_all_about_a_version(shop: Path, tmp_path: Path, bundles: list[Path]) -> None:
    put(Ledger(shop), "1.0.0")
    said = json.loads(run("trace", "fraud@prod", "-C", shop))
    assert (said["version"]["version"], said["stages"]) == ("1.0.0", ["prod"])
    assert [event["op"] for event in said["events"]] == ["register", "promote"]
    said = json.loads(run("trace", bundles[2], "-C", shop))
    assert said["changes"]["since"] == "1.1.0"
    assert said["changes"]["why"][0] == "its parameters are not recorded"
    page = tmp_path / "page.html"
    run("trace", "fraud@1.1.0", "--page", page, "-C", shop)
    assert "fraud@1.1.0" in page.read_text()
    with pytest.raises(LedgerError, match=r"fraud@9\.9\.9 is not registered"):
        run("trace", "fraud@9.9.9", "-C", shop)


def test_a_new_repository_has_nothing(tmp_path: Path) -> None:
    shop = new_repository(tmp_path / "new")
    assert "no version is in any stage" in run("current", "-C", shop, code=1)
    assert "no events" in run("history", "-C", shop)
    assert "0 events" in run("verify", "-C", shop)
