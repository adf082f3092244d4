"""What guards a stage is what the main branch says, whoever promotes."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from lockgate.deployment.admission import require_provenance
from lockgate.deployment.directory import Deployment
from lockgate.deployment.follow import deploy_stage
from lockgate.errors import GateRefused, LedgerError, LedgerTampered, LockgateError, UsageError
from lockgate.registry.api import Ledger
from lockgate.registry.ledger.policy_file import parse_policy
from lockgate.registry.provenance.policy import StagePolicy
from lockgate.registry.provenance.provenance import Provenance
from tests.registry.conftest import git, guard
from tests.registry.test_ledger import put, run

LAX = "stages: {prod: {gates: {alone: {plugin: parity}}}, canary: {gates: {}}}\n"
STRICT = "stages: {prod: {gates: {small: {plugin: size, at_most_kb: 0.1}}}, canary: {gates: {}}}\n"


def declare(shop: Path, text: str, *, days_ago: float = 0) -> str:
    """Commit a policy to the main branch, which is checked out, and return the commit."""
    (shop / ".lockgate").mkdir(exist_ok=True)
    (shop / ".lockgate" / "policy.yaml").write_text(text)
    git(shop, "add", "-A")
    moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days_ago)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_COMMITTER_DATE", moment.isoformat())
        git(shop, "commit", "-qm", "policy")
    return git(shop, "rev-parse", "HEAD")


def share(shop: Path, text: str, *, days_ago: float) -> None:
    """Give the repository a remote, and a main branch that begins with a policy."""
    hub = shop.with_name("hub.git")
    git(shop, "init", "-q", "--bare", "-b", "main", str(hub))
    git(shop, "remote", "add", "origin", str(hub))
    git(shop, "checkout", "-q", "--orphan", "old")
    declare(shop, text, days_ago=days_ago)
    git(shop, "branch", "-q", "-M", "old", "main")
    git(shop, "push", "-q", "origin", "main")


def problems(ledger: Ledger) -> str:
    return "; ".join(finding.problem for finding in ledger.verify().findings)


def test_what_is_committed_to_the_main_branch_counts(shop: Path) -> None:
    declare(shop, STRICT)
    ledger = Ledger(shop)
    (shop / ".lockgate" / "policy.yaml").write_text(LAX)  # somebody's work tree
    git(shop, "checkout", "-q", "-b", "mine")
    git(shop, "commit", "-qam", "a policy of my branch")
    with pytest.raises(GateRefused, match="did not pass the gates of prod: small"):
        ledger.promote("fraud", "prod")
    git(shop, "checkout", "-q", "main")
    git(shop, "merge", "-q", "--ff-only", "mine")
    assert ledger.promote("fraud", "prod").slot.version == "1.2.0"


@pytest.mark.parametrize(
    "change",
    [
        lambda ledger: ledger.gate("fraud", "prdo"),
        lambda ledger: ledger.promote("fraud", "prdo"),
        lambda ledger: ledger.promote("fraud", "prdo", override=True, reason="fire"),
    ],
    ids=["gate", "promote", "override"],
)
def test_a_stage_that_is_not_declared_is_refused(
    shop: Path, change: Callable[[Ledger], object]
) -> None:
    declare(shop, LAX)
    message = r"does not declare the stage 'prdo', did you mean 'prod'\?; declared: prod, canary"
    with pytest.raises(UsageError, match=message):
        change(Ledger(shop))
    assert Ledger(shop).state.stages("fraud") == []


def test_a_slip_in_a_stage_of_the_ledger_is_named(shop: Path, tmp_path: Path) -> None:
    ledger = Ledger(shop)
    put(ledger, "1.0.0")
    for command in (
        lambda: ledger.rollback("fraud", "prdo"),
        lambda: ledger.retire("fraud", stage="prdo"),
        lambda: deploy_stage(ledger, Deployment(tmp_path / "live"), "fraud", "prdo"),
    ):
        with pytest.raises(LedgerError, match="did you mean 'prod'"):
            command()


def test_without_a_policy_nothing_is_promoted_but_by_override(shop: Path) -> None:
    git(shop, "rm", "-q", "params.yaml")
    git(shop, "commit", "-qm", "no gates are written down")
    ledger = Ledger(shop)
    with pytest.raises(
        GateRefused, match=r"nothing says which gates guard prod: commit \.lockgate"
    ):
        ledger.promote("fraud", "prod")
    assert "nothing can be promoted without --override" in run("policy", "-C", str(shop), code=1)
    put(ledger, "1.0.0")
    assert "GATES OVERRIDDEN: for the test" in run("current", "-C", str(shop))
    guard(shop, "gate: {}\n")  # now it is written down that there are none
    assert ledger.promote("fraud", "prod", version="1.1.0").override is False


def test_only_those_may_promote_whom_the_policy_names(shop: Path) -> None:
    declare(shop, LAX.replace("parity}}", "parity}}, promoters: ['*@risk.example']"))
    ledger = Ledger(shop)
    with pytest.raises(
        GateRefused, match=r"ada@shop\.example is not a promoter of prod; promoters: \*@risk"
    ):
        ledger.promote("fraud", "prod")
    ledger.promote("fraud", "canary")
    git(shop, "config", "user.email", "bea@risk.example")
    assert Ledger(shop).promote("fraud", "prod").slot.version == "1.2.0"
    assert "*@risk.example" in run("policy", "-C", str(shop))
    assert problems(ledger) == ""


def test_history_says_what_gates_said(shop: Path) -> None:
    declare(shop, LAX)
    Ledger(shop).gate("fraud", "prod", version="1.0.0")
    declare(shop, STRICT)
    Ledger(shop).gate("fraud", "prod", version="1.1.0")
    failed, passed = run("history", "fraud", "prod", "-C", str(shop)).splitlines()[:2]
    assert "gate fraud 1.1.0 -> prod: FAILED" in failed
    assert "gate fraud 1.0.0 -> prod: passed" in passed


def test_a_policy_whose_gates_cannot_be_run_is_shown_with_the_reason(shop: Path) -> None:
    declare(shop, STRICT.replace("plugin: size", "plugin: sise"))
    shown = run("policy", "-C", str(shop), code=1)
    assert "every prod: no gate named 'sise', did you mean 'size'" in shown


def test_a_model_may_differ(shop: Path) -> None:
    text = STRICT + "models: {fraud: {stages: {prod: {gates: {alone: {plugin: parity}}}}}}\n"
    declare(shop, text)
    assert Ledger(shop).promote("fraud", "prod").slot.version == "1.2.0"
    declare(shop, text.replace("fraud", "churn"))
    with pytest.raises(GateRefused, match="small"):
        Ledger(shop).promote("fraud", "prod", version="1.1.0")
    shown = [line.split() for line in run("policy", "-C", str(shop)).splitlines()[2:]]
    assert [line[:3] for line in shown] == [
        ["every", "prod", "small"],
        ["every", "canary", "no"],
        ["churn", "prod", "alone"],
        ["gate", "small", "of"],
    ]
    assert shown[3][3:] == ["every", "prod:", "at_most_kb=0.1"]


def test_the_gates_of_params_count_where_there_is_no_policy_file(shop: Path) -> None:
    guard(shop, "gate: {small: {plugin: size, at_most_kb: 0.1, stages: 'prod,live'}}\n")
    ledger = Ledger(shop)
    assert ledger.promote("fraud", "canary", version="1.0.0").slot.stage == "canary"
    with pytest.raises(GateRefused, match="small"):
        ledger.promote("fraud", "prod")
    with pytest.raises(UsageError, match=r"limits the gate to 'prod', and the stage is 'prods'"):
        ledger.promote("fraud", "prods")
    for slip, message in (
        ("Prod", "expected lower case.*did you mean 'prod'"),
        ("prod staging", "separate names by commas: prod,staging"),
    ):
        guard(shop, f"gate: {{small: {{plugin: size, at_most_kb: 0.1, stages: {slip!r}}}}}\n")
        with pytest.raises(LedgerError, match=message):
            ledger.promote("fraud", "prod")


def test_a_commit_of_a_clock_that_was_ahead_freezes_no_policy(shop: Path) -> None:
    ledger = Ledger(shop)
    declare(shop, STRICT, days_ago=-900)
    declare(shop, LAX)
    ledger.promote("fraud", "prod", version="1.0.0")
    assert problems(ledger) == ""


def test_a_policy_of_a_branch_of_ones_own_gets_nothing_deployed(shop: Path, tmp_path: Path) -> None:
    """A colleague may write to every branch but the protected one."""
    share(shop, LAX, days_ago=9)
    declare(shop, STRICT, days_ago=5)
    git(shop, "push", "-q", "origin", "main")
    Ledger(shop).promote("fraud", "canary", version="1.0.0")
    git(tmp_path, "clone", "-q", str(tmp_path / "hub.git"), "sly")
    sly = tmp_path / "sly"
    for key, value in (("user.name", "Eve"), ("user.email", "eve@shop.example")):
        git(sly, "config", key, value)
    git(sly, "checkout", "-q", "-b", "mine")
    declare(sly, LAX)
    git(sly, "push", "-q", "origin", "mine")
    bundles = shop / ".git" / "lockgate" / "bundles"
    (sly / ".git" / "lockgate").mkdir(exist_ok=True)
    (sly / ".git" / "lockgate" / "bundles").symlink_to(bundles)
    with pytest.raises(GateRefused, match="did not pass the gates of prod: small"):
        Ledger(sly).promote("fraud", "prod", version="1.1.0")
    git(sly, "config", "lockgate.main", "mine")
    Ledger(sly).promote("fraud", "prod", version="1.1.0")  # nothing here can prevent it
    server = Ledger(shop)
    server.fetch()
    assert "other gates than those that the main branch named for prod" in problems(server)
    with pytest.raises(LedgerTampered, match="nothing is deployed from it"):
        deploy_stage(server, Deployment(tmp_path / "live"), "fraud", "prod")


def test_a_verdict_of_another_policy_is_not_recorded(shop: Path, tmp_path: Path) -> None:
    declare(shop, STRICT)
    other = tmp_path / "other.yaml"
    other.write_text(LAX)
    ledger = Ledger(shop)
    with pytest.raises(
        UsageError, match="a verdict by other gates than the main branch's needs dry"
    ):
        ledger.gate("fraud", "prod", policy=other)
    assert ledger.gate("fraud", "prod", policy=other, dry=True)[1].passed
    assert ledger.state.verdicts("fraud", "1.2.0") == []


@pytest.fixture
def deployed(shop: Path, tmp_path: Path) -> tuple[Deployment, Path]:
    """A deployment directory with 1.2.0, and the file that proves its promotion."""
    declare(shop, LAX)
    ledger, deployment = Ledger(shop), Deployment(tmp_path / "live")
    ledger.promote("fraud", "prod")
    deploy_stage(ledger, deployment, "fraud", "prod")
    require_provenance(deployment, deployment.pointer().slots, None)
    return deployment, next((deployment.path / "proofs").iterdir())


def changed(policy: str, **fields: object) -> str:
    return msgspec.structs.replace(StagePolicy.decode(policy.encode()), **fields).encode().decode()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda policy: None, "its policy is missing"),
        (lambda policy: policy.replace("alone", "other"), "not that of its verdict"),
        (lambda policy: changed(policy, gates={}), "not that of its verdict"),
        (lambda policy: changed(policy, promoters=("x@y",)), "not that of its verdict"),
    ],
    ids=["removed", "renamed", "emptied", "narrowed"],
)
def test_the_policy_travels_to_the_server(
    deployed: tuple[Deployment, Path], change: Callable[[str], str | None], message: str
) -> None:
    deployment, path = deployed
    proof = Provenance.decode(path.read_bytes())
    policy = StagePolicy.decode(str(proof.policy).encode())
    assert (policy.stage, list(policy.gates)) == ("prod", ["alone"])
    changed_proof = msgspec.structs.replace(proof, policy=change(str(proof.policy)))
    path.write_bytes(changed_proof.encode())
    with pytest.raises(GateRefused, match=message):
        require_provenance(deployment, deployment.pointer().slots, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stages: {Prod: {gates: {}}}", "did you mean 'prod'"),
        ("stages: {'prod staging': {gates: {}}}", "separate names by commas"),
        ("stages: {1.0.0: {gates: {}}}", "not a version"),
        ("stages: {prod: {}}", "missing required field `gates`"),
        ("stages: {prod: {gates: {}, gatess: {}}}", "unknown field `gatess`"),
        ("stages: {prod: {gates: [size]}}", "Expected `object`"),
        ("stages: []", "Expected `object`"),
        ("gate: {}", "unknown field `gate`"),
        ("a: [", "policy.yaml"),
        ("stages: {prod: {gates: {}}}\nmodels: {churn: {prod: {}}}", "models"),
        ("", "expected stages"),
    ],
)
def test_a_policy_that_cannot_be_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(LockgateError, match=message):
        parse_policy(text, ".lockgate/policy.yaml")


def test_a_policy_is_written_from_the_gates_of_a_project(shop: Path) -> None:
    guard(
        shop,
        "gate:\n  small: {plugin: size, at_most_kb: 64, provider: 'lockgate@01'}\n"
        "  known: {plugin: lineage, stages: prod}\n",
    )
    shown = run("policy", "--write", "-C", str(shop))
    assert "commit it to the main branch" in shown
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "policy")
    lines = [line.split() for line in run("policy", "-C", str(shop)).splitlines()[2:]]
    assert [line[1:4] for line in lines] == [
        ["staging", "small", "all"],
        ["prod", "small,", "known"],
        ["small", "of", "every"],
        ["small", "of", "every"],
    ]
    path = shop / ".lockgate" / "policy.yaml"
    assert "this work tree is another" not in run("policy", "-C", str(shop))
    path.write_text(path.read_text() + "models: {churn: {stages: {prod: {gates: {}}}}}\n")
    assert "this work tree is another one; it counts once" in run("policy", "-C", str(shop))
    with pytest.raises(UsageError, match="declares staging, prod; name the stages whose gates"):
        run("policy", "--write", "-C", str(shop))
    run("policy", "--write", "--stage", "canary", "-C", str(shop))
    policy = parse_policy(path.read_text(), str(path))
    assert policy is not None
    assert (list(policy.stages), list(policy.models)) == (["staging", "prod", "canary"], ["churn"])
    guard(shop, "gate: {known: {plugin: lineage, stages: prdo}}\n")
    with pytest.raises(UsageError, match=r"names 'prdo', did you mean 'prod'"):
        run("policy", "--write", "--stage", "prod", "-C", str(shop))
    with pytest.raises(UsageError, match="--stage needs --write"):
        run("policy", "--stage", "prod", "-C", str(shop))
