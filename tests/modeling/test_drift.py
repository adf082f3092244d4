"""Counting, testing, and how often an alarm is false."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import lockgate
from lockgate.builtin.monitors.drift import Drift
from lockgate.contract.requests import numpy_backend
from lockgate.modeling.statistics.histograms import build_reference, count_into_bins, count_window
from lockgate.modeling.statistics.two_sample import (
    adjust_p_values,
    chi_square,
    compare_counts,
    kolmogorov_smirnov,
)
from tests.array_backends import other_backends


@given(
    st.lists(st.floats(allow_infinity=True, width=32), min_size=1, max_size=50),
    st.lists(st.floats(-100, 100), max_size=6, unique=True),
)
def test_every_value_is_counted_once_on_every_backend(
    values: list[float], edges: list[float]
) -> None:
    bins = lockgate.BinCounts("x", "ordered", tuple(sorted(edges)))
    found = count_into_bins(bins, np.array(values), numpy_backend())
    assert found.n == len(values)
    assert found.counts[0] == sum(np.isnan(values))
    for k, edge in enumerate(bins.edges):
        assert sum(found.counts[1 : k + 2]) == sum(v <= edge for v in values)
    for backend in other_backends():
        assert count_into_bins(bins, np.array(values), backend).counts == found.counts


def test_categories_gaps_and_strangers_have_bins_of_their_own() -> None:
    bins = lockgate.BinCounts("c", "nominal", categories=("a", "b"))
    found = count_into_bins(bins, np.array(["a", "z", None, "a"], dtype=object), numpy_backend())
    assert found.counts == (1, 2, 0, 1)


def test_counts_of_parts_add_up_to_those_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=1000)
    schema = lockgate.table(pd.DataFrame({"x": values})).schema
    reference = build_reference({"x": values}, schema, numpy_backend())
    whole = count_window(reference, {"x": values}, numpy_backend())["x"].counts
    halves = [
        count_window(reference, {"x": half}, numpy_backend())["x"].counts
        for half in (values[:300], values[300:])
    ]
    assert np.array_equal(np.sum(halves, axis=0), whole)


def test_the_ordered_test_is_smirnovs_on_distinct_values() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 8, 400), rng.integers(0, 9, 300)
    counts = [np.r_[0, np.bincount(v, minlength=9)].astype(float) for v in (a, b)]
    effect, p = kolmogorov_smirnov(*counts)
    peer = stats.ks_2samp(a, b, method="asymp")
    assert effect == pytest.approx(peer.statistic)
    assert p == pytest.approx(stats.kstwobign.sf(effect * np.sqrt(400 * 300 / 700)))


def test_the_nominal_test_is_pearsons() -> None:
    a, b = np.array([50.0, 80, 70]), np.array([60.0, 60, 90])
    effect, p = chi_square(a, b)
    peer = stats.chi2_contingency(np.stack([a, b]), correction=False)
    assert p == pytest.approx(peer.pvalue)
    assert effect == pytest.approx(np.abs(a / 200 - b / 210).sum() / 2)


def test_rare_bins_are_put_together() -> None:
    a, b = np.array([500.0, 1, 0, 2]), np.array([500.0, 0, 1, 1])
    assert chi_square(a, b)[1] == 1.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_corrections_never_lower_p_and_keep_its_order(values: list[float]) -> None:
    p = np.array(values)
    holm, bh = adjust_p_values(p, "holm"), adjust_p_values(p, "benjamini-hochberg")
    assert (holm >= p - 1e-15).all()
    assert (holm >= bh - 1e-12).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(holm[order]) >= -1e-15).all()
    assert (np.diff(bh[order]) >= -1e-15).all()


def watch_of(before: dict[str, Any], now: dict[str, Any]) -> lockgate.MonitorRequest:
    schema = lockgate.table(pd.DataFrame(before)).schema
    reference = build_reference(before, schema, numpy_backend())
    counts = count_window(reference, now, numpy_backend())
    window = lockgate.MonitoringWindow(counts, len(next(iter(now.values()))))
    return lockgate.MonitorRequest(reference=reference, window=window, schema=schema)


def test_false_alarms_stay_within_the_declared_budget() -> None:
    """Without the effect floor: 50 columns, 200 windows, at most 5 % with any alarm."""
    rng = np.random.default_rng(2)
    before = {f"c{k}": rng.normal(size=20_000) for k in range(50)}
    monitor, alarmed = Drift(effect=0.0), 0
    # the reference is counted once: that is what takes the time
    watch = watch_of(before, {name: rng.normal(size=500) for name in before})
    for _ in range(200):
        now = {name: rng.normal(size=500) for name in before}
        counts = count_window(watch.reference, now, numpy_backend())
        again = lockgate.MonitorRequest(
            reference=watch.reference,
            window=lockgate.MonitoringWindow(counts, 500),
            schema=watch.schema,
        )
        alarmed += any(one.severity == "alarm" for one in monitor.monitor(again).findings)
    # 10 are expected at most; more than 19 would happen once in three hundred tries
    assert alarmed <= 19


def test_a_shift_alarms_and_a_tiny_one_with_many_rows_is_a_notice() -> None:
    rng = np.random.default_rng(3)
    before = {"x": rng.normal(size=50_000), "y": rng.normal(size=50_000)}
    now = {"x": rng.normal(0.5, size=50_000), "y": rng.normal(0.05, size=50_000)}
    x, y = Drift().monitor(watch_of(before, now)).findings
    assert (x.severity, y.severity) == ("alarm", "notice")
    assert "x has drifted" in x.message


def test_new_categories_and_new_gaps_are_drift() -> None:
    before = {"c": np.array(["a", "b"] * 500, dtype=object), "x": np.arange(1000.0)}
    now = {
        "c": np.array(["a", "z"] * 500, dtype=object),
        "x": np.where(np.arange(1000) % 2, np.nan, np.arange(1000.0)),
    }
    assert [one.severity for one in Drift().monitor(watch_of(before, now)).findings] == [
        "alarm"
    ] * 2


def test_nothing_to_compare_is_no_alarm() -> None:
    empty = lockgate.BinCounts("x", "ordered", (1.0,), counts=(0, 0, 0))
    assert compare_counts(empty, empty) == ("kolmogorov-smirnov", 0.0, 1.0)


def test_values_outside_of_the_reference_are_seen() -> None:
    before = {"x": np.r_[np.zeros(50), np.ones(950)]}
    for strange in (1e6, -999.0):
        (found,) = Drift().monitor(watch_of(before, {"x": np.full(200, strange)})).findings
        assert found.effect >= 0.95
        assert found.severity == "alarm"
