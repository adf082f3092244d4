"""Which gates a stage has, and what becomes of their rulings."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

import lockgate
from lockgate.models.bundle.labelled_rows import keep_labelled, read_rows
from lockgate.models.bundle.open import Bundle
from lockgate.plugins.host.catalogue import InstalledPlugin
from lockgate.plugins.host.plugin_choice import PluginChoice
from lockgate.registry.api import Ledger
from lockgate.registry.gates.judge import judge
from lockgate.registry.gates.policy import LoadedPolicy, load_policy, read_policy_file, stage_policy
from lockgate.registry.gates.require import record_verdict
from lockgate.registry.gates.verdicts import run_gates
from lockgate.registry.ledger.rules import verdict_for
from lockgate.registry.provenance.policy import StagePolicy
from lockgate.registry.provenance.verdict import GateRecord, Incumbent, Verdict
from tests.registry.conftest import QUIET, guard, new_repository

Bundles = dict[str, Bundle]
ASKED: list[str] = []


@lockgate.plugin
class Angry:
    """Fail in one of several ways."""

    how: str = lockgate.setting()

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Fail."""
        if self.how == "bug":
            return {}["rate"]
        if self.how == "error":
            raise lockgate.DataError("the rows have no column region")
        if self.how == "silent":
            raise lockgate.NotApplicable("only for regressions")
        if self.how == "wordless":
            raise lockgate.NotApplicable
        if self.how == "exit":
            raise SystemExit(3)
        if self.how == "figure":
            return lockgate.GateResult(True, "all is well", {"rate": float("nan")})
        if self.how == "numpy":
            return lockgate.GateResult(np.float64(0.2) < 0.1, "a rate of 0.2 is too much")
        if self.how == "number":
            return lockgate.GateResult(0, "a rate of 0.2 is too much")
        return "passed"


@lockgate.plugin
class Loose:
    """Give a result whose values are not plain ones."""

    passed: str = lockgate.setting(help="a Python literal")

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Set `passed` past the checks."""
        message, metrics = np.str_("as measured"), {np.str_("rate"): np.float32(0.5)}
        result = lockgate.GateResult(np.True_, message, metrics)
        object.__setattr__(result, "passed", ast.literal_eval(self.passed))
        return result


@lockgate.plugin
class Asked:
    """Pass, and remember what was asked."""

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Pass."""
        new, old = request.candidate, request.incumbent
        ASKED.append(
            f"{new.version} against {old.version if old else 'nothing'} in {request.stage}"
        )
        rows = float("nan" if request.rows is None else len(request.rows))
        return lockgate.GateResult(
            True, "it was asked", {} if request.rows is None else {"rows": rows}
        )


def gate(cls: type, instance: str, **settings: Any) -> PluginChoice:
    """A gate of this file, as if somebody's distribution provided it."""
    entry = InstalledPlugin(
        "gate", cls.__name__.lower(), f"{__name__}:{cls.__name__}", "acme", "1.2"
    )
    return PluginChoice("gate", instance, entry, settings)


def policy(folder: Path, text: str, stage: str = "prod") -> LoadedPolicy:
    """What a file with the key `gate` says."""
    folder.mkdir(exist_ok=True)
    (folder / "gates.yaml").write_text(text)
    return load_policy(read_policy_file(folder / "gates.yaml").of("tumour", stage))


def names(chosen: LoadedPolicy) -> list[str]:
    return [gate.name for gate in chosen.gates]


def verdict(
    bundles: Bundles,
    gates: LoadedPolicy | tuple[PluginChoice, ...],
    incumbent: str | None = None,
    **rest: Any,
) -> Verdict:
    """The gates' verdict on `good`, called 1.1.0, in prod, where 1.0.0 is, or nothing."""
    chosen = (
        gates
        if isinstance(gates, LoadedPolicy)
        else LoadedPolicy(StagePolicy(stage="prod", gates={}), gates, {})
    )
    old = None if incumbent is None else bundles[incumbent]
    fields: dict[str, Any] = {"stage": "prod", "origin": lockgate.BundleOrigin()} | rest
    versions = ("1.1.0", None if old is None else "1.0.0")
    in_stage = None if old is None else Incumbent("1.0.0", old.digest)
    return run_gates(bundles["good"], old, chosen, versions=versions, in_stage=in_stage, **fields)


