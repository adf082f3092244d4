"""Intervals, and thresholds that bring the most money or the best F1."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from lockgate import ValueMatrix
from lockgate.modeling.metrics.binary import BinaryMetrics, calibration_curve, roc_curve
from lockgate.modeling.metrics.decisions import (
    DecisionValue,
    best_f1_threshold,
    best_threshold,
    value_curve,
)
from lockgate.modeling.metrics.intervals import bootstrap_intervals

Sample = tuple[np.ndarray, np.ndarray, np.ndarray]
MONEY = st.floats(-100, 100).map(lambda value: round(value, 3))
FEWER = settings(max_examples=settings.default.max_examples // 3)
"""Each example asks scikit-learn, or writes files; `LOCKGATE_PROOF` still multiplies them."""


@st.composite
def scored(draw: st.DrawFn) -> Sample:
    rows = draw(st.integers(2, 40))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    truth = rng.random(rows) < 0.4
    truth[:2] = [True, False]
    score = rng.integers(0, draw(st.integers(1, 20)) + 1, rows) / 20  # ties are the rule
    return truth, score, rng.integers(1, 5, rows).astype(float)


@st.composite
def worths(draw: st.DrawFn) -> ValueMatrix:
    return ValueMatrix(draw(MONEY), draw(MONEY), draw(MONEY), draw(MONEY))


def money_at(threshold: float, sample: Sample, worth: ValueMatrix) -> float:
    """Money per 1,000 rows from scikit-learn's confusion matrix."""
    truth, score, weight = sample
    matrix = peer.confusion_matrix(
        truth, score >= threshold, labels=[False, True], sample_weight=weight
    )
    values = [
        [worth.true_negative, worth.false_positive],
        [worth.false_negative, worth.true_positive],
    ]
    return float(1000 * (matrix * np.array(values)).sum() / weight.sum())


@given(scored(), worths(), st.floats(0, 1))
def test_money_is_that_of_the_confusion_matrix(
    sample: Sample, worth: ValueMatrix, threshold: float
) -> None:
    truth, score, weight = sample
    figures = DecisionValue(truth, score >= threshold, worth)(weight)
    assert figures == pytest.approx(
        {
            "per_1000": money_at(threshold, sample, worth),
            "per_1000_all": money_at(-1, sample, worth),
            "per_1000_none": money_at(2, sample, worth),
            "acts_on": weight[score >= threshold].sum() / weight.sum(),
        },
        abs=1e-6,
    )


@FEWER
@given(scored(), worths())
def test_no_threshold_brings_more_than_the_best(sample: Sample, worth: ValueMatrix) -> None:
    truth, score, weight = sample
    best = money_at(best_threshold(truth, score, worth, weight), sample, worth)
    for threshold in (*np.unique(score), -1.0, 2.0):
        assert money_at(threshold, sample, worth) <= best + 1e-6
    assert best_threshold(truth, score, worth) == best_threshold(
        truth, score, worth, np.full(len(truth), 3.0)
    )


@FEWER
@given(scored(), worths())
def test_thresholds_of_the_curve_rise_and_their_money_is_right(
    sample: Sample, worth: ValueMatrix
) -> None:
    truth, score, weight = sample
    cuts, money = value_curve(truth, score, worth, weight)
    assert (np.diff(cuts) > 0).all()
    assert (cuts[0], cuts[-1]) == (0, 1)
    assert set(score) <= set(cuts)
    for k in range(0, len(cuts), 10):
        assert money[k] == pytest.approx(money_at(cuts[k], sample, worth), abs=1e-6)


