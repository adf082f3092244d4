"""The gates `size`, `latency`, `signature`, `parity`, `lineage`, `signed` and `attested`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lockgate
from lockgate.builtin.gates.attested import Attested
from lockgate.builtin.gates.latency import Latency
from lockgate.builtin.gates.lineage import Lineage
from lockgate.builtin.gates.parity import Parity
from lockgate.builtin.gates.signature import Signature
from lockgate.builtin.gates.signed import Signed
from lockgate.builtin.gates.size import Size
from lockgate.builtin.typical_row import typical_row
from lockgate.models.bundle.open import Bundle
from lockgate.plugins.host.catalogue import Catalogue
from lockgate.plugins.host.parameters import choose
from tests.builtin.gates.cases import case

Bundles = dict[str, Bundle]
MINIMAL = {
    "bound": {"metric": "classification.roc_auc", "at_least": 0.5},
    "fairness": {"column": "clinic"},
}


class Answers:
    """A predictor that changes another one's answers."""

    def __init__(self, predictor: Any, *, single: bool = True, label: Any = None, add: float = 0):
        self.predictor, self.label, self.add = predictor, label, add
        if single:
            self.predict_one = self.changed

    def predict(self, columns: Any) -> Any:
        return self.predictor.predict(columns)

    def changed(self, row: Any) -> Any:
        answer = self.predictor.predict_one(row)
        label = answer.label if self.label is None else self.label
        return answer._replace(label=label, score=answer.score + self.add)


def with_predictor(request: lockgate.JudgeRequest, predictor: Any) -> lockgate.JudgeRequest:
    return replace(request, candidate=replace(request.candidate, predictor=predictor))


def with_size(request: lockgate.JudgeRequest, new: int, old: int) -> lockgate.JudgeRequest:
    assert request.incumbent is not None
    return replace(
        request,
        candidate=replace(request.candidate, model_bytes=new),
        incumbent=replace(request.incumbent, model_bytes=old),
    )


def test_all_built_in_gates_are_installed_and_their_settings_have_defaults() -> None:
    ours = {
        "bound",
        "no-worse",
        "size",
        "latency",
        "fairness",
        "today",
        "signature",
        "parity",
        "lineage",
        "signed",
        "attested",
    }
    catalogue = Catalogue.installed()
    entries = [entry for entry in catalogue if entry.kind == "gate"]
    assert {entry.name for entry in entries if entry.distribution == "lockgate"} == ours
    nodes = {name: {"plugin": name, **MINIMAL.get(name, {})} for name in sorted(ours)}
    for chosen in choose("gate", nodes, catalogue):
        assert hasattr(chosen.build(), "judge")


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("bound", {"at_least": "0.9"}),
        ("no-worse", {"margin": -0.01}),
        ("no-worse", {"direction": "more"}),
        ("no-worse", {"min_rows": 0}),
        ("no-worse", {"resamples": 49}),
        ("no-worse", {"resamples": 100_001}),
        ("size", {"at_most_kb": 0}),
        ("size", {"max_ratio": -1}),
        ("latency", {"repeats": 9}),
        ("latency", {"repeats": 10.5}),
        ("latency", {"at_most_us": -1}),
        ("fairness", {"at_most": 1.01}),
        ("fairness", {"at_most": float("nan")}),
        ("fairness", {"rate": "odds"}),
        ("today", {"level": 0}),
        ("today", {"level": 1}),
        ("today", {"max_drifted": -1}),
        ("today", {"effect": 1.5}),
        ("signature", {"breaking": "yes"}),
        ("parity", {"rows": 0}),
        ("lineage", {"minimum": "everything"}),
    ],
)
def test_settings_out_of_range_are_refused_by_name(name: str, settings: dict[str, Any]) -> None:
    node = {"plugin": name, **MINIMAL.get(name, {}), **settings}
    (key,) = settings
    with pytest.raises(lockgate.SettingError, match=rf"gate\.g\.{key} is .*; allowed: "):
        choose("gate", {"g": node}, Catalogue.installed())


@pytest.mark.parametrize(("name", "key"), [("bound", "metric"), ("fairness", "column")])
def test_settings_without_a_default_must_be_set(name: str, key: str) -> None:
    with pytest.raises(lockgate.SettingError, match=rf"gate\.g\.{key}"):
        choose("gate", {"g": {"plugin": name}}, Catalogue.installed())