DEFAULTS = "gate: {signature: {plugin: signature}, parity: {plugin: parity}, no-worse: {plugin: no-worse}}\n"

GATES = """
gate:
  small: {plugin: size, at_most_kb: 50}
  callers: {plugin: signature, stages: "prod, canary"}
  known: {plugin: lineage, stages: prod}
"""


def test_gates_guard_the_stages_that_they_name(tmp_path: Path) -> None:
    assert names(policy(tmp_path, GATES, "prod")) == ["small", "callers", "known"]
    assert names(policy(tmp_path, GATES, "canary")) == ["small", "callers"]
    assert names(policy(tmp_path, GATES, "staging")) == ["small"]


def test_a_file_without_gates_is_not_a_policy(tmp_path: Path) -> None:
    assert names(policy(tmp_path, "gate: {}\n")) == []
    with pytest.raises(
        lockgate.UsageError, match=r"gates\.yaml has neither stages nor the key gate"
    ):
        policy(tmp_path, "seed: 3\n")


def test_no_gates_at_all_may_be_chosen_and_pass_everything(
    tmp_path: Path, bundles: Bundles
) -> None:
    gates = policy(tmp_path, "gate: {}\n")
    assert names(gates) == []
    result = verdict(bundles, gates)
    assert (result.passed, result.judged) == (True, ())


def test_the_digest_of_a_policy_follows_names_and_settings_alone(tmp_path: Path) -> None:
    digest = policy(tmp_path, GATES).written.digest
    assert re.fullmatch("[0-9a-f]{64}", digest)
    lines = GATES.strip().splitlines()
    reordered = "\n".join([lines[0], *reversed(lines[1:])])
    assert policy(tmp_path, reordered).written.digest == digest
    assert names(policy(tmp_path, reordered)) == ["known", "callers", "small"]
    same = GATES.replace("at_most_kb: 50", 'at_most_kb: 50, provider: "lockgate@0123"')
    assert policy(tmp_path, same).written.digest == digest
    elsewhere = GATES + "  fast: {plugin: latency, stages: staging}\n"
    assert policy(tmp_path, elsewhere).written.digest == digest
    assert (
        policy(tmp_path, elsewhere, "staging").written.digest
        != policy(tmp_path, GATES, "staging").written.digest
    )
    for other in (
        GATES.replace("at_most_kb: 50", "at_most_kb: 51"),
        GATES.replace("small:", "tiny:"),
        GATES.replace("plugin: lineage", "plugin: signed"),
        GATES.replace("  known: {plugin: lineage, stages: prod}\n", ""),
        GATES + "  fast: {plugin: latency}\n",
    ):
        assert policy(tmp_path, other).written.digest != digest


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("gate: {small: {plugin: sise}}", lockgate.UnknownPlugin, "sise.*size"),
        ("gate: {small: {plugin: size, at_most_kb: -1}}", lockgate.SettingError, "at_most_kb"),
        ("gate: {small: {plugin: size, kb: 1}}", lockgate.UnknownKey, "gate.small.kb"),
        ("gate: {small: {plugin: size, stages: [prod]}}", lockgate.UsageError, "stages"),
        ("gate: {small: {at_most_kb: 1}}", lockgate.UnknownPlugin, "small"),
        ("gate: [size]", lockgate.UsageError, "gate"),
        ("gate: {}\nevaluator: {x: {plugin: none}}", lockgate.UnknownPlugin, "none"),
    ],
)
def test_a_policy_that_cannot_be_had_is_named(
    text: str, error: type[Exception], match: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=match):
        policy(tmp_path, text)


def test_a_verdict_says_what_was_judged_and_how(
    bundles: Bundles, rows: pd.DataFrame, tmp_path: Path
) -> None:
    gates = policy(
        tmp_path,
        "gate:\n  callers: {plugin: signature}\n  no-worse: {plugin: no-worse}\n"
        "  auc: {plugin: bound, metric: classification.roc_auc, at_least: 0.99}\n",
    )
    before = datetime.now(UTC).isoformat(timespec="milliseconds")
    result = verdict(bundles, gates, "near", rows=rows)
    assert (result.name, result.stage, result.bundle) == ("tumour", "prod", bundles["good"].digest)
    assert result.incumbent == Incumbent("1.0.0", bundles["near"].digest)
    assert result.policy == gates.written.digest
    assert result.passed is False
    assert [entry.gate for entry in result.judged] == ["callers", "no-worse", "auc"]
    assert [entry.plugin for entry in result.judged] == ["signature", "no-worse", "bound"]
    assert [entry.passed for entry in result.judged] == [True, True, False]
    assert all(entry.provider.startswith("lockgate@") for entry in result.judged)
    assert result.failed == [result.judged[2]]
    assert set(result.judged[1].figures) == {"difference"}
    assert result.judged[2].figures["classification.roc_auc"] == pytest.approx(0.972, abs=1e-3)
    assert result.made_with == f"lockgate {lockgate.__version__}"
    assert before <= result.at <= datetime.now(UTC).isoformat(timespec="milliseconds")


