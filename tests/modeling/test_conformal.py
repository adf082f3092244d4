"""Prediction regions hold the truth as often as they say."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lockgate
from lockgate.contract.prediction import Output
from lockgate.contract.regions import IntervalRegion, PredictionRegion, SetRegion, list_regions
from lockgate.modeling.metrics.conformal import measure_region, measure_table_region
from lockgate.testing.examples import example_table

rng = np.random.default_rng(0)


def covered(region: PredictionRegion, truth: np.ndarray, output: Output) -> float:
    around = region.attach(output)
    if around.sets is not None:
        return float(around.sets[np.arange(len(truth)), truth].mean())
    return float(((truth >= around.low) & (truth <= around.high)).mean())


@pytest.mark.parametrize("coverage", [0.8, 0.95])
@pytest.mark.parametrize("rows", [50, 400])
def test_intervals_of_skewed_errors_hold_the_truth(coverage: float, rows: int) -> None:
    shares = []
    for _ in range(300):
        value = rng.normal(size=rows + 2000)
        truth = value + rng.gamma(1.0, 2.0, len(value))
        tune, test = slice(0, rows), slice(rows, None)
        region = measure_region(truth[tune], Output(value[tune]), coverage)
        shares.append(covered(region, truth[test], Output(value[test])))
    assert np.mean(shares) == pytest.approx(coverage, abs=0.01)


@pytest.mark.parametrize("classes", [2, 4])
def test_sets_of_classes_hold_the_truth(classes: int) -> None:
    shares, sizes = [], []
    for _ in range(200):
        raised = np.exp(rng.normal(size=(2200, classes)))
        score = raised / raised.sum(axis=1, keepdims=True)
        truth = (score.cumsum(axis=1) < rng.random((len(score), 1))).sum(axis=1)
        given_score = score[:, 1] if classes == 2 else score
        tune, test = slice(0, 200), slice(200, None)
        outputs = [Output(truth[part], given_score[part]) for part in (tune, test)]
        region = measure_region(truth[tune], outputs[0], 0.9)
        shares.append(covered(region, truth[test], outputs[1]))
        sizes.append(region.attach(outputs[1]).sets.sum(axis=1).mean())
    assert np.mean(shares) == pytest.approx(0.9, abs=0.01)
    assert 1 < np.mean(sizes) < classes


@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
@settings(max_examples=30, deadline=None)
def test_a_weight_counts_as_copies_of_a_row(seed: int, copies: int) -> None:
    draw = np.random.default_rng(seed)
    truth = draw.normal(size=200)
    plain = measure_region(truth, Output(np.zeros(200)), 0.8)
    heavier = measure_region(truth, Output(np.zeros(200)), 0.8, np.full(200, float(copies)))
    assert isinstance(plain, IntervalRegion)
    assert isinstance(heavier, IntervalRegion)
    assert plain.below == pytest.approx(heavier.below)
    assert plain.above == pytest.approx(heavier.above)
    tail = np.where(truth > np.quantile(truth, 0.8), float(copies), 1.0)
    skewed = measure_region(truth, Output(np.zeros(200)), 0.8, tail)
    assert isinstance(skewed, IntervalRegion)
    assert skewed.above >= plain.above


@given(
    st.sampled_from([(), ("no", "yes"), ("a", "b", "c")]),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=30, deadline=None)
def test_a_row_has_the_region_that_it_has_among_others(classes: Any, seed: int) -> None:
    draw = np.random.default_rng(seed)
    value = draw.normal(size=9)
    if not classes:
        region: PredictionRegion = IntervalRegion(
            0.9, (-0.5, 0.5), (1.0, 2.0, 3.0), (2.0, 1.0, 0.5)
        )
        output = Output(value)
    else:
        score = draw.random(9) if len(classes) == 2 else draw.dirichlet([1, 1, 1], 9)
        region = SetRegion(0.9, float(draw.random()))
        output = Output(np.array(classes)[np.zeros(9, int)], score)
    columns = region.attach(output).columns(classes)
    scores: Any = [None] * 9 if output.score is None else output.score.tolist()
    for row in range(9):
        score = None if scores[row] is None else [scores[row]]
        intervals, sets = list_regions(region, [output.label[row]], score, classes)
        if classes:
            assert sets == [json.loads(columns["set"][row])]
        else:
            assert intervals == [[columns["low"][row], columns["high"][row]]]


def test_rows_that_tie_on_a_bound_are_held() -> None:
    for seed in range(60):
        draw = np.random.default_rng(seed)
        share = round(float(draw.random()), 3)
        score = np.where(draw.random(500) < 0.5, share, 1 - share)
        truth = (draw.random(500) < score).astype(int)
        output = Output(truth, score)
        region = measure_region(truth, output, 0.9)
        assert covered(region, truth, output) >= 0.9 - 1 / 500, seed
        value = np.full(2000, 0.05)
        actual = draw.choice([2 * 0.05 - 0.21, 0.05, 0.21], 2000, p=[0.2, 0.6, 0.2])
        region = measure_region(actual, Output(value), 0.9)
        assert covered(region, actual, Output(value)) >= 0.9


def test_too_few_rows_and_models_without_scores_are_refused() -> None:
    with pytest.raises(lockgate.UsageError, match="30 tune rows are too few.*needs 39"):
        measure_region(np.arange(30.0), Output(np.zeros(30)), 0.95)
    region = measure_region(np.arange(39.0), Output(np.zeros(39)), 0.95)
    assert isinstance(region, IntervalRegion)
    assert region.above == pytest.approx((38.0,), rel=1e-9)
    table = example_table("binary")
    labels = Output(table.target)
    with pytest.raises(lockgate.UsageError, match="sets need scores, and the model has none"):
        measure_table_region(table, labels, "binary", ("no", "yes"), 0.9)
    with pytest.raises(lockgate.UsageError, match="clustering has no true value"):
        measure_table_region(table, labels, "clustering", (0, 1), 0.9)


def test_widths_follow_the_value_and_the_share_holds_in_each_group() -> None:
    shares, widths = [], []
    for seed in range(40):
        draw = np.random.default_rng(seed)
        value = draw.uniform(1, 100, 4000)
        truth = value * (1 + 0.2 * draw.normal(size=4000))
        tune, later = slice(0, 2000), slice(2000, 4000)
        region = measure_region(truth[tune], Output(value[tune]), 0.9)
        assert isinstance(region, IntervalRegion)
        assert len(region.edges) == 9
        output = region.attach(Output(value[later]))
        assert output.low is not None
        assert output.high is not None
        held = (truth[later] >= output.low) & (truth[later] <= output.high)
        tenth = np.digitize(value[later], np.linspace(1, 100, 11)[1:-1])
        shares.append([held[tenth == k].mean() for k in range(10)])
        widths.append([(output.high - output.low)[tenth == k].mean() for k in (0, 9)])
    assert np.mean(shares, axis=0) == pytest.approx(0.9, abs=0.06)
    low, high = np.mean(widths, axis=0)
    assert high > 8 * low


@given(
    st.lists(st.sampled_from([*range(8), 0.1, 1e300, -1e300]), min_size=200, max_size=900),
    st.sampled_from([0.5, 0.8, 0.9]),
)
@settings(max_examples=40, deadline=None)
def test_groups_have_enough_rows_and_equal_values_stay_together(
    values: list[float], coverage: float
) -> None:
    value = np.array(values, float)
    region = measure_region(value, Output(value), coverage)
    assert isinstance(region, IntervalRegion)
    assert region.is_valid("regression")
    sizes = np.bincount(np.searchsorted(region.edges, value), minlength=len(region.edges) + 1)
    assert sizes.min() >= 100
    assert not set(region.edges) & set(values)


def test_rows_without_weight_count_for_nothing() -> None:
    draw = np.random.default_rng(0)
    value = draw.uniform(0, 100, 1000)
    truth = value + draw.normal(size=1000)
    weight = np.where(value < 40, 0.0, 1.0)
    region = measure_region(truth, Output(value), 0.9, weight)
    kept = weight > 0
    assert region == measure_region(truth[kept], Output(value[kept]), 0.9)
    assert region.is_valid("regression")
    with pytest.raises(lockgate.UsageError, match="0 tune rows"):
        measure_region(truth, Output(value), 0.9, np.zeros(1000))
    few = np.where(np.arange(1000) < 3, 1e6, 1e-6)
    with pytest.raises(lockgate.UsageError, match=r"as good as 3 of equal weight\) are too few"):
        measure_region(truth, Output(value), 0.9, few)


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_uneven_weights_hold_the_share(spread: float) -> None:
    shares = []
    for seed in range(60):
        draw = np.random.default_rng(seed)
        value, noise = draw.uniform(0, 10, 3000), draw.normal(size=3000)
        truth, weight = value + noise * (1 + value), np.exp(spread * draw.normal(size=3000))
        tune, later = slice(0, 1000), slice(1000, 3000)
        region = measure_region(truth[tune], Output(value[tune]), 0.9, weight[tune])
        output = region.attach(Output(value[later]))
        assert output.low is not None
        assert output.high is not None
        held = (truth[later] >= output.low) & (truth[later] <= output.high)
        shares.append(np.average(held, weights=weight[later]))
    assert np.mean(shares) == pytest.approx(0.9, abs=0.01)


def test_a_far_value_widens_its_own_group_alone() -> None:
    draw = np.random.default_rng(0)
    value = draw.uniform(0, 100, 1000)
    truth = value + draw.normal(size=1000)
    region = measure_region(truth, Output(value), 0.9)
    truth[value.argmax()] = 1e15
    far = measure_region(truth, Output(value), 0.9)
    assert isinstance(region, IntervalRegion)
    assert isinstance(far, IntervalRegion)
    assert len(far.edges) == 9
    assert (far.below[:-1], far.above[:-1]) == (region.below[:-1], region.above[:-1])


@pytest.mark.parametrize(
    "region",
    [
        IntervalRegion(0.9, (), (1e308,), (1e308,)),
        IntervalRegion(0.9, (), (), ()),
        IntervalRegion(0.9, (1.0,), (1.0,), (1.0,)),
        IntervalRegion(0.9, (1.0, 1.0), (1.0,) * 3, (1.0,) * 3),
        IntervalRegion(0.9, (), (1.0,), (-2.0,)),
        IntervalRegion(0.9, (), (float("inf"),), (1.0,)),
        IntervalRegion(1.0, (), (1.0,), (1.0,)),
        SetRegion(0.9, 0.5),
    ],
)
def test_a_damaged_region_is_no_region_of_a_regression(region: PredictionRegion) -> None:
    assert not region.is_valid("regression")