@pytest.mark.parametrize("name", ["signed", "attested", "size"])
def test_settings_that_no_gate_has_are_refused(name: str) -> None:
    with pytest.raises(lockgate.UnknownKey, match=r"gate\.g\.strict"):
        choose("gate", {"g": {"plugin": name, "strict": True}}, Catalogue.installed())


def test_size_counts_the_files_of_the_model(bundles: Bundles) -> None:
    bundle = bundles["good"]
    size = sum((bundle.path / name).stat().st_size for name in bundle.manifest.model) / 1024
    for limit, passed in ((size, True), (size - 0.01, False), (size + 0.01, True)):
        ruling = Size(at_most_kb=limit).judge(case(bundle))
        assert (ruling.passed, ruling.metrics) == (passed, {"model_kb": size})
    assert f"{size:.1f} kB" in ruling.message
    assert "allowed: 0.5 kB" in Size(at_most_kb=0.5).judge(case(bundle)).message
    assert Size().judge(case(bundle)).passed is True


def test_size_may_be_limited_by_the_size_of_the_incumbent(bundles: Bundles) -> None:
    request = with_size(case(bundles["good"], bundles["near"]), 4096, 2048)
    for times, passed in ((0, True), (1.99, False), (2, True)):
        ruling = Size(max_ratio=times).judge(request)
        assert (ruling.passed, ruling.metrics) == (passed, {"model_kb": 4.0})
        assert ("1.0.0" in ruling.message) is bool(times)
    # both limits count
    assert Size(max_ratio=2, at_most_kb=3).judge(request).passed is False
    # without an incumbent there is nothing to multiply
    assert Size(max_ratio=1.01).judge(replace(request, incumbent=None)).passed is True


def test_latency_is_compared_with_microseconds_and_with_the_incumbent(
    bundles: Bundles, rows: pd.DataFrame
) -> None:
    request = case(bundles["good"], bundles["near"], rows)
    for settings, passed in (
        ({"at_most_us": 1e9, "max_ratio": 0}, True),
        ({"at_most_us": 1e-6, "max_ratio": 0}, False),
        ({"max_ratio": 1e6}, True),
        ({"max_ratio": 1e-6}, False),
        ({"at_most_us": 1e9, "max_ratio": 1e-6}, False),
        ({"at_most_us": 1e-6, "max_ratio": 1e6}, False),
    ):
        ruling = Latency(repeats=10, **settings).judge(request)
        assert ruling.passed is passed
        assert ruling.nondeterministic
        assert 0 < ruling.metrics["one_row_us"] < 1e9
        assert ("1.0.0" in ruling.message) is bool(settings.get("max_ratio", 2.0))


def test_latency_has_nothing_to_say_without_a_limit(bundles: Bundles, rows: pd.DataFrame) -> None:
    ruling = Latency(repeats=10).judge(case(bundles["good"], rows=rows))
    assert "no limit applies" in ruling.message
    assert (ruling.passed, ruling.nondeterministic) == (None, True)
    both = case(bundles["good"], bundles["near"], rows)
    assert Latency(repeats=10, max_ratio=0).judge(both).passed is None


def test_latency_times_models_that_answer_no_single_row(
    bundles: Bundles, rows: pd.DataFrame
) -> None:
    request = case(bundles["good"], rows=rows)
    asked = []

    class Batches(Answers):
        def predict(self, columns: Any) -> Any:
            asked.append({name: list(values) for name, values in columns.items()})
            return super().predict(columns)

    predictor = Batches(request.candidate.predictor, single=False)
    ruling = Latency(repeats=12, at_most_us=1e9).judge(with_predictor(request, predictor))
    assert ruling.passed is True
    names = [column.name for column in request.candidate.schema.features]
    assert asked == [{name: [rows[name][0]] for name in names}] * 13  # the first warms up


def test_latency_times_a_model_that_refuses_missing_values_without_rows(bundles: Bundles) -> None:
    request = case(bundles["good"])
    assert {column.missing for column in request.candidate.schema.features} == {"refuse"}
    assert Latency(repeats=10, at_most_us=1e9).judge(request).passed is True


def test_latency_without_rows_takes_frequent_values_of_training(
    bundles: Bundles, tumours: pd.DataFrame
) -> None:
    request = case(bundles["good"])
    asked: list[dict[str, Any]] = []

    class Recorder(Answers):
        def changed(self, row: Any) -> Any:
            asked.append(row)
            return super().changed(row)

    recorder = Recorder(request.candidate.predictor)
    Latency(repeats=10, at_most_us=1e9).judge(with_predictor(request, recorder))
    assert len(asked) == 12  # the first sees that the row is accepted, the second warms up
    assert all(row == asked[0] for row in asked)
    for name, value in asked[0].items():
        assert tumours[name].min() <= value <= tumours[name].max()