def test_a_verdict_without_incumbent_and_rows_says_so(bundles: Bundles, tmp_path: Path) -> None:
    defaults = policy(tmp_path, DEFAULTS)
    result = verdict(bundles, defaults)
    assert (result.incumbent, result.rows, result.passed) == (None, None, True)
    assert [entry.passed for entry in result.judged] == [None, True, None]
    # beside an incumbent, rows are needed
    with pytest.raises(
        lockgate.NotMeasured, match="gate no-worse: .*--data FILE; nothing was recorded"
    ):
        verdict(bundles, defaults, "near")


def test_a_verdict_names_the_rows_by_their_content(bundles: Bundles, rows: pd.DataFrame) -> None:
    same, shuffled, fewer = (
        verdict(bundles, (), rows=frame).rows
        for frame in (rows.copy(), rows.iloc[::-1].reset_index(drop=True), rows[:-1])
    )
    assert same == verdict(bundles, (), rows=rows).rows
    assert len({same, shuffled, fewer}) == 3


def test_a_verdict_is_read_as_it_was_written(bundles: Bundles, rows: pd.DataFrame) -> None:
    result = verdict(bundles, (gate(Asked, "ask"),), "near", rows=rows)
    assert Verdict.decode(result.encode()) == result
    assert re.fullmatch("[0-9a-f]{64}", result.digest)
    other = msgspec.structs.replace(result, stage="canary")
    assert other.digest != result.digest


@pytest.mark.parametrize(
    "change",
    [
        {"passed": True},
        {"judged": []},
        {"why": "because"},
        {"stage": 1},
        {"judged": [{"gate": "a"}]},
    ],
)
def test_a_verdict_that_contradicts_itself_is_refused(
    change: dict[str, Any], bundles: Bundles
) -> None:
    result = verdict(bundles, (gate(Angry, "a", how="error"),))
    raw = msgspec.json.decode(result.encode())
    assert Verdict.decode(msgspec.json.encode(raw)) == result
    with pytest.raises(lockgate.LedgerError, match="verdict"):
        Verdict.decode(msgspec.json.encode(raw | change))


@pytest.mark.parametrize(
    ("how", "passed", "sentence"),
    [
        ("bug", False, r"gate\.angry \(how='bug'\).*test_verdicts\.py:\d+: KeyError: 'rate'"),
        ("error", False, "the rows have no column region"),
        ("exit", False, "SystemExit: 3"),
        ("figure", False, "rate is nan"),
        ("text", False, r"gate\.angry returned str; judge must return lockgate\.GateResult"),
        ("silent", None, "only for regressions"),
        ("wordless", None, r"\w+"),
    ],
)
def test_a_gate_that_fails_lets_nobody_in_and_the_others_are_asked(
    how: str, passed: bool | None, sentence: str, bundles: Bundles
) -> None:
    ASKED.clear()
    gates = (gate(Asked, "before"), gate(Angry, "angry", how=how), gate(Asked, "after"))
    result = verdict(bundles, gates, "near")
    assert ASKED == ["1.1.0 against 1.0.0 in prod"] * 2
    assert [entry.passed for entry in result.judged] == [True, passed, True]
    assert re.search(sentence, result.judged[1].sentence)
    assert result.judged[1].figures == {}
    assert result.judged[1].provider == "acme==1.2"
    assert result.passed is (passed is not False)
    assert Verdict.decode(result.encode()) == result


@pytest.mark.parametrize(
    ("how", "sentence"),
    [("numpy", "a rate of 0.2 is too much"), ("number", "passed is 0, expected True, False")],
)
def test_a_refusal_of_another_type_is_a_refusal(how: str, sentence: str, bundles: Bundles) -> None:
    result = verdict(bundles, (gate(Angry, "angry", how=how),))
    assert result.passed is False
    assert result.judged[0].passed is False
    assert sentence in result.judged[0].sentence
    assert Verdict.decode(result.encode()) == result