@pytest.mark.parametrize(
    ("worth", "acts"),
    [
        (ValueMatrix(true_positive=1.0, false_positive=1.0), 4),  # acting pays always
        (ValueMatrix(true_positive=-1.0, false_positive=-1.0), 0),  # and here never
        (ValueMatrix(true_positive=1.0, false_positive=-1.0), 2),
        (ValueMatrix(true_positive=10.0, false_positive=-1.0), 3),
        (ValueMatrix(true_positive=1.0, false_positive=-10.0), 1),
    ],
)
def test_the_best_threshold_acts_on_as_many_as_it_pays(worth: ValueMatrix, acts: int) -> None:
    truth, score = np.array([False, True, False, True]), np.array([0.1, 0.4, 0.6, 0.9])
    if acts == 2:
        truth, score = np.array([False, False, True, True]), np.array([0.1, 0.4, 0.6, 0.9])
    threshold = best_threshold(truth, score, worth)
    assert (score >= threshold).sum() == acts
    assert threshold not in score or acts == 0  # half-way between two neighbours


@FEWER
@given(scored())
def test_the_threshold_of_the_best_f1_is_the_best_of_all_scores(sample: Sample) -> None:
    truth, score, weight = sample
    for w in (None, weight):
        best = best_f1_threshold(truth, score, w)
        highest = max(
            peer.f1_score(truth, score >= cut, sample_weight=w, zero_division=0)
            for cut in np.unique(score)
        )
        at_best = peer.f1_score(truth, score >= best, sample_weight=w, zero_division=0)
        assert at_best == pytest.approx(highest)
        assert BinaryMetrics(truth, score, score >= best)(w)["f1"] == pytest.approx(at_best)


def test_no_label_flips_at_the_best_f1_when_a_score_is_off_by_an_ulp() -> None:
    truth, score = np.array([False, True, False, True]), np.array([0.1, 0.4, 0.6, 0.9])
    threshold = best_f1_threshold(truth, score)
    assert threshold == (0.1 + 0.4) / 2
    for direction in (-np.inf, np.inf):
        moved = np.nextafter(score, direction)
        assert ((moved >= threshold) == (score >= threshold)).all()


def test_the_best_f1_is_kept_where_no_double_lies_between_two_scores() -> None:
    for low in (0.3, np.nextafter(0.3, 1)):
        score = np.array([low, np.nextafter(low, 1)])
        assert ((score >= best_f1_threshold(np.array([False, True]), score)) == [False, True]).all()


def test_the_best_f1_threshold_is_0_where_every_row_is_best_predicted_positive() -> None:
    assert best_f1_threshold(np.array([True, True, False]), np.array([0.2, 0.5, 0.7])) == 0.0


@given(scored())
def test_every_point_of_the_roc_curve_is_one_of_scikit_learn(sample: Sample) -> None:
    truth, score, _ = sample
    false, true = roc_curve(truth, score)
    expected = peer.roc_curve(truth, score, drop_intermediate=False)
    assert np.allclose(false, expected[0])
    assert np.allclose(true, expected[1])


def test_a_long_roc_curve_is_thinned_and_keeps_its_ends() -> None:
    rng = np.random.default_rng(0)
    truth, score = rng.random(5000) < 0.3, rng.random(5000)
    false, true = roc_curve(truth, score, points=50)
    assert len(false) == len(true) == 50
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)


@given(scored(), st.integers(1, 12))
def test_groups_of_the_calibration_curve_average_to_the_whole(sample: Sample, bins: int) -> None:
    truth, score, _ = sample
    expected, observed = calibration_curve(truth, score, bins)
    sizes = [len(group) for group in np.array_split(score, min(bins, len(score)))]
    assert len(expected) == min(bins, len(score))
    assert (np.diff(expected) >= -1e-12).all()
    assert np.average(expected, weights=sizes) == pytest.approx(score.mean())
    assert np.average(observed, weights=sizes) == pytest.approx(truth.mean())


def test_calibration_error_uses_ten_bins_of_equal_width() -> None:
    score = np.array([0.05, 0.08, 0.15, 0.999, 1.0])
    truth = np.array([False, True, False, True, True])
    by_bin = [abs(0.13 - 1), abs(0.15 - 0), abs(1.999 - 2)]
    error = BinaryMetrics(truth, score, score >= 0.5)()["calibration_error"]
    assert error == pytest.approx(sum(by_bin) / 5)