def test_latency_does_not_judge_a_model_that_refuses_typical_values(bundles: Bundles) -> None:
    request = case(bundles["good"], bundles["near"])
    assert request.incumbent is not None

    class Refusing(Answers):
        def changed(self, row: Any) -> Any:
            raise lockgate.DataError("mean radius is too small")

    refusing = replace(request.incumbent, predictor=Refusing(request.incumbent.predictor))
    ruling = Latency(repeats=10, at_most_us=1e-9).judge(replace(request, incumbent=refusing))
    assert (ruling.passed, ruling.metrics, ruling.nondeterministic) == (None, {}, True)
    assert "1.0.0" in ruling.message
    assert "mean radius is too small" in ruling.message
    assert "--data" in ruling.message


def test_a_typical_row_has_a_value_of_every_kind_of_column() -> None:
    kinds = {
        "amount": "number",
        "items": "integer",
        "member": "boolean",
        "day": "date",
        "country": "category",
        "note": "text",
        "empty": "number",
        "unseen": "number",
    }
    columns = [lockgate.Column(name, kind, missing="refuse") for name, kind in kinds.items()]
    counts = (
        lockgate.BinCounts("amount", "ordered", (0.5, 2.5), counts=(90, 0, 7, 2)),
        lockgate.BinCounts("items", "ordered", (1.0, 3.0), counts=(0, 1, 2, 8)),
        lockgate.BinCounts("member", "ordered", (0.0, 1.0), counts=(0, 1, 6, 0)),
        lockgate.BinCounts("day", "ordered", (19000.5,), counts=(0, 6, 0)),
        lockgate.BinCounts("country", "nominal", (), ("at", "de"), (0, 3, 4, 1)),
        lockgate.BinCounts("note", "nominal", counts=(0, 9)),
        lockgate.BinCounts("empty", "ordered", counts=(9, 0)),
    )
    reference = lockgate.ReferenceCounts(counts, n=9)
    assert typical_row(lockgate.Schema(tuple(columns)), reference) == {
        "amount": 2.5,
        "items": 3,
        "member": True,
        "day": "2022-01-08T12:00:00",
        "country": "de",
        "note": "other",
        "empty": None,
        "unseen": None,
    }


def test_signature_has_nothing_to_say_without_an_incumbent(bundles: Bundles) -> None:
    ruling = Signature().judge(case(bundles["good"], stage="canary"))
    assert ruling.passed is None
    assert "canary" in ruling.message


def test_signature_passes_what_asks_for_the_same_or_less(bundles: Bundles) -> None:
    for name in ("good", "near", "narrow"):
        ruling = Signature().judge(case(bundles[name], bundles["good"]))
        assert (ruling.passed, ruling.metrics) == (True, {})
        assert "1.0.0" in ruling.message


def test_signature_names_everything_that_breaks_requests(bundles: Bundles) -> None:
    request = case(bundles["good"], bundles["narrow"])
    ruling = Signature().judge(request)
    assert ruling.passed is False
    assert "mean smoothness" in ruling.message
    assert "mean symmetry" in ruling.message
    assert "mean radius" not in ruling.message
    allowed = Signature(breaking=True).judge(request)
    assert (allowed.passed, allowed.message) == (True, ruling.message)


def test_signature_sees_another_task_other_classes_and_narrower_columns(bundles: Bundles) -> None:
    ruling = Signature().judge(case(bundles["iris"], bundles["good"]))
    assert ruling.passed is False
    assert "multiclass instead of binary" in ruling.message
    request = case(bundles["good"], bundles["near"])
    assert request.incumbent is not None
    renamed = replace(request.incumbent, classes=("no", "yes"))
    ruling = Signature().judge(replace(request, incumbent=renamed))
    assert ruling.passed is False
    assert "['no', 'yes']" in ruling.message
    lenient = [replace(column, missing="allow") for column in request.incumbent.schema.columns]
    schema = request.incumbent.schema.with_columns(tuple(lenient))
    request = replace(request, incumbent=replace(request.incumbent, schema=schema))
    ruling = Signature().judge(request)
    assert ruling.passed is False
    assert "mean radius" in ruling.message
    assert "missing" in ruling.message


