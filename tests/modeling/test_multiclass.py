"""Figures for several classes and for numbers, against scikit-learn, and the laws they keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from lockgate import SettingError
from lockgate.contract.prediction import Output
from lockgate.modeling.metrics.losses import (
    chosen_metric,
    class_indices,
    compute_loss,
    metrics_for_task,
)
from lockgate.modeling.metrics.multiclass import MulticlassMetrics
from lockgate.modeling.metrics.regression import RegressionMetrics

Sample = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
FEWER = settings(max_examples=settings.default.max_examples // 3)
"""Each example asks scikit-learn, or writes files; `LOCKGATE_PROOF` still multiplies them."""


@st.composite
def classified(draw: st.DrawFn) -> Sample:
    """Truth, label, scores and weights; often a class that no row has or that none is given."""
    rows, classes = draw(st.integers(1, 40)), draw(st.integers(3, 6))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    truth = rng.integers(0, draw(st.integers(1, classes)), rows)
    score = rng.dirichlet(np.ones(classes), rows)
    return truth, score.argmax(axis=1), score, rng.integers(1, 5, rows).astype(float)


@FEWER
@given(classified())
def test_multiclass_figures_are_those_of_scikit_learn_with_and_without_weights(
    sample: Sample,
) -> None:
    truth, label, score, weight = sample
    classes = np.arange(score.shape[1])
    for w in (None, weight):
        figures = MulticlassMetrics(truth, label, score.shape[1], score)(w)
        expected = {
            "accuracy": peer.accuracy_score(truth, label, sample_weight=w),
            "f1": peer.f1_score(truth, label, average="macro", sample_weight=w),
            "log_loss": peer.log_loss(truth, score, labels=classes, sample_weight=w),
        }
        assert figures == pytest.approx(expected, rel=1e-9)


@given(classified())
def test_a_weight_of_two_is_a_row_that_stands_twice(sample: Sample) -> None:
    truth, label, score, weight = sample
    times = np.repeat(np.arange(len(truth)), weight.astype(int))
    repeated = MulticlassMetrics(truth[times], label[times], score.shape[1], score[times])()
    assert MulticlassMetrics(truth, label, score.shape[1], score)(weight) == pytest.approx(repeated)


@given(classified(), st.integers(0, 1000))
def test_neither_the_order_of_rows_nor_that_of_classes_matters(sample: Sample, seed: int) -> None:
    truth, label, score, weight = sample
    rng = np.random.default_rng(seed)
    rows, classes = rng.permutation(len(truth)), rng.permutation(score.shape[1])
    renamed = np.argsort(classes)
    figures = MulticlassMetrics(truth, label, score.shape[1], score)(weight)
    rows_moved = MulticlassMetrics(truth[rows], label[rows], score.shape[1], score[rows])(
        weight[rows]
    )
    classes_moved = MulticlassMetrics(
        renamed[truth], renamed[label], score.shape[1], score[:, classes]
    )(weight)
    assert figures == pytest.approx(rows_moved)
    assert figures == pytest.approx(classes_moved)


@given(classified())
def test_rows_without_weight_count_for_nothing(sample: Sample) -> None:
    truth, label, score, weight = sample
    kept = np.arange(len(truth)) % 2 == 0
    figures = MulticlassMetrics(truth, label, score.shape[1], score)(weight * kept)
    assert figures == pytest.approx(
        MulticlassMetrics(truth[kept], label[kept], score.shape[1], score[kept])(weight[kept])
    )


def test_a_class_that_is_answered_and_never_true_lowers_f1_and_an_absent_one_does_not() -> None:
    truth, label = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])
    score = np.full((4, 4), 0.25)
    assert MulticlassMetrics(truth, label, score.shape[1], score)()["f1"] == 1.0
    label = np.array([0, 0, 1, 2])
    assert MulticlassMetrics(truth, label, score.shape[1], score)()["f1"] == pytest.approx(
        (1 + 2 / 3 + 0) / 3
    )


def test_a_chance_of_nothing_for_what_happened_is_a_large_loss_and_not_an_endless_one() -> None:
    score = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    figures = MulticlassMetrics(np.array([0, 2]), np.array([0, 0]), 3, score)()
    assert figures["log_loss"] == pytest.approx(-np.log(np.finfo(float).eps) / 2)


def test_no_weight_at_all_gives_figures_of_nothing_and_no_warning() -> None:
    truth = np.array([0, 1, 2])
    figures = MulticlassMetrics(truth, truth, 3, np.eye(3))(np.zeros(3))
    assert figures == {"accuracy": 0.0, "f1": 0.0, "log_loss": 0.0}


@st.composite
def measured(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = draw(st.integers(2, 40))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    truth = rng.normal(draw(st.floats(-100, 100)), 1 + draw(st.floats(0, 10)), rows)
    return truth, truth + rng.normal(size=rows), rng.integers(1, 5, rows).astype(float)


@given(measured())
def test_regression_figures_are_those_of_scikit_learn(sample: tuple[np.ndarray, ...]) -> None:
    truth, value, weight = sample
    for w in (None, weight):
        figures = RegressionMetrics(truth, value)(w)
        assert figures == pytest.approx(
            {
                "r2": peer.r2_score(truth, value, sample_weight=w),
                "rmse": peer.root_mean_squared_error(truth, value, sample_weight=w),
                "mae": peer.mean_absolute_error(truth, value, sample_weight=w),
                "bias": np.average(value - truth, weights=w),
            },
            rel=1e-7,
        )


@given(measured(), st.floats(0.1, 100), st.floats(-100, 100))
def test_figures_follow_the_unit_of_the_target(
    sample: tuple[np.ndarray, ...], scale: float, shift: float
) -> None:
    truth, value, weight = sample
    before = RegressionMetrics(truth, value)(weight)
    after = RegressionMetrics(truth * scale + shift, value * scale + shift)(weight)
    assert after["r2"] == pytest.approx(before["r2"], rel=1e-5, abs=1e-5)
    for name in ("rmse", "mae", "bias"):
        assert after[name] == pytest.approx(before[name] * scale, rel=1e-6, abs=1e-9), name
    assert before["mae"] <= before["rmse"] * (1 + 1e-12)
    assert abs(before["bias"]) <= before["mae"] * (1 + 1e-12)


def test_a_constant_target_has_no_r2() -> None:
    figures = RegressionMetrics(np.full(4, 2.0), np.array([1.0, 2.0, 3.0, 4.0]))()
    assert np.isnan(figures["r2"])
    assert figures["rmse"] == pytest.approx(np.sqrt(1.5))


def test_figures_of_each_task_take_labels_as_they_come() -> None:
    truth = np.array(["a", "c", "b"])
    scores = np.array([[0.8, 0.1, 0.1], [0.1, 0.2, 0.7], [0.6, 0.3, 0.1]])
    output = Output(np.array(["a", "c", "a"]), scores)
    figures = metrics_for_task("multiclass", truth, output, ("a", "b", "c"), None)()
    assert figures["accuracy"] == pytest.approx(2 / 3)
    assert compute_loss("accuracy", "multiclass", truth, output, ("a", "b", "c")) == pytest.approx(
        1 / 3
    )
    labels = metrics_for_task("multiclass", truth, Output(output.label), ("a", "b", "c"), None)()
    assert labels == {name: figures[name] for name in ("accuracy", "f1")}


@pytest.mark.parametrize(("threshold", "recall"), [(None, 0.5), (0.2, 1.0), (0.9, 0.0)])
def test_the_threshold_decides_and_is_a_half_where_there_is_none(
    threshold: float | None, recall: float
) -> None:
    truth, output = np.array([0, 1, 1]), Output(np.array([0, 0, 1]), np.array([0.1, 0.3, 0.8]))
    assert metrics_for_task("binary", truth, output, (0, 1), threshold)()["recall"] == recall
    loss = compute_loss("recall", "binary", truth, output, (0, 1), threshold=threshold)
    assert loss == pytest.approx(1 - recall)


@pytest.mark.parametrize(
    ("task", "first", "absent"),
    [
        ("binary", "log_loss", "rmse"),
        ("multiclass", "log_loss", "roc_auc"),
        ("regression", "rmse", "f1"),
    ],
)
def test_each_task_has_its_metrics(task: str, first: str, absent: str) -> None:
    assert chosen_metric("auto", task) == first == chosen_metric(first, task)
    with pytest.raises(SettingError, match=f"{absent}.*for {task}: {first}"):
        chosen_metric(absent, task)


@given(st.lists(st.sampled_from([0, 1, 2]), max_size=10))
def test_positions_lead_back_to_the_labels(codes: list[int]) -> None:
    for classes in ((0, 1, 2), ("x", "y", "z"), (2.5, 0.5, 1.5)):
        labels = np.array([classes[code] for code in codes], dtype=type(classes[0]))
        assert class_indices(labels, classes).tolist() == codes
