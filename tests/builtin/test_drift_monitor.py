"""The drift monitor on columns and windows at their limits, and the counting behind it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lockgate.builtin.monitors.drift import Drift
from lockgate.contract.monitoring import (
    BinCounts,
    Finding,
    Findings,
    MonitoringWindow,
    MonitorRequest,
    ReferenceCounts,
)
from lockgate.contract.prediction import Output
from lockgate.contract.requests import numpy_backend
from lockgate.contract.tables import Column, Schema
from lockgate.errors import LockgateError
from lockgate.modeling.statistics.histograms import (
    build_reference,
    count_all_columns,
    count_into_bins,
    count_window,
    select_monitored_output,
)
from lockgate.modeling.statistics.two_sample import (
    adjust_p_values,
    chi_square,
    compare_counts,
    kolmogorov_smirnov,
)
from lockgate.testing import example_requests

BACKEND = numpy_backend()
RNG_SEED = 11


def schema_of(**kinds: Any) -> Schema:
    """A schema from kinds of columns; a tuple stands for the categories of a nominal one."""
    columns = [
        Column(name, "category", categories=kind) if isinstance(kind, tuple) else Column(name, kind)
        for name, kind in kinds.items()
    ]
    return Schema(tuple(columns))


def watch_of(
    schema: Schema, before: dict[str, Any], now: dict[str, Any], *, since: str | None = None
) -> MonitorRequest:
    scores = [
        {name: columns.pop(name) for name in [*columns] if name.startswith("(score)")}
        for columns in (before, now)
    ]
    reference = build_reference(before, schema, BACKEND, scores[0])
    counts = count_window(reference, now, BACKEND, scores[1])
    rows = len(next(iter(now.values()))) if now else 0
    return MonitorRequest(
        reference=reference, window=MonitoringWindow(counts, rows, since), schema=schema
    )


def monitored(before: Any, now: Any, kind: Any = "number", **options: Any) -> Finding:
    """The finding for a single column."""
    watch = watch_of(schema_of(x=kind), {"x": np.asarray(before)}, {"x": np.asarray(now)})
    (finding,) = Drift(**options).monitor(watch).findings
    return finding


def text(values: list[Any]) -> np.ndarray:
    return np.array(values, dtype=object)


def test_a_constant_column_that_stays_is_not_drift() -> None:
    finding = monitored(np.full(500, 7.0), np.full(300, 7.0))
    assert (finding.severity, finding.effect, finding.p) == ("ok", 0.0, 1.0)
    assert finding.message == "x shows no drift"


@pytest.mark.parametrize("value", [6.999, 7.001, np.inf, -np.inf, np.nan])
def test_a_constant_column_that_changes_is_drift(value: float) -> None:
    finding = monitored(np.full(500, 7.0), np.full(300, value))
    assert (finding.severity, finding.effect) == ("alarm", 1.0)
    assert finding.message.startswith("x has drifted: effect size 1.00; ")


def test_a_column_that_is_missing_in_both_is_not_drift() -> None:
    assert monitored(np.full(500, np.nan), np.full(300, np.nan)).severity == "ok"
    nothing = text([None] * 200)
    assert monitored(nothing, nothing, ("a", "b")).severity == "ok"


def test_a_column_that_was_missing_and_now_is_there_is_drift() -> None:
    assert monitored(np.full(500, np.nan), np.arange(300.0)).effect == 1.0
    finding = monitored(text([None] * 500), text(["a"] * 300), ("a", "b"))
    assert (finding.severity, finding.effect) == ("alarm", 1.0)


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_the_effect_of_gaps_is_their_share(share: float) -> None:
    before = np.tile(np.arange(100.0), 50)
    now = np.where(np.arange(5000) % 100 < 100 * share, np.nan, np.repeat(np.arange(100.0), 50))
    finding = monitored(before, now)
    assert finding.effect == pytest.approx(share)
    assert finding.severity == ("alarm" if share >= 0.1 else "notice")


def test_unseen_categories_share_a_bin_and_are_drift() -> None:
    before = text(["a"] * 300 + ["b"] * 300)
    finding = monitored(
        before, text(["a"] * 80 + ["b"] * 80 + ["new"] * 20 + ["newer"] * 20), ("a", "b")
    )
    assert finding.test == "chi-square"
    assert finding.effect == pytest.approx(0.2)
    assert finding.severity == "alarm"


def test_categories_that_vanish_are_drift() -> None:
    finding = monitored(text(["a", "b", "c"] * 200), text(["a", "b"] * 200), ("a", "b", "c"))
    assert finding.effect == pytest.approx(1 / 3)
    assert finding.severity == "alarm"


def test_categories_are_compared_as_texts() -> None:
    assert monitored(text([1, 2] * 300), text(["1", "2"] * 300), ("1", "2")).effect == 0
    free = monitored(text(["x", "y"] * 300), text(["z", "w"] * 300), "text")  # no categories known
    assert (free.severity, free.effect) == ("ok", 0.0)


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_few_rows_of_a_rare_category_raise_no_alarm(rows: int) -> None:
    finding = monitored(text(["a"] * 900 + ["b"] * 100), text(["b"] * rows), ("a", "b"))
    assert finding.effect == pytest.approx(0.9)
    assert finding.severity == "ok"


def test_a_single_row_raises_no_alarm_however_far_it_lies() -> None:
    finding = monitored(np.arange(1000.0), np.array([1e9]))
    assert (finding.effect, finding.severity) == (1.0, "ok")


def test_a_dozen_rows_far_away_are_enough() -> None:
    assert monitored(np.arange(1000.0), np.full(12, 1e9)).severity == "alarm"


def test_a_window_without_rows_is_as_in_training() -> None:
    schema = schema_of(x="number", c=("a", "b"))
    before = {"x": np.arange(100.0), "c": text(["a", "b"] * 50)}
    findings = Drift().monitor(watch_of(schema, before, {"x": np.array([]), "c": text([])}))
    assert [(f.severity, f.effect, f.p) for f in findings.findings] == [("ok", 0.0, 1.0)] * 2
    assert findings.messages == ("no drift in 2 columns",)


def test_a_reference_without_rows_is_compared_with_anything() -> None:
    finding = monitored(np.array([]), np.arange(50.0))
    assert (finding.severity, finding.effect, finding.p) == ("ok", 0.0, 1.0)


def test_nothing_to_look_at_gives_no_findings() -> None:
    empty = MonitorRequest(
        reference=ReferenceCounts(()), window=MonitoringWindow({}, 0), schema=Schema(())
    )
    assert Drift().monitor(empty) == Findings()
    assert build_reference({}, Schema(()), BACKEND).n == 0


def test_columns_that_the_window_lacks_are_left_out() -> None:
    schema = schema_of(x="number", y="number")
    rows = np.arange(400.0)
    watch = watch_of(schema, {"x": rows, "y": rows}, {"x": rows + 400, "y": rows + 400})
    window = replace(watch.window, counts={"y": watch.window.counts["y"]})
    findings = Drift().monitor(replace(watch, window=window))
    assert [finding.column for finding in findings.findings] == ["y"]
    assert findings.messages == ("drift detected in 1 of 1 columns: y",)


@pytest.mark.parametrize(
    ("floor", "severity"), [(0.0, "alarm"), (0.05, "alarm"), (0.06, "notice"), (1.0, "notice")]
)
def test_the_effect_floor_tells_an_alarm_from_a_notice(floor: float, severity: str) -> None:
    before, now = text(["a", "b"] * 50_000), text(["a"] * 55_000 + ["b"] * 45_000)
    finding = monitored(before, now, ("a", "b"), effect=floor)
    assert finding.effect == pytest.approx(0.05)
    assert finding.severity == severity
    if severity == "notice":
        assert finding.message.startswith("x differs slightly: effect size 0.050, below the alarm")


@pytest.mark.parametrize(("level", "severity"), [(0.001, "ok"), (0.2, "alarm")])
def test_the_level_decides_what_is_certain(level: float, severity: str) -> None:
    before, now = text(["a", "b"] * 1000), text(["a"] * 58 + ["b"] * 42)
    finding = monitored(before, now, ("a", "b"), level=level, effect=0.05)
    assert 0.001 < finding.p < 0.2
    assert finding.severity == severity


def test_among_many_columns_each_must_be_more_certain() -> None:
    rng = np.random.default_rng(RNG_SEED)
    before = {"x": text(["a", "b"] * 1000)}
    now = {"x": text(["a"] * 63 + ["b"] * 37)}
    kinds: dict[str, Any] = {"x": ("a", "b")}
    alone = Drift().monitor(watch_of(schema_of(**kinds), dict(before), dict(now))).findings[0]
    for k in range(40):
        kinds[f"c{k}"] = "number"
        before[f"c{k}"] = np.arange(2000.0)
        now[f"c{k}"] = rng.permutation(2000.0 * np.arange(100) / 100)
    watch = watch_of(schema_of(**kinds), before, now)
    for correction in ("holm", "benjamini-hochberg"):
        findings = Drift(correction=correction).monitor(watch).findings
        assert len(findings) == 41
        assert findings[0].p == alone.p  # what is shown is not corrected
        assert (alone.severity, findings[0].severity) == ("alarm", "ok")


def test_benjamini_hochberg_alarms_where_holm_does_not() -> None:
    """Many columns that all differ a little: the share of false alarms stays small."""
    kinds = {f"c{k:02d}": ("a", "b") for k in range(30)}
    before = {name: text(["a", "b"] * 1000) for name in kinds}
    now = {name: text(["a"] * 61 + ["b"] * 39) for name in kinds}
    watch = watch_of(schema_of(**kinds), before, now)
    alarms = {
        correction: sum(
            finding.severity == "alarm"
            for finding in Drift(correction=correction).monitor(watch).findings
        )
        for correction in ("holm", "benjamini-hochberg")
    }
    assert alarms == {"holm": 0, "benjamini-hochberg": 30}


def test_scores_are_a_column_of_their_own_behind_the_features() -> None:
    schema = schema_of(x="number")
    rows = np.arange(500.0)
    before, now = {"x": rows, "(score)": rows / 500}, {"x": rows, "(score)": rows / 1000}
    findings = Drift().monitor(watch_of(schema, before, now, since="2026-02-01"))
    assert [finding.column for finding in findings.findings] == ["x", "(score)"]
    assert [finding.severity for finding in findings.findings] == ["ok", "alarm"]
    assert {finding.since for finding in findings.findings} == {"2026-02-01"}
    assert findings.messages == ("drift detected in 1 of 2 columns: (score)",)


def test_the_monitor_depends_on_counts_alone() -> None:
    rng = np.random.default_rng(RNG_SEED)
    before, now = rng.normal(size=800), rng.normal(0.3, size=400)
    order = rng.permutation(400)
    assert monitored(before, now) == monitored(before[::-1], now[order])


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("level", 0.0),
        ("level", 1.0),
        ("effect", -0.1),
        ("effect", 1.1),
        ("correction", "bonferroni"),
    ],
)
def test_settings_outside_of_their_range_are_refused(option: str, value: object) -> None:
    with pytest.raises(LockgateError, match=option):
        Drift(**{option: value})


def test_dates_and_booleans_are_ordered() -> None:
    days = pd.date_range("2026-01-01", periods=300).to_numpy()
    assert monitored(days, days, "date").severity == "ok"
    later = monitored(days, days + np.timedelta64(400, "D"), "date")
    assert (later.test, later.effect, later.severity) == ("kolmogorov-smirnov", 1.0, "alarm")
    gaps = np.where(np.arange(300) % 2 == 0, days, np.datetime64("NaT"))
    assert monitored(days, gaps, "date").effect == pytest.approx(0.5)
    assert monitored([True, False] * 300, [True] * 300, "boolean").effect == pytest.approx(0.5)


@given(st.lists(st.integers(-20, 20).map(float) | st.just(float("nan")), min_size=1, max_size=80))
def test_the_reference_counts_every_row_and_its_edges_rise(values: list[float]) -> None:
    reference = build_reference({"x": np.array(values)}, schema_of(x="number"), BACKEND)
    (counts,) = reference.columns
    assert reference.n == counts.n == len(values)
    assert list(counts.edges) == sorted(set(counts.edges))
    assert len(counts.counts) == len(counts.edges) + 2
    assert counts.counts[0] == sum(np.isnan(values))
    distinct = len({value for value in values if value == value})
    assert sum(count > 0 for count in counts.counts[1:]) == distinct
    assert counts.counts[-1] == 0  # nothing of the reference lies above all of it
    assert len(counts.counts) == 2 or counts.counts[1] == 0  # or below


def test_a_column_with_many_values_has_bins_of_about_equal_size() -> None:
    values = np.random.default_rng(RNG_SEED).gamma(2, 10, 6400)
    (counts,) = build_reference({"x": values}, schema_of(x="number"), BACKEND).columns
    inner = counts.counts[2:-1]
    assert len(inner) == 64
    assert max(inner) - min(inner) <= 2
    assert count_into_bins(counts, values * 1e6, BACKEND).counts[-1] > 6000


@given(
    st.lists(st.integers(0, 200), min_size=2, max_size=8),
    st.lists(st.integers(0, 200), min_size=8, max_size=8),
)
def test_tests_are_symmetric_and_stay_in_range(before: list[int], now: list[int]) -> None:
    a, b = np.array(before, float), np.array(now[: len(before)], float)
    for test in (kolmogorov_smirnov, chi_square):
        effect, p = test(a, b)
        assert 0 <= effect <= 1
        assert 0 <= p <= 1
        assert test(b, a) == pytest.approx((effect, p), abs=1e-12)
        assert test(a, a) == (0.0, 1.0)
    # the total variation is never below the largest distance of the cumulative shares
    assert chi_square(a, b)[0] >= kolmogorov_smirnov(a, b)[0] - 1e-12


@given(st.lists(st.integers(25, 400), min_size=2, max_size=6), st.integers(0, 100))
def test_without_rare_bins_the_nominal_test_is_that_of_scipy(sizes: list[int], seed: int) -> None:
    a = np.array(sizes, float)
    b = np.random.default_rng(seed).permutation(a)
    peer = stats.chi2_contingency(np.stack([a, b]), correction=False)
    assert chi_square(a, b)[1] == pytest.approx(peer.pvalue, abs=1e-12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_corrections_are_those_of_scipy_and_of_the_definition(values: list[float]) -> None:
    p = np.array(values)
    expected = stats.false_discovery_control(p, method="bh")
    assert adjust_p_values(p, "benjamini-hochberg") == pytest.approx(expected)
    holm, k = adjust_p_values(p, "holm"), len(p)
    for level in (0.01, 0.05, 0.2):
        rejected = 0
        for rank, value in enumerate(sorted(values)):  # step down until the first that stays
            if value * (k - rank) > level:
                break
            rejected = rank + 1
        assert (holm <= level).sum() == rejected


def test_a_correction_of_no_test_and_an_unknown_correction() -> None:
    assert adjust_p_values(np.array([]), "holm").tolist() == []
    assert adjust_p_values(np.array([0.03]), "holm").tolist() == [0.03]
    with pytest.raises(ValueError, match="bonferroni.*available: holm, benjamini-hochberg"):
        adjust_p_values(np.array([0.5]), "bonferroni")


def test_the_kind_of_the_counts_chooses_the_test() -> None:
    ordered = BinCounts("x", "ordered", (1.0, 2.0), counts=(0, 50, 0, 50))
    nominal = BinCounts("x", "nominal", categories=("a", "b"), counts=(0, 50, 0, 50))
    moved = (0, 0, 50, 50)
    assert compare_counts(ordered, replace(ordered, counts=moved))[:2] == (
        "kolmogorov-smirnov",
        0.5,
    )
    test, effect, p = compare_counts(nominal, replace(nominal, counts=moved))
    assert (test, effect) == ("chi-square", 0.5)
    assert p < 1e-10


def test_answers_that_can_be_counted_are_values_or_scores_of_two_classes() -> None:
    label, score = np.array([1.0, 2.0]), np.array([0.1, 0.9])
    assert select_monitored_output(Output(label), "regression")["(score)"] is label
    assert select_monitored_output(Output(label, score), "binary")["(score)"] is score
    assert select_monitored_output(Output(label), "binary") == {}
    assert select_monitored_output(Output(label, np.eye(2)), "multiclass") == {}
    several = select_monitored_output(Output(np.eye(2)), "multioutput", ("a", "b"))
    assert {name: values.tolist() for name, values in several.items()} == {
        "(score) a": [1.0, 0.0],
        "(score) b": [0.0, 1.0],
    }
    with pytest.raises(ValueError, match="argument"):
        select_monitored_output(Output(np.eye(2)), "multioutput", ("a",))


def test_each_of_several_targets_is_watched() -> None:
    schema, rows = schema_of(x="number"), np.arange(500.0)
    before = {"x": rows, "(score) a": rows, "(score) b": rows}
    now = {"x": rows, "(score) a": rows, "(score) b": rows / 2}
    findings = Drift().monitor(watch_of(schema, before, now)).findings
    assert [f.column for f in findings if f.severity == "alarm"] == ["(score) b"]


@pytest.mark.parametrize("kind", ["same", "shifted"])
def test_the_example_watches_are_seen_for_what_they_are(kind: str) -> None:
    watch = example_requests("monitor")[kind]
    assert isinstance(watch, MonitorRequest)
    findings = Drift().monitor(watch).findings
    assert any(finding.severity == "alarm" for finding in findings) == (kind == "shifted")


@pytest.mark.parametrize(
    ("before", "now", "kind", "message"),
    [
        ([1.0, 2, 3, 4] * 50, [3.0, 4, 4, 4] * 50, "number", "median 4, 2 before"),
        ([1.0, 2, 3, 4] * 50, [1.0, np.nan, 3, 4] * 50, "number", "missing 25%, 0% before"),
        (text(["a", "b"] * 90), text(["a", "a", "a", "b"] * 50), ("a", "b"), "a 75%, 50% before"),
        (text(["a", "b"] * 90), text(["a", "c"] * 90), ("a", "b"), "other categories 50%, 0% bef"),
    ],
)
def test_a_finding_names_what_changed(before: Any, now: Any, kind: Any, message: str) -> None:
    assert message in monitored(before, now, kind).message


def test_columns_that_the_model_does_not_read_are_tested_apart_and_never_alarm() -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "read": rng.normal(size=800),
            "shop": rng.choice(["a", "b"], 800),
            "when": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 90, 800), "D"),
            "flag": rng.random(800) < 0.5,
            "phone": rng.choice(["1", "2"], 800),  # personal: not counted
            "remark": [f"text {k}" for k in range(800)],  # too many texts
            "customer": np.arange(800),
        }
    )
    rows.loc[0, "shop"] = "Jane Doe's"
    unread = count_all_columns(rows, {"read", "customer"})
    assert [bins.column for bins in unread] == ["shop", "when", "flag"]
    assert [bins.values for bins in unread] == ["number", "date", "boolean"]
    assert unread[0].categories == ("a", "b")  # not the name that a single row has
    assert unread[0].counts[-1] == 1
    schema = schema_of(read="number")
    reference = build_reference(rows[["read"]], schema, numpy_backend())
    reference = replace(reference, unread=unread)
    later = rows.assign(shop="b", when=rows["when"] + pd.Timedelta("90D"))
    for window, severities in ((rows, ["ok"] * 4), (later, ["ok", "notice", "notice", "ok"])):
        counts = count_window(reference, window[["read"]], numpy_backend(), rows=window)
        request = MonitorRequest(
            reference=reference, window=MonitoringWindow(counts, 800), schema=schema
        )
        found = Drift().monitor(request)
        assert [finding.severity for finding in found.findings] == severities
        assert [finding.read for finding in found.findings] == [True, False, False, False]
    assert "of 3 columns that the model does not read: shop, when" in found.messages[0]
    assert "not read by the model; b 100%" in found.findings[1].message
    assert "median after 2026-0" in found.findings[2].message


def test_the_median_of_dates_is_a_date() -> None:
    days = np.arange("2026-01-01", "2026-04-11", dtype="datetime64[D]").astype("datetime64[us]")
    finding = monitored(days, days + np.timedelta64(30, "D"), "date")
    assert "median 2026-03-22, 2026-02-19 before" in finding.message
    finding = monitored(days, days + np.timedelta64(60, "D"), "date")
    assert "median after 2026-04-10, 2026-02-19 before" in finding.message


@pytest.mark.parametrize(
    ("factor", "message"), [(1000, "median above 79.9"), (0.001, "median below 20")]
)
def test_a_median_beyond_the_training_rows_is_not_given_as_a_number(
    factor: float, message: str
) -> None:
    values = np.random.default_rng(0).uniform(20, 80, 2000)
    assert message in monitored(values, values * factor, "number").message


@pytest.mark.parametrize(("before", "now"), [(0.1, 0.45), (0.0, 0.3), (1.0, 0.6)])
def test_of_truth_values_the_share_is_named(before: float, now: float) -> None:
    cells = [(np.arange(200) < share * 200).astype(float) for share in (before, now)]
    message = monitored(cells[0], cells[1], "boolean").message
    assert f"true {100 * now:.3g}%, {100 * before:.3g}% before" in message