def test_parity_asks_each_row_alone(bundles: Bundles, rows: pd.DataFrame) -> None:
    request = case(bundles["good"], rows=rows)
    ruling = Parity().judge(request)
    assert ruling.passed is True
    assert "284 rows" in ruling.message
    assert "7 rows" in Parity(rows=7).judge(request).message
    for name, task in (("iris", "multiclass"), ("sugar", "regression")):
        assert bundles[name].manifest.task == task
        features = case(bundles[name]).candidate.schema.features
        frame = pd.DataFrame({column.name: np.linspace(0.1, 2, 9) for column in features})
        frame["target"] = [0, 1, 2] * 3
        assert Parity().judge(case(bundles[name], rows=frame)).passed is True


@pytest.mark.parametrize("change", [{"label": 0}, {"add": 1e-15}])
def test_parity_refuses_answers_that_differ_in_the_last_bit(
    change: dict[str, Any], bundles: Bundles, rows: pd.DataFrame
) -> None:
    request = case(bundles["good"], rows=rows)
    predictor = Answers(request.candidate.predictor, **change)
    assert request.candidate.output is not None
    first = 0 if "add" in change else int(np.argmax(request.candidate.output.label != 0))
    ruling = Parity().judge(with_predictor(request, predictor))
    assert ruling.passed is False
    assert f"row {first} " in ruling.message
    if first:  # rows before the first that differs are answered alike
        assert Parity(rows=first).judge(with_predictor(request, predictor)).passed is True


def test_parity_without_rows_relies_on_the_probes_of_the_bundle(bundles: Bundles) -> None:
    request = case(bundles["good"])
    broken = with_predictor(request, Answers(request.candidate.predictor, label=5))
    for asked in (request, broken):  # opening the bundle has compared them already
        ruling = Parity().judge(asked)
        assert ruling.passed is True
        assert "probe rows" in ruling.message


def test_parity_has_nothing_to_say_of_a_format_without_single_rows(
    bundles: Bundles, rows: pd.DataFrame
) -> None:
    request = case(bundles["good"], rows=rows)
    predictor = Answers(request.candidate.predictor, single=False)
    assert Parity().judge(with_predictor(request, predictor)).passed is None


@pytest.mark.parametrize("needed", ["unknown", "declared", "pipeline"])
@pytest.mark.parametrize("known", ["unknown", "declared", "pipeline"])
def test_lineage_compares_what_is_known_with_what_is_needed(
    known: str, needed: str, bundles: Bundles
) -> None:
    order = ["unknown", "declared", "pipeline"]
    request = case(bundles["good"], origin=lockgate.BundleOrigin(known, "c0ffee" * 7))
    ruling = Lineage(minimum=needed).judge(request)
    assert ruling.passed is (order.index(known) >= order.index(needed))
    assert known in ruling.message
    assert needed in ruling.message
    assert "c0ffeec0ffee" in ruling.message
    if needed == "pipeline":
        assert Lineage().judge(request) == ruling


def test_lineage_without_a_commit_names_none(bundles: Bundles) -> None:
    ruling = Lineage().judge(case(bundles["good"]))
    assert ruling.passed is False
    assert "commit" not in ruling.message


def test_signed_names_the_signer(bundles: Bundles) -> None:
    request = case(bundles["good"], origin=lockgate.BundleOrigin(signed_by="ada@shop.example"))
    ruling = Signed().judge(request)
    assert ruling.passed is True
    assert "ada@shop.example" in ruling.message
    ruling = Signed().judge(case(bundles["good"]))
    assert ruling.passed is False
    assert "allowed_signers" in ruling.message


def test_attested_needs_the_same_bytes(bundles: Bundles) -> None:
    rulings = {
        attested: Attested().judge(
            case(bundles["good"], origin=lockgate.BundleOrigin(attested=attested))
        )
        for attested in (True, False, None)
    }
    assert {key: ruling.passed for key, ruling in rulings.items()} == {
        True: True,
        False: False,
        None: False,
    }
    assert "lockgate attest tumour@1.1.0" in rulings[None].message
    assert rulings[True].message != rulings[False].message


def test_a_ruling_that_no_verdict_could_show_is_refused() -> None:
    for fields in (
        {"passed": True, "message": " "},
        {"passed": "yes", "message": "it is fine"},
        {"passed": 0, "message": "too slow"},
        {"passed": False, "message": "too slow", "metrics": {"us": float("inf")}},
    ):
        with pytest.raises(
            (TypeError, ValueError), match="leave out|True, False or None|gives the reason"
        ):
            lockgate.GateResult(**fields)
