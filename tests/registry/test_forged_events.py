"""Events that colleagues write by hand, to get an unfit version served or to hide what they did."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from lockgate.deployment.directory import Deployment
from lockgate.deployment.follow import deploy_stage
from lockgate.errors import LedgerError, LedgerTampered, NotMeasured
from lockgate.registry.api import Ledger
from lockgate.registry.gates.require import verdict_draft
from lockgate.registry.ledger.drafts import Draft
from lockgate.registry.ledger.event_log import EventLog
from lockgate.registry.ledger.fetch_times import FetchTimes
from lockgate.registry.ledger.policy_file import parse_policy
from lockgate.registry.ledger.state import State, VersionRecord
from lockgate.registry.ledger.trust import anchored_after
from lockgate.registry.ledger.verify import Verification
from lockgate.registry.provenance.verdict import GateRecord, Verdict
from tests.registry.conftest import git, guard, key, new_repository, packed, sign_with
from tests.registry.test_ledger import put, run
from tests.registry.test_policy import LAX, STRICT, declare, problems, share
from tests.registry.test_tampering import forge, promotion, retirement

NO_WORSE = "stages: {prod: {gates: {no-worse: {plugin: no-worse}}}}\n"


def changed(draft: Callable[[State], Draft], **fields: object) -> Callable[[State], Draft]:
    """The draft of an event with other fields."""

    def make(state: State) -> Draft:
        honest = draft(state)
        return Draft({**honest.fields, **fields}, honest.attached)

    return make


@pytest.fixture
def flipped(shop: Path, tmp_path: Path) -> tuple[Ledger, Path]:
    """A ledger with 1.0.0 in prod by a verdict, 2.0.0 that learned flipped labels, and rows."""
    from sklearn.linear_model import LogisticRegression

    import lockgate

    rng = np.random.default_rng(5)
    frame = pd.DataFrame(rng.normal(size=(300, 4)), columns=[f"x{k}" for k in range(4)])
    target = pd.Series(frame.sum(axis=1) > 0, name="bad")
    worse = (~target ^ (frame["x0"] > 1)).rename("bad")
    for name, labels in (("bad", ~target), ("worse", worse)):
        model = LogisticRegression().fit(frame, labels)
        lockgate.pack(model, frame, labels, name="fraud", path=tmp_path / name)
    frame.assign(bad=target).to_csv(tmp_path / "rows.csv", index=False)
    declare(shop, NO_WORSE)
    ledger = Ledger(shop)
    ledger.promote("fraud", "prod", version="1.0.0", data=tmp_path / "rows.csv")
    ledger.register(tmp_path / "bad", version="2.0.0")
    ledger.register(tmp_path / "worse", version="3.0.0")
    return ledger, tmp_path / "rows.csv"


@pytest.mark.parametrize("emptied", [True, False])
def test_an_override_lowers_no_gate(flipped: tuple[Ledger, Path], emptied: bool) -> None:
    """What was put into the stage in spite of its gates is not what others are compared with."""
    ledger, rows = flipped
    put(ledger, "2.0.0")
    if emptied:
        ledger.retire("fraud", stage="prod")
    candidate = "2.0.0" if emptied else "3.0.0"
    _, verdict = ledger.gate("fraud", "prod", version=candidate, data=rows)
    assert not verdict.passed
    assert f"from 1.0.0 to {candidate}" in verdict.judged[0].sentence
    assert (verdict.incumbent is None) == emptied


def test_a_rollback_to_what_passed_is_compared_with(flipped: tuple[Ledger, Path]) -> None:
    ledger, rows = flipped
    ledger.promote("fraud", "prod", version="1.1.0", data=rows)
    ledger.rollback("fraud", "prod")
    _, verdict = ledger.gate("fraud", "prod", version="1.2.0", data=rows)
    assert "from 1.0.0 to 1.2.0" in verdict.judged[0].sentence


def test_a_rollback_to_what_passed_other_gates_lowers_none(
    flipped: tuple[Ledger, Path],
) -> None:
    ledger, rows = flipped
    shop = ledger.repository.top
    declare(shop, "stages: {prod: {gates: {}}}\n")
    ledger.promote("fraud", "prod", version="2.0.0")
    declare(shop, NO_WORSE)
    put(ledger, "1.1.0")  # in spite of the gates
    ledger.retire("fraud", stage="prod")
    ledger.promote("fraud", "prod", version="2.0.0", data=rows)  # compared with itself
    ledger.promote("fraud", "prod", version="1.0.0", data=rows)
    ledger.rollback("fraud", "prod", to="2.0.0")
    _, verdict = ledger.gate("fraud", "prod", version="3.0.0", data=rows, dry=True)
    assert "from 2.0.0 to 3.0.0" in verdict.judged[0].sentence
    declare(shop, NO_WORSE.replace("{plugin: no-worse}", "{plugin: no-worse, margin: 0.02}"))
    _, verdict = ledger.gate("fraud", "prod", version="3.0.0", data=rows, dry=True)
    assert "from 1.0.0 to 3.0.0" in verdict.judged[0].sentence


def test_a_verdict_of_before_does_not_count(flipped: tuple[Ledger, Path], tmp_path: Path) -> None:
    """It was reached while the stage was empty, or had a version that no gate had passed."""
    ledger, rows = flipped
    shop = ledger.repository.top
    ledger.retire("fraud", stage="prod")
    _, passed = ledger.gate("fraud", "prod", version="1.1.0", data=rows)
    assert passed.passed
    ledger.promote("fraud", "prod", version="1.0.0", data=rows)
    ledger.retire("fraud", stage="prod")
    with pytest.raises(NotMeasured):  # its gates are run again
        ledger.promote("fraud", "prod", version="1.1.0")
    fields = {"override": False, "gate": passed.digest, "reason": ""}
    forge(shop, changed(promotion("1.1.0", "prod"), **fields))
    assert "its verdict is older than the version that was put into the stage" in problems(ledger)
    with pytest.raises(LedgerTampered, match="its verdict is older"):
        deploy_stage(ledger, Deployment(tmp_path / "live"), "fraud", "prod")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: changed(promotion("1.0.0", "prod"), after=None), "does not name its version"),
        (lambda: changed(retirement("1.0.0", "prod"), before=None), "does not name its version"),
        (lambda: changed(promotion("1.0.0", "prod"), gate="a" * 64), "rests on no verdict"),
        (
            lambda: changed(promotion("1.0.0", "prod"), at="2026-19-39T00:00:00+00:00"),
            "is not a time like",
        ),
    ],
)
def test_events_say_what_they_are_about(
    shop: Path, make: Callable[[], Callable[[State], Draft]], message: str
) -> None:
    with pytest.raises(LedgerError, match=message):
        forge(shop, make())


def test_a_time_after_the_date_is_reported(shop: Path) -> None:
    """It would hide an override from what was in the stage on a day."""
    forge(shop, changed(promotion("1.0.0", "prod"), at="2999-01-01T00:00:00.000+00:00"))
    assert "its time 2999-01-01T00:00:00.000+00:00 is after its date" in problems(Ledger(shop))


def backdated(shop: Path, patch: pytest.MonkeyPatch, *, days_ago: float) -> None:
    """Write a passing verdict by a weaker policy, and a promotion on it, with a date of long ago."""
    now = time.time()
    file = parse_policy(LAX, "p")
    assert file is not None
    policy = file.of("fraud", "prod")
    ledger = Ledger(shop)
    record = ledger.version("fraud", "1.2.0")
    verdict = Verdict(
        name="fraud",
        stage="prod",
        bundle=record.digest,
        incumbent=None,
        policy=policy.digest,
        passed=True,
        judged=(GateRecord("alone", "parity", "lockgate@0.1.0", True, "equal"),),
        made_with="lockgate 0.1.0",
        at="2026-01-01T00:00:00.000+00:00",
    )
    with patch.context() as context:
        context.setattr(time, "time", lambda: now - days_ago * 86400)
        forge(shop, lambda _: verdict_draft(verdict, policy, "1.2.0"))
        fields = {"override": False, "gate": verdict.digest, "reason": ""}
        forge(shop, changed(promotion("1.2.0", "prod"), **fields))


@pytest.fixture
def quiet(shop: Path, bundles: list[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger without events for 40 days, and a policy that became strict 20 days ago."""
    now = time.time()
    share(shop, LAX, days_ago=60)
    git(shop, "update-ref", "-d", "refs/lockgate/ledger")
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now - 40 * 86400)
        for bundle in bundles:
            Ledger(shop).register(bundle)
    declare(shop, STRICT, days_ago=20)
    git(shop, "push", "-q", "origin", "main")
    return shop


