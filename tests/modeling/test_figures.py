"""Our figures against scikit-learn's, and the laws they keep."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as peer

from lockgate import ValueMatrix
from lockgate.contract.prediction import Output
from lockgate.modeling.metrics.binary import BinaryMetrics, calibration_curve, roc_curve
from lockgate.modeling.metrics.decisions import DecisionValue, best_threshold, value_curve
from lockgate.modeling.metrics.intervals import bootstrap_intervals
from lockgate.modeling.metrics.losses import chosen_metric, class_indices, compute_loss
from lockgate.modeling.metrics.multiclass import MulticlassMetrics
from lockgate.modeling.metrics.regression import RegressionMetrics


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = draw(st.integers(4, 60))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    truth = rng.random(rows) < 0.4
    truth[:2] = [True, False]
    # few distinct scores, so that ties are the rule
    score = rng.integers(0, draw(st.integers(1, 20)) + 1, rows) / 20
    return truth, score, rng.integers(1, 5, rows).astype(float)


@given(scored())
def test_binary_figures_are_those_of_scikit_learn(data: tuple[np.ndarray, ...]) -> None:
    truth, score, weight = data
    for w in (None, weight):
        found = BinaryMetrics(truth, score, score >= 0.5)(w)
        said = score >= 0.5
        expected = {
            "roc_auc": peer.roc_auc_score(truth, score, sample_weight=w),
            "pr_auc": peer.average_precision_score(truth, score, sample_weight=w),
            "log_loss": peer.log_loss(truth, score, sample_weight=w),
            "brier": peer.brier_score_loss(truth, score, sample_weight=w),
            "accuracy": peer.accuracy_score(truth, said, sample_weight=w),
            "precision": peer.precision_score(truth, said, sample_weight=w, zero_division=0),
            "recall": peer.recall_score(truth, said, sample_weight=w),
            "f1": peer.f1_score(truth, said, sample_weight=w, zero_division=0),
        }
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, rel=1e-6, abs=1e-6), name


@given(scored(), st.integers(0, 1000))
def test_figures_do_not_depend_on_the_order_of_rows(
    data: tuple[np.ndarray, ...], seed: int
) -> None:
    truth, score, weight = data
    order = np.random.default_rng(seed).permutation(len(truth))
    one = BinaryMetrics(truth, score, score >= 0.3)(weight)
    other = BinaryMetrics(truth[order], score[order], score[order] >= 0.3)(weight[order])
    assert one == pytest.approx(other)


@given(scored())
def test_a_weight_of_two_is_a_row_that_stands_twice(data: tuple[np.ndarray, ...]) -> None:
    truth, score, weight = data
    times = weight.astype(int)
    one = BinaryMetrics(truth, score, score >= 0.5)(weight)
    other = BinaryMetrics(
        np.repeat(truth, times), np.repeat(score, times), np.repeat(score >= 0.5, times)
    )()
    assert one == pytest.approx(other)


@given(scored())
def test_the_curve_rises_from_nothing_to_all(data: tuple[np.ndarray, ...]) -> None:
    truth, score, _ = data
    false, true = roc_curve(truth, score)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert (np.diff(false) >= 0).all()
    assert (np.diff(true) >= 0).all()
    area = np.trapezoid(true, false)
    assert area == pytest.approx(BinaryMetrics(truth, score, score >= 0.5)()["roc_auc"])


def test_perfect_calibration_lies_on_the_diagonal() -> None:
    score = np.repeat([0.2, 0.8], 1000)
    truth = np.r_[np.arange(1000) < 200, np.arange(1000) < 800]
    said, seen = calibration_curve(truth, score, bins=2)
    assert said.tolist() == pytest.approx(seen.tolist())
    assert BinaryMetrics(truth, score, score >= 0.5)()["calibration_error"] == pytest.approx(0)


def test_multiclass_figures_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth, score = rng.integers(0, 3, 200), rng.dirichlet([1, 1, 1], 200)
    label = score.argmax(axis=1)
    found = MulticlassMetrics(truth, label, score.shape[1], score)()
    assert found["accuracy"] == pytest.approx(peer.accuracy_score(truth, label))
    assert found["f1"] == pytest.approx(peer.f1_score(truth, label, average="macro"))
    assert found["log_loss"] == pytest.approx(peer.log_loss(truth, score))


def test_regression_figures_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth, weight = rng.normal(size=100), rng.integers(1, 4, 100).astype(float)
    said = truth + rng.normal(size=100)
    found = RegressionMetrics(truth, said)(weight)
    assert found["r2"] == pytest.approx(peer.r2_score(truth, said, sample_weight=weight))
    expected = peer.root_mean_squared_error(truth, said, sample_weight=weight)
    assert found["rmse"] == pytest.approx(expected)
    assert found["mae"] == pytest.approx(
        peer.mean_absolute_error(truth, said, sample_weight=weight)
    )


def test_intervals_cover_as_often_as_they_say() -> None:
    covered = 0
    for seed in range(100):
        sample = np.random.default_rng(seed).normal(1.0, 1.0, 200)
        metric = bootstrap_intervals(
            lambda w, s=sample: {"mean": float(np.average(s, weights=w))},
            200,
            resamples=200,
            seed=seed,
        )["mean"]
        assert metric.low is not None
        assert metric.high is not None
        covered += metric.low <= 1.0 <= metric.high
    # 95 of 100 are expected; fewer than 88 would happen once in a thousand tries
    assert covered >= 88


def test_rows_of_a_group_are_drawn_together() -> None:
    values = np.repeat(np.random.default_rng(0).normal(size=50), 20)
    groups = np.repeat(np.arange(50), 20)

    def mean(weight: np.ndarray | None) -> dict[str, float]:
        return {"mean": float(np.average(values, weights=weight))}

    alone = bootstrap_intervals(mean, 1000, seed=1)["mean"]
    together = bootstrap_intervals(mean, 1000, groups=groups, seed=1)["mean"]
    assert together.high - together.low > 3 * (alone.high - alone.low)


@given(scored(), st.floats(0, 10), st.floats(-10, 0))
def test_money_of_the_curve_is_that_of_the_decisions(
    data: tuple[np.ndarray, ...], gain: float, cost: float
) -> None:
    truth, score, weight = data
    worth = ValueMatrix(true_positive=gain, false_positive=cost, false_negative=-1.0)
    cuts, money = value_curve(truth, score, worth, weight)
    for place in (0, len(cuts) // 2, len(cuts) - 1):
        at = DecisionValue(truth, score >= cuts[place], worth)(weight)["per_1000"]
        assert money[place] == pytest.approx(at, abs=1e-6)
    best = DecisionValue(truth, score >= best_threshold(truth, score, worth, weight), worth)(weight)
    assert best["per_1000"] >= money.max() - 1e-6


def test_a_metric_that_the_task_does_not_have_is_refused() -> None:
    from lockgate import SettingError

    assert chosen_metric("auto", "regression") == "rmse"
    with pytest.raises(SettingError, match="for regression: rmse, mae, r2"):
        chosen_metric("roc_auc", "regression")


def test_figures_that_grow_with_quality_are_turned() -> None:
    truth = np.array(["no", "yes"])
    right = Output(truth, np.array([0.1, 0.9]))
    assert compute_loss("roc_auc", "binary", truth, right, ("no", "yes")) == 0
    assert compute_loss("log_loss", "binary", truth, right, ("no", "yes")) == pytest.approx(
        -np.log(0.9)
    )


def test_labels_are_found_among_classes_whatever_their_type() -> None:
    assert class_indices(np.array([False, True, False]), (False, True)).tolist() == [0, 1, 0]
    assert class_indices(np.array([0.0, 1.0]), (0, 1)).tolist() == [0, 1]
    assert class_indices(np.array([0, 1]), (False, True)).tolist() == [0, 1]


def test_a_label_that_training_never_saw_is_named() -> None:
    from lockgate import SchemaViolation

    with pytest.raises(SchemaViolation, match="holds 'z', an unknown class; available: 'a', 'b'"):
        class_indices(np.array(["a", "z"]), ("a", "b"))


def test_what_a_sample_does_not_define_is_left_out_and_pulls_no_interval() -> None:
    truth = np.arange(200) < 3
    metrics = bootstrap_intervals(BinaryMetrics(truth, truth.astype(float), truth), 200)
    assert metrics["roc_auc"].low == 1.0
    none = bootstrap_intervals(
        BinaryMetrics(np.zeros(50, bool), np.linspace(0, 1, 50), np.linspace(0, 1, 50) >= 0.5), 50
    )
    assert "roc_auc" not in none
    assert "accuracy" in none


def test_the_threshold_finds_rare_events() -> None:
    rng = np.random.default_rng(0)
    score = rng.beta(1, 1000, 100_000)
    truth = rng.random(100_000) < score
    worth = ValueMatrix(true_positive=1000, false_positive=-1)
    best = best_threshold(truth, score, worth)
    money = DecisionValue(truth, score >= best, worth)()["per_1000"]
    assert money >= DecisionValue(truth, score >= 1 / 1001, worth)()["per_1000"]
