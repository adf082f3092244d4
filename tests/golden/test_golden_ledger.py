"""A ledger and a deployment directory of every released form are read as when they were written."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lockgate.deployment.admission import read_signers, require_provenance
from lockgate.deployment.directory import Deployment
from lockgate.errors import DeploymentError, GateRefused, LedgerError
from lockgate.registry.api import Ledger
from lockgate.registry.gates.policy import read_policy_file
from lockgate.registry.provenance.provenance import Provenance
from lockgate.registry.provenance.signers import Signers
from lockgate.registry.slots import Slot
from tests.golden.make_ledger import (
    DEPLOYMENT,
    GATES,
    LEDGER,
    ROWS,
    VERSIONS,
    answers,
    opened,
    served,
)
from tests.registry.conftest import QUIET, git

pytest.importorskip("cryptography", reason="checking a signature needs the extra ledger")

RIVALS = {"1.0.0": None, "1.1.0": "1.0.0", "1.2.0": "1.1.0"}
PROOFS = sorted((DEPLOYMENT / "served" / "proofs").iterdir())


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The golden ledger in a repository of its own."""
    for key, value in QUIET.items():
        monkeypatch.setenv(key, value)
    return opened(tmp_path)


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """A copy of the golden deployment directory."""
    return Deployment(Path(shutil.copytree(DEPLOYMENT / "served", tmp_path / "served")))


def signers() -> Signers:
    return Signers.parse((DEPLOYMENT / "allowed_signers").read_text())


def slots(deployment: Deployment) -> dict[str, Slot]:
    return {slot.stage: slot for slot in deployment.pointer().slots}


def check(deployment: Deployment, slot: Slot, allowed: Signers | None, **changes: Any) -> None:
    """Hold a slot's proof against it, as a server does that demands verdicts."""
    path = deployment.path / "proofs" / f"{slot.digest}-{slot.stage}.json"
    asked = {"version": slot.version, "digest": slot.digest, "stage": slot.stage} | changes
    Provenance.decode(path.read_bytes()).check(
        name=slot.name, signers=allowed, now=time.time(), **asked
    )


def test_a_golden_ledger_answers_as_when_it_was_written(shop: Path) -> None:
    expected = json.loads((LEDGER / "answers.json").read_text())
    actual = answers(shop)
    assert actual["history"] == expected["history"]
    assert actual["current"] == expected["current"]
    assert actual["verify"] == expected["verify"]
    for version, fields in expected["trace"].items():
        assert {key: actual["trace"][version][key] for key in fields} == fields


def test_the_golden_ledger_holds_every_operation_and_nothing_wrong(shop: Path) -> None:
    ledger = Ledger(shop)
    events = list(ledger.history())
    assert {event.op for event in events} == {
        "register",
        "gate",
        "promote",
        "rollback",
        "retire",
        "attest",
    }
    assert {(event.op, event.override) for event in events} >= {
        ("promote", True),
        ("promote", False),
    }
    assert {event.stage is None for event in events if event.op == "retire"} == {True, False}
    verified = ledger.verify()
    assert (verified.events, verified.signed, verified.findings) == (len(events), len(events), [])
    assert [event.seq for event in events] == list(range(len(events), 0, -1))


def test_verdicts_of_the_golden_ledger_are_those_of_the_gates_in_force(shop: Path) -> None:
    assert (LEDGER / "gates.yaml").read_text() == GATES
    policies = {
        stage: read_policy_file(LEDGER / "gates.yaml").of("fraud", stage).digest
        for stage in ("prod", "canary")
    }
    state = Ledger(shop).state
    verdicts = [verdict for name in VERSIONS for verdict in state.verdicts("fraud", name)]
    assert len(verdicts) == 4
    assert all(verdict.policy == policies[verdict.stage] for verdict in verdicts)
    assert {verdict.stage: verdict.passed for verdict in verdicts} == {
        "prod": True,
        "canary": False,
    }
    rivals = {
        state.version("fraud", name).version: verdict.incumbent and verdict.incumbent.version
        for name in VERSIONS
        for verdict in state.verdicts("fraud", name)
        if verdict.stage == "prod"
    }
    assert rivals == RIVALS


def test_a_golden_ledger_goes_on(shop: Path) -> None:
    git(shop, "update-ref", "-d", "refs/heads/main")  # with it goes the demand for signatures
    for key, value in (("user.name", "Ben"), ("user.email", "ben@shop.example")):
        git(shop, "config", key, value)
    ledger = Ledger(shop)
    before = ledger.state.head().seq
    assert ledger.rollback("fraud", "prod", to="1.1.0", reason="back").slot.version == "1.1.0"
    ledger.retire("fraud", stage="shadow")
    with pytest.raises(LedgerError, match=r"the bundle of fraud@1\.1\.0 .* is not here"):
        ledger.gate("fraud", "canary", version="1.1.0", dry=True, policy=LEDGER / "gates.yaml")
    standing = ledger.promote("fraud", "canary", version="1.0.0", override=True, reason="again")
    assert standing.actor == "Ben <ben@shop.example>"
    verified = Ledger(shop).verify()
    assert (verified.events, verified.findings) == (before + 3, [])