@pytest.mark.parametrize("value", [0, 0.0, "", [], np.False_, "no", 1])
def test_only_true_and_nothing_to_say_pass(value: object) -> None:
    record = GateRecord("g", "size", "lockgate@0", value, "why")  # type: ignore[arg-type]
    assert record.refused
    assert [msgspec.structs.replace(record, passed=passed).refused for passed in (True, None)] == [
        False,
        False,
    ]
    assert msgspec.structs.replace(record, passed=False).refused


@pytest.mark.parametrize(
    ("value", "passed"), [(True, True), (None, None), (0, False), ("", False), (1, False)]
)
def test_a_verdict_keeps_plain_values(value: Any, passed: bool | None, bundles: Bundles) -> None:
    result = verdict(bundles, (gate(Loose, "loose", passed=repr(value)),))
    assert result.passed is (passed is not False)
    assert result.judged[0].passed is passed
    assert result.judged[0].figures == {"rate": 0.5}
    assert Verdict.decode(result.encode()) == result


def test_gates_say_the_same_in_any_order(
    bundles: Bundles, rows: pd.DataFrame, tmp_path: Path
) -> None:
    lines = [
        "  small: {plugin: size}",
        "  auc: {plugin: bound, metric: classification.roc_auc, at_least: 0.99}",
        "  no-worse: {plugin: no-worse}",
        "  alone: {plugin: parity, rows: 20}",
    ]
    verdicts = set()
    for order in list(permutations(lines))[::5]:
        result = verdict(bundles, policy(tmp_path, "gate:\n" + "\n".join(order)), "near", rows=rows)
        assert [f"  {gate.gate}" for gate in result.judged] == [
            line.partition(":")[0] for line in order
        ]
        entries = {repr(gate) for gate in result.judged}
        verdicts.add((result.policy, result.passed, frozenset(entries)))
    assert len(verdicts) == 1


def test_rows_that_a_model_cannot_take_are_a_reason_not_a_failure(
    bundles: Bundles, rows: pd.DataFrame, tmp_path: Path
) -> None:
    defaults = policy(tmp_path, DEFAULTS)
    result = verdict(bundles, defaults, "near", rows=rows.drop(columns="mean radius"))
    assert [entry.gate for entry in result.failed] == ["parity", "no-worse"]
    for failed in result.failed:
        assert "tumour@1.1.0" in failed.sentence
        assert "mean radius" in failed.sentence
    result = verdict(bundles, defaults, "iris", rows=rows)
    assert [entry.gate for entry in result.failed] == ["signature", "no-worse"]
    assert "tumour@1.0.0" in result.failed[1].sentence


def test_chosen_evaluators_replace_the_usual_one(
    bundles: Bundles, rows: pd.DataFrame, tmp_path: Path
) -> None:
    bound = "gate: {auc: {plugin: bound, metric: %s, at_least: 0}}\n"
    evaluators = "evaluator: {mine: {plugin: classification}}\n"
    for text, passed in (
        (bound % "classification.roc_auc", True),
        (bound % "classification.roc_auc" + evaluators, False),
        (bound % "mine.roc_auc" + evaluators, True),
        (bound % "mine.roc_auc", False),
    ):
        assert verdict(bundles, policy(tmp_path, text), rows=rows).passed is passed


def test_rows_without_a_target_do_not_count(rows: pd.DataFrame, tmp_path: Path) -> None:
    rows = rows.assign(benign=rows["benign"].where(rows.index % 2 == 0))
    rows.to_csv(tmp_path / "rows.csv", index=False)
    schema = lockgate.Schema((lockgate.Column("benign", "integer"),), target="benign")
    known = read_rows(tmp_path / "rows.csv", schema)
    assert known["mean radius"].tolist() == rows["mean radius"][::2].tolist()
    assert known.index.tolist() == list(range(142))
    with pytest.raises(lockgate.SchemaViolation, match="target column benin is missing.*benign"):
        keep_labelled(rows, ["benin"], "rows.csv")
    with pytest.raises(
        lockgate.SchemaViolation, match=r"rows\.csv: no row has a value in target column benign"
    ):
        keep_labelled(rows[1::2], ["benign"], "rows.csv")


