"""What colleagues tried to get an unfit version served, or to hide what they did."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from pathlib import Path

import pytest

from lockgate.deployment.admission import require_provenance
from lockgate.deployment.directory import Deployment
from lockgate.deployment.follow import deploy_stage
from lockgate.errors import GateRefused, LedgerError, UsageError
from lockgate.registry.api import Ledger
from lockgate.registry.ledger.drafts import Draft
from lockgate.registry.ledger.policy_file import parse_policy
from lockgate.registry.ledger.state import State
from tests.registry.conftest import git, guard, packed
from tests.registry.test_ledger import put, run
from tests.registry.test_policy import LAX, STRICT, declare, problems, share
from tests.registry.test_tampering import forge, promotion, retirement


@pytest.fixture
def shared(shop: Path) -> Path:
    """That repository with a remote, whose main branch has had a strict policy for long."""
    share(shop, STRICT, days_ago=30)
    return shop


def test_a_tag_is_not_the_main_branch(shared: Path) -> None:
    git(shared, "config", "lockgate.main", "main")
    git(shared, "checkout", "-q", "-b", "mine")
    declare(shared, LAX)
    git(shared, "tag", "main")
    git(shared, "push", "-q", "origin", "refs/tags/main")
    with pytest.raises(GateRefused, match="did not pass the gates of prod: small"):
        Ledger(shared).promote("fraud", "prod")


def test_a_default_branch_that_does_not_exist_is_nobodys(shared: Path) -> None:
    """Whoever may push any other branch would become the author of the policy."""
    hub = shared.with_name("hub.git")
    git(hub, "symbolic-ref", "HEAD", "refs/heads/trunk")
    for _ in range(2):  # also before the remote has a ledger
        with pytest.raises(LedgerError, match=r"the default branch of origin .* has: main; name"):
            Ledger(shared).promote("fraud", "prod")
    assert "warning: the default branch of origin does not exist" in run("current", "-C", shared)
    assert "the default branch of origin does not exist" in run("verify", "-C", shared, code=1)
    git(shared, "config", "lockgate.main", "mian")
    with pytest.raises(LedgerError, match=r"lockgate.main is 'mian', which origin does not have"):
        Ledger(shared).promote("fraud", "prod")
    with pytest.raises(LedgerError, match=r"lockgate.main is 'mian', which is not an existing"):
        run("policy", "--offline", "-C", shared)
    git(shared, "config", "lockgate.main", "main")
    git(shared, "checkout", "-q", "-b", "trunk")
    declare(shared, LAX)
    git(shared, "push", "-q", "origin", "trunk")
    with pytest.raises(GateRefused, match="did not pass the gates of prod: small"):
        Ledger(shared).promote("fraud", "prod")
    assert "policy.yaml of main of origin (commit" in run("policy", "-C", str(shared))


def test_a_stage_that_is_no_longer_declared_is_emptied(shop: Path) -> None:
    declare(shop, LAX, days_ago=9)
    ledger = Ledger(shop)
    put(ledger, "1.0.0", "canary")
    declare(shop, "stages: {prod: {gates: {alone: {plugin: parity}}}}\n", days_ago=5)
    with pytest.raises(UsageError, match="does not declare the stage 'canary'"):
        put(Ledger(shop), "1.1.0", "canary")
    Ledger(shop).retire("fraud", stage="canary", reason="no longer used")
    findings = [finding.subject for finding in Ledger(shop).verify().findings]
    assert findings == ["promote fraud 1.0.0 -> canary (override)"]  # it was declared before


def test_a_later_verdict_that_failed_counts(shop: Path) -> None:
    declare(shop, LAX)
    ledger = Ledger(shop)
    _, passed = ledger.gate("fraud", "prod", version="1.0.0")
    declare(shop, STRICT)
    ledger.gate("fraud", "prod", version="1.0.0")
    declare(shop, LAX)

    def draft(state: State) -> Draft:
        made = promotion("1.0.0", "prod")(state)
        return Draft({**made.fields, "override": False, "gate": passed.digest, "reason": ""})

    with pytest.raises(GateRefused, match="a later verdict takes the place of this one"):
        forge(shop, draft)
    assert ledger.promote("fraud", "prod", version="1.0.0").slot.verdict != passed.digest


@pytest.mark.parametrize("at", ["9999", "\x1b[8m", "2026-13-99", "2026-05-03T14:30:00", ""])
def test_times_of_events_are_times(shop: Path, at: str) -> None:
    def draft(state: State) -> Draft:
        made = promotion("1.0.0", "prod")(state)
        return dataclasses.replace(made, fields={**made.fields, "at": at})

    with pytest.raises(LedgerError, match="is not a time like"):
        forge(shop, draft)


def test_promoters_bind_overrides_and_retirements(shop: Path) -> None:
    declare(shop, LAX.replace("parity}}", "parity}}, promoters: ['*@risk.example']"))
    with pytest.raises(GateRefused, match=r"ada@shop\.example is not a promoter of prod"):
        put(Ledger(shop), "1.0.0")
    git(shop, "config", "user.email", "bea@risk.example")
    put(Ledger(shop), "1.0.0")
    git(shop, "config", "user.email", "ada@shop.example")
    with pytest.raises(GateRefused, match=r"ada@shop\.example is not a promoter of prod"):
        Ledger(shop).retire("fraud", stage="prod")
    assert problems(Ledger(shop)) == ""
    forge(shop, promotion("1.1.0", "prod"))
    forge(shop, retirement("1.1.0", "prod"))
    found = Ledger(shop).verify().findings
    assert [finding.subject.partition(" ")[0] for finding in found] == ["promote", "retire"]
    assert problems(Ledger(shop)).count("ada@shop.example was not a promoter of prod") == 2


def test_an_override_while_the_policy_is_not_valid_is_reported(shop: Path) -> None:
    """Whoever could write one while the policy cannot be read was checked by nobody."""
    declare(shop, "stages: [prod]\n", days_ago=9)
    forge(shop, promotion("1.1.0", "prod"))
    assert "no valid policy of the main branch declared prod at the time" in problems(Ledger(shop))


def test_an_override_uses_what_others_registered_and_decided(shop: Path, tmp_path: Path) -> None:
    """The promoters of the policy as it is now, and versions of other clones."""
    share(shop, LAX, days_ago=9)
    Ledger(shop).promote("fraud", "prod", version="1.0.0")
    git(tmp_path, "clone", "-q", str(tmp_path / "hub.git"), "other")
    other = tmp_path / "other"
    for name, value in (("user.name", "Bea"), ("user.email", "bea@shop.example")):
        git(other, "config", name, value)
    Ledger(other).fetch()
    Ledger(shop).register(packed(tmp_path / "wider", columns=5))
    declare(shop, LAX.replace("parity}}", "parity}}, promoters: [ada@shop.example]"))
    git(shop, "push", "-q", "origin", "main")
    with pytest.raises(GateRefused, match=r"bea@shop\.example is not a promoter of prod"):
        Ledger(other).promote("fraud", "prod", version="2.0.0", override=True, reason="fire")
    with pytest.raises(GateRefused, match=r"bea@shop\.example is not a promoter of prod"):
        Ledger(other).retire("fraud", stage="prod")
    git(other, "config", "user.email", "ada@shop.example")
    promoted = Ledger(other).promote("fraud", "prod", override=True, reason="fire")
    assert promoted.slot.version == "2.0.0"


def test_a_model_that_differs_shows_the_promoters_of_its_stage(shop: Path) -> None:
    text = LAX.replace("parity}}", "parity}}, promoters: [a@x]")
    declare(shop, text + "models: {churn: {stages: {prod: {gates: {}}}}}\n")
    (row,) = [line for line in run("policy", "-C", str(shop)).splitlines() if "churn" in line]
    assert row.split()[-1] == "a@x"


def test_a_gate_of_any_stage_is_not_reported_as_misspelled(shop: Path) -> None:
    guard(shop, "gate: {small: {plugin: size, at_most_kb: 9, stages: production}}\n")
    assert "small (production only)" in run("policy", "-C", str(shop))


def test_an_old_proof_covers_no_override(shop: Path, tmp_path: Path) -> None:
    declare(shop, LAX)
    ledger, deployment = Ledger(shop), Deployment(tmp_path / "live")
    for version in ("1.0.0", "1.1.0"):
        ledger.promote("fraud", "prod", version=version)
        deploy_stage(ledger, deployment, "fraud", "prod")
    put(ledger, "1.0.0")
    deploy_stage(ledger, deployment, "fraud", "prod")
    with pytest.raises(GateRefused, match="its gates were overridden"):
        require_provenance(deployment, deployment.pointer().slots, None)


def test_what_is_older_than_the_policy_is_anchored_or_refused(shop: Path) -> None:
    git(shop, "checkout", "-q", "--orphan", "later")
    declare(shop, LAX)
    git(shop, "branch", "-q", "-M", "later", "main")
    git(shop, "update-ref", "-d", "refs/lockgate/ledger")
    (bundle, *_) = sorted((shop / ".git" / "lockgate" / "bundles").iterdir())
    with pytest.MonkeyPatch.context() as patch:
        earlier = datetime.datetime.now().timestamp() - 20 * 24 * 3600
        patch.setattr("time.time", lambda: earlier)
        Ledger(shop).register(bundle)
        Ledger(shop).promote("fraud", "prod")
    assert "dated before the main branch had a policy" in problems(Ledger(shop))
    assert "written" not in run("verify", "--anchor", "-C", str(shop), code=1)
    run("verify", "--anchor", "--accept", "-C", str(shop), code=1)
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "reviewed")
    assert problems(Ledger(shop)) == ""
    with pytest.raises(UsageError, match="--accept needs --anchor"):
        run("verify", "--accept", "-C", str(shop))


def test_a_policy_that_was_replaced_at_once_never_counted(shared: Path) -> None:
    declare(shared, LAX, days_ago=0.3)
    declare(shared, STRICT, days_ago=0.29)  # both in one pull request
    ledger = Ledger(shared)
    git(shared, "push", "-q", "origin", "main")
    git(shared, "checkout", "-q", "-b", "mine")
    declare(shared, LAX)
    git(shared, "remote", "remove", "origin")
    git(shared, "config", "lockgate.main", "mine")
    Ledger(shared).promote("fraud", "prod", version="1.0.0")
    git(shared, "config", "lockgate.main", "main")
    assert "other gates than those that the main branch named" in problems(Ledger(shared))
    assert ledger.repository.top == shared


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda shop: (shop / ".lockgate").symlink_to("elsewhere"), r"\.lockgate .* is not a fold"),
        (
            lambda shop: [(shop / ".lockgate").mkdir(), (shop / ".lockgate/policy.yml").touch()],
            "the main branch has policy.yml",
        ),
    ],
    ids=["link", "yml"],
)
def test_a_policy_that_would_be_overlooked_is_named(
    shop: Path, make: Callable[[Path], object], message: str
) -> None:
    make(shop)
    guard(shop, "gate: {}\n")
    with pytest.raises(LedgerError, match=message):
        Ledger(shop).promote("fraud", "prod")


@pytest.mark.parametrize("limit", ["production", "pro", "prod2"])
def test_a_gate_of_nearly_this_stage_is_not_left_out(shop: Path, limit: str) -> None:
    guard(shop, f"gate: {{small: {{plugin: size, at_most_kb: 0.1, stages: {limit}}}}}\n")
    with pytest.raises(UsageError, match=f"limits the gate to '{limit}', and the stage is 'prod'"):
        Ledger(shop).promote("fraud", "prod")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gate: {small: {plugin: size, stages: ','}}", "is not a name of a stage"),
        ("gate: {small: {plugin: size, stages: 'prod,'}}", "is not a name of a stage"),
        (
            LAX + "models: {m: {stages: {prdo: {gates: {}}}}}",
            "does not declare, did you mean 'prod'",
        ),
        ("stages: {prod: {gates: {}, promoters: []}}", "length >= 1"),
        (
            "stages: {prod: {gates: {a: {plugin: size, stages: prod}}}}",
            "cannot be limited to stages",
        ),
        ('stages: {prod: {gates: {a: {plugin: "\\ud800"}}}}', "surrogate"),
        ("#" * 2_000_000, "is larger than"),
    ],
)
def test_files_that_would_switch_something_off_are_refused(text: str, message: str) -> None:
    source = "params.yaml" if text.startswith("gate") else ".lockgate/policy.yaml"
    with pytest.raises(LedgerError, match=message):
        parse_policy(text, source)


def test_a_model_that_differs_has_the_promoters_of_its_stage() -> None:
    text = LAX.replace("parity}}", "parity}}, promoters: [a@x]")
    policy = parse_policy(
        text + "models: {m: {stages: {prod: {gates: {}}}}}", ".lockgate/policy.yaml"
    )
    assert policy is not None
    assert policy.of("m", "prod").promoters == ("a@x",)


@pytest.mark.parametrize("day", ["9999-12-31", "9999-12-31T23:59-14:00", "0001-01-01T00:00+14:00"])
def test_days_at_the_end_of_time_are_dates_or_refused(shop: Path, day: str) -> None:
    with pytest.raises(UsageError, match="is not a date"):
        run("history", "--on", day, "-C", str(shop))


def test_a_bare_repository_has_no_policy_to_write(shop: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(shop), "bare.git")
    with pytest.raises(UsageError, match="a bare repository has no work tree"):
        run("policy", "--write", "-C", str(tmp_path / "bare.git"))


def test_an_empty_setting_names_no_branch(shared: Path) -> None:
    git(shared, "config", "lockgate.main", "")
    assert "policy.yaml of the default branch of origin" in run("policy", "-C", str(shared))


def test_a_policy_file_that_is_not_valid_is_not_rewritten(shop: Path) -> None:
    path = shop / ".lockgate" / "policy.yaml"
    path.parent.mkdir()
    for text in ("stages: [prod]\n", "stages: {prod: }\n", "stages: {prod: x}\nmodels: 3\n"):
        path.write_text(text)
        with pytest.raises(UsageError, match="not a policy"):
            run("policy", "--write", "--stage", "prod", "-C", str(shop))
        assert path.read_text() == text


def test_retiring_the_incumbent_lowers_no_gate(shop: Path, tmp_path: Path) -> None:
    """Gates that compare go on comparing with what was in the stage last."""
    declare(shop, "stages: {prod: {gates: {same: {plugin: signature}}}}\n")
    ledger = Ledger(shop)
    ledger.promote("fraud", "prod", version="1.2.0")
    ledger.register(packed(tmp_path / "wider", columns=5))
    with pytest.raises(GateRefused, match="same"):
        ledger.promote("fraud", "prod", version="2.0.0")
    ledger.retire("fraud", stage="prod")
    with pytest.raises(GateRefused, match="same"):
        ledger.promote("fraud", "prod", version="2.0.0")
    assert ledger.promote("fraud", "prod", version="1.2.0").slot.version == "1.2.0"