def test_a_changed_golden_ledger_is_seen_to_be_changed(shop: Path, tmp_path: Path) -> None:
    text = (DEPLOYMENT / "allowed_signers").read_text()
    git(tmp_path, "clone", "-q", "-b", "main", str(shop), "work")
    folder = tmp_path / "work"
    (folder / ".lockgate" / "allowed_signers").write_text(text.rstrip() + " roles=register,gate\n")
    for key, value in (("user.name", "Eve"), ("user.email", "eve@shop.example")):
        git(folder, "config", key, value)
    git(folder, "commit", "-qam", "roles")
    git(folder, "push", "-q", "origin", "main")
    problems = [finding.subject.split()[0] for finding in Ledger(shop).verify().findings]
    assert sorted(problems) == sorted(
        ["promote"] * 5 + ["rollback"] * 2 + ["retire"] * 2 + ["attest"] * 2
    )


def test_a_golden_deployment_serves_what_it_served(deployment: Deployment) -> None:
    current = {slot.stage: (slot.name, slot.version) for slot in deployment.pointer().slots}
    assert current == {"canary": ("fraud", "1.1.0"), "prod": ("fraud", "1.0.0")}
    history = [(event.seq, event.op, event.stage) for event in deployment.history()]
    assert history == [
        (1, "deploy", "prod"),
        (2, "deploy", "canary"),
        (3, "deploy", "prod"),
        (4, "deploy", "prod"),
    ]
    assert len(json.loads((DEPLOYMENT / "answers.json").read_text())) == 2
    assert served(deployment) == json.loads((DEPLOYMENT / "answers.json").read_text())


def test_a_golden_deployment_goes_back_and_on(deployment: Deployment) -> None:
    old = slots(deployment)["prod"]
    assert [past.version for past in old.before] == ["1.1.0"]
    with pytest.raises(DeploymentError, match="no version of fraud to roll back to but those"):
        deployment.rollback("fraud", stage="prod")  # the ledger had rolled back from 1.1.0
    pointer = deployment.rollback("fraud", stage="prod", to="1.1.0", reason="night")
    slot = slots(deployment)["prod"]
    assert (pointer.seq, slot.version, slot.ledger, slot.event) == (
        5,
        "1.1.0",
        old.ledger,
        old.event,
    )
    assert slot.local
    manifest = deployment.manifest(slot.digest)
    assert manifest is not None
    assert manifest.name == "fraud"


def test_the_proof_of_a_golden_deployment_is_accepted(deployment: Deployment) -> None:
    now, served_here = time.time(), slots(deployment)
    allowed = read_signers(str(DEPLOYMENT / "allowed_signers"))
    assert read_signers("") is None
    for demanded in (None, allowed):
        require_provenance(deployment, [served_here["prod"]], demanded, now)
        with pytest.raises(GateRefused, match=r"overridden gates: naïve: a “trial”"):
            require_provenance(deployment, served_here.values(), demanded, now)
    shutil.rmtree(deployment.path / "proofs")
    with pytest.raises(GateRefused, match=r"fraud@1\.0\.0.*lockgate deploy fraud@prod"):
        require_provenance(deployment, [served_here["prod"]], None, now)


@pytest.mark.parametrize(
    "changes", [{"version": "1.1.0"}, {"stage": "canary"}, {"digest": "0" * 64}], ids=str
)
def test_the_proof_of_a_golden_deployment_is_about_one_thing(
    changes: Mapping[str, str], deployment: Deployment
) -> None:
    slot = slots(deployment)["prod"]
    with pytest.raises(
        GateRefused, match="its provenance is about another event: (register fraud|gate)"
    ):
        check(deployment, slot, None, **changes)


@pytest.mark.parametrize("path", PROOFS, ids=lambda path: path.stem[-10:])
def test_a_golden_proof_is_written_as_it_was_read(path: Path) -> None:
    assert Provenance.decode(path.read_bytes()).encode() == path.read_bytes()


def test_a_changed_golden_proof_is_refused(deployment: Deployment) -> None:
    slot = slots(deployment)["prod"]
    path = deployment.path / "proofs" / f"{slot.digest}-prod.json"
    raw = path.read_text()
    assert "refunds" not in raw
    path.write_text(raw.replace("begin", "began"))
    check(deployment, slot, None)
    with pytest.raises(GateRefused, match="signature"):
        check(deployment, slot, signers())
    path.write_text(raw.replace("allowed: 64 kB", "allowed: 65 kB"))
    with pytest.raises(GateRefused, match="is based on another verdict"):
        check(deployment, slot, None)
    path.write_text(raw)
    with pytest.raises(GateRefused, match="not among the allowed signers"):
        check(deployment, slot, Signers(()))


def test_a_server_that_demands_verdicts_serves_a_golden_deployment(deployment: Deployment) -> None:
    pytest.importorskip("uvloop", reason="serving needs the extra serve")
    from tests.serving.running import serving

    # what came against the gates is taken out first, or the server would refuse it all
    deployment.remove("fraud", "canary", reason="no verdict")
    digest = slots(deployment)["prod"].digest
    expected = json.loads((DEPLOYMENT / "answers.json").read_text())[digest]
    options = ("--require-verdict", "--signers", str(DEPLOYMENT / "allowed_signers"))
    with serving(deployment.path, *options) as server:
        for row, (label, score) in zip(ROWS[:3], expected[:3], strict=True):
            answer = server.predict(row)
            assert (answer["version"], answer["label"]) == ("1.0.0", label)
            assert answer["score"] == score