@pytest.fixture
def ledger(bundles: Bundles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A repository with `good` as tumour@1.0.0."""
    for key, value in QUIET.items():
        monkeypatch.setenv(key, value)
    shop = Ledger(new_repository(tmp_path / "shop"))
    shop.register(bundles["good"].path)
    return shop


def covering(ledger: Ledger, version: str | None = None, *, stage: str = "prod") -> Verdict:
    """Return the verdict on which a promotion would rest."""
    record = ledger.version("tumour", version)
    policy = stage_policy(ledger.repository, record.name, stage)
    return verdict_for(ledger.state, record, stage, policy.digest)


def test_a_verdict_counts_only_for_the_gates_in_force(ledger: Ledger, tmp_path: Path) -> None:
    def write(gates: Mapping[str, str]) -> None:
        lines = "".join(f"  {key}: {{{gates[key]}}}\n" for key in gates)
        guard(ledger.repository.top, "gate:\n" + lines)

    gates = {"small": "plugin: size", "alone": "plugin: parity"}
    write(gates)
    _, result = judge(ledger, "tumour", "prod")
    assert result.passed
    record_verdict(ledger, result, "1.0.0")
    for other in (
        gates | {"small": "plugin: size, max_ratio: 2"},
        gates | {"known": "plugin: lineage"},
        {"alone": "plugin: parity"},
    ):
        write(other)
        with pytest.raises(
            lockgate.GateRefused,
            match=r"tumour@1\.0\.0.*other gates.*lockgate gate",
        ):
            covering(ledger)
    with pytest.raises(lockgate.GateRefused, match="no verdict for canary"):
        covering(ledger, stage="canary")
    assert ledger.current("tumour", "prod") is None
    # gates of other stages and another order change nothing
    write({"fast": "plugin: latency, stages: canary"} | dict(reversed(gates.items())))
    standing = ledger.promote("tumour", "prod")
    assert standing.slot.verdict == result.digest


def test_a_failed_verdict_is_replaced_by_a_later_one(ledger: Ledger, tmp_path: Path) -> None:
    bound = "{plugin: bound, metric: classification.roc_auc, at_least: 0.9}"
    guard(ledger.repository.top, f"gate: {{auc: {bound}}}\n")
    rows = pd.DataFrame({"benign": [0, 1] * 30})
    columns = ledger.version("tumour").figures
    assert columns["classification"]["roc_auc"] > 0.9
    for name, centre in (("mean radius", 14), ("mean texture", 19), ("mean smoothness", 0.1)):
        rows[name] = centre * (1 + np.where(rows["benign"] == 1, 0.5, -0.5))
    rows["mean symmetry"] = 0.18
    rows.to_csv(tmp_path / "odd.csv", index=False)
    _, worse = ledger.gate("tumour", "prod", data=tmp_path / "odd.csv")
    assert worse.passed is False
    with pytest.raises(
        lockgate.GateRefused, match=r"did not pass.*auc: classification\.roc_auc is"
    ):
        covering(ledger)
    _, better = ledger.gate("tumour", "prod")
    assert better.passed is True
    assert ledger.promote("tumour", "prod").slot.verdict == better.digest
    # whether a promotion rests on it, a verdict that did not pass is kept
    kept = ledger.state.verdicts("tumour", "1.0.0")
    assert {entry.digest for entry in kept} == {worse.digest, better.digest}


def test_a_verdict_counts_for_one_bundle_and_one_incumbent(
    ledger: Ledger, bundles: Bundles, tmp_path: Path
) -> None:
    guard(ledger.repository.top, "gate: {alone: {plugin: parity}}\n")
    assert ledger.register(bundles["near"].path).version == "1.1.0"
    for version in ("1.0.0", "1.1.0"):
        ledger.gate("tumour", "prod", version=version)
    ledger.promote("tumour", "prod", version="1.0.0")
    with pytest.raises(
        lockgate.GateRefused, match=r"against the incumbent none, which is 1\.0\.0 now"
    ):
        covering(ledger, "1.1.0")
    _, result = ledger.gate("tumour", "prod", version="1.1.0")
    assert result.incumbent == Incumbent("1.0.0", bundles["good"].digest)
    assert isinstance(result.judged[0], GateRecord)
    assert ledger.promote("tumour", "prod").slot.version == "1.1.0"