def test_a_clone_that_fetched_before_knows_how_old_an_event_is(
    quiet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "clone", "-q", str(tmp_path / "hub.git"), "server")
    server = Ledger(tmp_path / "server")
    server.fetch()
    backdated(quiet, monkeypatch, days_ago=30)
    server.fetch()
    fresh = tmp_path / "fresh"
    git(tmp_path, "clone", "-q", str(tmp_path / "hub.git"), "fresh")
    Ledger(fresh).fetch()
    assert problems(Ledger(fresh)) == ""  # it sees dates only
    assert "its verdict was made by other gates" in problems(Ledger(tmp_path / "server"))
    with pytest.raises(LedgerTampered, match="its verdict was made by other gates"):
        deploy_stage(Ledger(server.repository.top), Deployment(tmp_path / "live"), "fraud", "prod")


def test_an_anchor_after_the_policy_tells_fresh_clones(
    quiet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("verify", "--anchor", "-C", str(quiet))
    git(quiet, "add", "-A")
    git(quiet, "commit", "-qm", "anchor")
    first = anchored_after(Ledger(quiet).repository)
    anchor = quiet / ".lockgate" / "anchor.json"
    anchor.write_text(anchor.read_text().replace("\n", " "))
    with monkeypatch.context() as patch:
        patch.setenv("GIT_COMMITTER_DATE", "2035-01-01T00:00:00Z")
        git(quiet, "commit", "-qam", "reformatted")
    assert anchored_after(Ledger(quiet).repository) == first
    git(quiet, "push", "-q", "origin", "main")
    backdated(quiet, monkeypatch, days_ago=30)
    git(tmp_path, "clone", "-q", str(tmp_path / "hub.git"), "fresh")
    Ledger(tmp_path / "fresh").fetch()
    assert "its verdict was made by other gates" in problems(Ledger(tmp_path / "fresh"))


def test_times_of_fetches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for moment, seq in ((1000, 3), (1010, 3), (2000, 3), (9000, 7), (3000, 7), (4000, 5)):
        monkeypatch.setattr(time, "time", lambda moment=moment: float(moment))
        FetchTimes(tmp_path).record(seq)
    monkeypatch.setattr(time, "time", lambda: 5000.0)
    times = FetchTimes(tmp_path)
    known = [times.written_after(seq) for seq in (1, 3, 4, 5, 6, 9)]
    assert known == [0, 0, 2000, 2000, 4000, 4000]
    (tmp_path / "lockgate" / "fetched.json").write_bytes(b"[[1")
    assert FetchTimes(tmp_path).written_after(9) == 0


def test_a_key_that_ended_signs_nothing_new_by_an_old_date(
    tmp_path: Path, bundles: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`verify`, `history`, `trace` and the gate `signed` agree."""
    shop, now = new_repository(tmp_path / "shop"), time.time()
    ended = datetime.datetime.fromtimestamp(now - 5 * 86400, datetime.UTC)
    line = f'ada@shop.example valid-before="{ended:%Y%m%d}" {key(tmp_path, "ada")}'
    (shop / ".lockgate").mkdir()
    (shop / ".lockgate" / "allowed_signers").write_text(line + "\n")
    guard(shop, "gate: {signed: {plugin: signed}}\n")
    sign_with(shop, tmp_path / "ada")
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now - 10 * 86400)
        Ledger(shop).register(bundles[0])
    FetchTimes(shop / ".git").record(1)
    assert problems(Ledger(shop)) == ""
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now - 8 * 86400)
        Ledger(shop).register(bundles[1])
    ledger = Ledger(shop)
    assert problems(ledger) == "the key of ada@shop.example was not valid at its date"
    newest, older = run("history", "-C", str(shop)).splitlines()
    assert "NOT TRUSTED (the key of ada@shop.example was not valid at its date" in newest
    assert "NOT TRUSTED" not in older
    assert "not valid: the key of ada" in run("trace", "fraud@1.1.0", "-C", str(shop))
    for version, passed in (("1.0.0", True), ("1.1.0", False)):
        _, verdict = ledger.gate("fraud", "prod", version=version, dry=True)
        assert verdict.passed is passed


def test_what_is_verified_is_what_is_deployed(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that comes while the ledger is verified waits for the next time."""
    declare(shop, LAX)
    ledger = Ledger(shop)
    ledger.promote("fraud", "prod", version="1.0.0")
    verify = EventLog.verify

    def busy(self: EventLog) -> Verification:
        result = verify(self)
        forge(shop, promotion("1.1.0", "prod"))
        return result

    with monkeypatch.context() as patch:
        patch.setattr(EventLog, "verify", busy)
        deploy_stage(ledger, Deployment(tmp_path / "live"), "fraud", "prod")
    assert Deployment(tmp_path / "live").pointer().slots[0].version == "1.0.0"
    assert ledger.state.head().seq == 6


def test_an_anchor_of_another_ledger_covers_nothing(signed: Path) -> None:
    run("verify", "--anchor", "-C", str(signed))
    git(signed, "add", "-A")
    git(signed, "commit", "-qm", "anchor")
    git(signed, "update-ref", "refs/lockgate/ledger", "refs/lockgate/ledger~1")
    git(signed, "config", "--unset", "user.signingkey")
    forge(signed, promotion("1.0.0", "prod"))
    shown = run("history", "-C", str(signed))
    assert "NOT TRUSTED (it is not signed" in shown.splitlines()[0]


def test_the_gates_of_several_projects_are_no_choice(shop: Path) -> None:
    """Whoever registers a version would choose them by the path of its bundle."""
    (shop / "tests" / "data").mkdir(parents=True)
    (shop / "tests" / "data" / "params.yaml").write_text("gate: {small: {plugin: size}}\n")
    guard(shop, "model: {}\n")
    assert "tests/data/params.yaml of main of this clone" in run("policy", "-C", str(shop))
    (shop / "models").mkdir()
    (shop / "models" / "params.yaml").write_text("gate: {parity: {plugin: parity}}\n")
    guard(shop, "model: {}\n")
    with pytest.raises(LedgerError, match="several params.yaml .* models/params.yaml, tests/data"):
        Ledger(shop).promote("fraud", "prod")
    guard(shop, "gate: {same: {plugin: signature}}\n")
    assert run("policy", "-C", str(shop)).startswith("params.yaml of main of this clone")
    declare(shop, LAX)
    assert Ledger(shop).promote("fraud", "prod", version="1.0.0").slot.version == "1.0.0"


@pytest.mark.parametrize("claim", ["no file of DVC", "another digest"])
def test_lineage_is_what_the_commit_says(shop: Path, tmp_path: Path, claim: str) -> None:
    bundle = packed(tmp_path / "extra", columns=6)
    head = git(shop, "rev-parse", "HEAD")
    Ledger(shop).register(bundle, version="9.0.0")  # copies the bundle here
    state = Ledger(shop).state
    honest = state.version("fraud", "9.0.0")
    manifest = state.manifest("fraud", "9.0.0")
    assert honest is not None
    assert manifest is not None
    git(shop, "update-ref", "refs/lockgate/ledger", "refs/lockgate/ledger~1")
    from lockgate.registry.bundle_source import directory_md5

    tracked = directory_md5(bundle) if claim == "no file of DVC" else "0" * 32 + ".dir"
    record = msgspec.structs.replace(
        honest, lineage="pipeline", commit=head, path="bundle", tracked=tracked
    )
    raw = msgspec.json.encode(record)
    forge(shop, lambda _: registration(record, raw, manifest))
    declare(shop, "stages: {prod: {gates: {lineage: {plugin: lineage}}}}\n")
    _, verdict = Ledger(shop).gate("fraud", "prod", version="9.0.0", dry=True)
    assert not verdict.passed
    expected = {
        "no file of DVC": "the files of DVC in commit",
        "another digest": "its bundle has another digest",
    }[claim]
    assert f"lineage is unknown ({expected}" in verdict.judged[0].sentence


def registration(record: VersionRecord, raw: bytes, manifest: bytes) -> Draft:
    from lockgate.data.io.digests import sha256_bytes

    fields = {"op": "register", "name": record.name, "after": record.version}
    return Draft(
        {**fields, "digest": record.digest, "attached": sha256_bytes(raw)}, (raw, manifest)
    )