def mean_of(values: np.ndarray) -> object:
    def figures(weight: np.ndarray | None) -> dict[str, float]:
        return {"mean": float(np.average(values, weights=weight)), "count": float(len(values))}

    return figures


VALUES = np.random.default_rng(3).gamma(2.0, 5.0, 80)


def test_the_same_seed_gives_the_same_interval_and_another_one_does_not() -> None:
    intervals = [bootstrap_intervals(mean_of(VALUES), 80, seed=seed) for seed in (1, 1, 2)]
    assert intervals[0] == intervals[1]
    assert intervals[0]["mean"].low != intervals[2]["mean"].low
    assert intervals[0]["mean"].estimate == intervals[2]["mean"].estimate == VALUES.mean()
    assert list(intervals[0]) == ["mean", "count"]


def test_more_confidence_is_a_wider_interval_around_the_same_estimate() -> None:
    widths = []
    for confidence in (0.5, 0.8, 0.95, 0.99):
        metric = bootstrap_intervals(mean_of(VALUES), 80, confidence=confidence)["mean"]
        assert metric.low is not None
        assert metric.high is not None
        assert metric.low < metric.estimate < metric.high
        widths.append(metric.high - metric.low)
    assert widths == sorted(set(widths))


def test_an_interval_of_the_mean_is_about_that_of_the_normal_law() -> None:
    metric = bootstrap_intervals(mean_of(VALUES), 80, resamples=3000)["mean"]
    half = 1.96 * VALUES.std() / np.sqrt(80)
    assert metric.low == pytest.approx(VALUES.mean() - half, abs=half / 6)
    assert metric.high == pytest.approx(VALUES.mean() + half, abs=half / 6)


@pytest.mark.parametrize("resamples", [0, 40])
def test_weights_of_the_rows_are_part_of_the_estimate(resamples: int) -> None:
    weight = np.arange(80)
    metric = bootstrap_intervals(mean_of(VALUES), 80, weight=weight, resamples=resamples)["mean"]
    assert metric.estimate == pytest.approx(np.average(VALUES, weights=weight))
    assert (metric.low is None) == (resamples == 0)


def test_weights_of_the_rows_are_part_of_every_resample() -> None:
    weight = (np.median(VALUES) < VALUES).astype(float)
    metric = bootstrap_intervals(mean_of(VALUES), 80, weight=weight)["mean"]
    assert metric.low is not None
    assert VALUES.mean() < metric.low < metric.estimate


def test_groups_of_one_row_each_are_rows() -> None:
    alone = bootstrap_intervals(mean_of(VALUES), 80, seed=4)
    assert bootstrap_intervals(mean_of(VALUES), 80, groups=np.arange(80), seed=4) == alone
    names = np.array([f"g{k:02d}" for k in range(80)])
    assert bootstrap_intervals(mean_of(VALUES), 80, groups=names, seed=4) == alone


def test_with_all_rows_in_a_group_there_is_nothing_to_draw() -> None:
    metric = bootstrap_intervals(mean_of(VALUES), 80, groups=np.zeros(80))["mean"]
    assert metric.low == pytest.approx(metric.estimate) == metric.high


@given(st.integers(0, 1000))
@settings(max_examples=10)
def test_figures_that_are_not_defined_are_left_out(seed: int) -> None:
    """A figure that is undefined in the sample is left out; in a resample, that one is."""
    truth = np.zeros(30, bool)
    truth[0] = True  # a third of the resamples do not hold this row
    score = np.linspace(1, 0, 30)
    metrics = bootstrap_intervals(
        BinaryMetrics(truth, score, score >= 0.5), 30, seed=seed, resamples=60
    )
    assert (metrics["roc_auc"].low, metrics["roc_auc"].high) == (1.0, 1.0)
    plain = bootstrap_intervals(
        BinaryMetrics(np.ones(30, bool), score, score >= 0.5), 30, resamples=0
    )
    assert "roc_auc" not in plain
    assert plain["accuracy"].low is None
