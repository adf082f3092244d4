"""Change from the training rows to the test rows: the table, and what is said of it."""

from __future__ import annotations

import numpy as np
import pytest

from lockgate.contract.evaluation import Metric
from lockgate.contract.prediction import Output
from lockgate.modeling.change import change_table, describe_change, measure_rows


def binary(rate: float, rows: int = 2000, shift: float = 0.0) -> dict[str, float]:
    truth = (np.arange(rows) < rate * rows).astype(int)
    score = np.clip(0.2 + 0.5 * truth + shift, 0, 1)
    return measure_rows("binary", truth, Output((score > 0.5).astype(int), score), (0, 1), 0.5)


def test_a_binary_model_has_rate_mean_score_and_metrics() -> None:
    measured = binary(0.3, shift=0.1)
    assert measured["rows"] == 2000
    assert measured["rate of 1"] == pytest.approx(0.3)
    assert measured["mean score"] == pytest.approx(0.3 + 0.5 * 0.3)
    assert measured["mean score minus rate"] == pytest.approx(0.15)
    assert measured["roc_auc"] == 1


def test_a_regression_and_several_classes() -> None:
    truth = np.array([1.0, 3.0])
    measured = measure_rows("regression", truth, Output(truth + 1), ())
    assert (measured["mean of the target"], measured["mean prediction"]) == (2, 3)
    assert measured["rmse"] == 1
    labels = np.array(["a", "b", "c", "c"])
    rates = measure_rows("multiclass", labels, None, ("a", "b", "c"))
    assert rates == {
        "rows": 4,
        "effective rows": 4,
        "rate of a": 0.25,
        "rate of b": 0.25,
        "rate of c": 0.5,
    }


def test_a_changed_rate_and_a_worse_model_are_reported() -> None:
    train, tune, test = binary(0.3), binary(0.3), binary(0.2)
    metric = Metric(0.8, 0.75, 0.85)
    messages = describe_change(train, tune, test, "roc_auc", metric)
    assert messages[0] == "the rate of 1 is 20% in the test rows, and 30% in the training rows"
    assert messages[1].startswith("the ROC AUC is 0.8 on the test rows (0.75 to 0.85), and 1 on")
    assert describe_change(train, tune, binary(0.31), "roc_auc", Metric(1, 0.9, 1)) == []
    small = binary(0.2, rows=20)  # too few rows to say that it has changed
    assert describe_change(train, tune, small, "roc_auc", None) == []


def test_the_table_leaves_out_what_was_not_measured() -> None:
    train = {"rows": 10000.0, "rate of 1": 0.25}
    rows = change_table(train, binary(0.3), binary(0.2))
    assert rows[0] == {"measure": "rows", "train": 10000, "tune": 2000, "test": 2000}
    by_name = {row["measure"]: row for row in rows}
    assert by_name["mean score"]["train"] is None
    assert by_name["rate of 1"] == {"measure": "rate of 1", "train": 0.25, "tune": 0.3, "test": 0.2}


def test_weights_count_as_copies_of_a_row() -> None:
    rng = np.random.default_rng(0)
    truth, score, weight = rng.integers(0, 2, 60), rng.random(60), rng.integers(1, 4, 60)
    labels = (score > 0.5).astype(int)
    weighted = measure_rows("binary", truth, Output(labels, score), (0, 1), 0.5, weight)
    truth, score, labels = (np.repeat(part, weight) for part in (truth, score, labels))
    copied = measure_rows("binary", truth, Output(labels, score), (0, 1), 0.5)
    for counts in (weighted, copied):
        del counts["rows"], counts["effective rows"]
    assert weighted == pytest.approx(copied)


def test_a_rate_of_weighted_rows_is_as_uncertain_as_its_weights_make_it() -> None:
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(60):
        weights = [rng.pareto(1.5, rows) + 1 for rows in (8000, 2000)]
        train, test = (
            measure_rows("binary", rng.binomial(1, 0.3, len(weight)), None, (0, 1), weight=weight)
            for weight in weights
        )
        alarms += bool(describe_change(train, train, test, "log_loss", None))
    assert alarms <= 3  # more than half, where weights are taken for rows


@pytest.mark.parametrize("metric", ["brier", "f1"])
def test_each_metric_that_a_model_is_tuned_for_is_compared(metric: str) -> None:
    tune, test = binary(0.3), binary(0.3)
    worse = 0.1 if metric == "f1" else 0.9
    measured = Metric(worse, worse - 0.01, worse + 0.01)
    (message,) = describe_change(tune, tune, test, metric, measured)
    assert "the model is worse" in message


def test_each_of_many_classes_is_compared_and_ten_are_shown() -> None:
    classes = tuple(range(20))
    train = measure_rows("multiclass", np.repeat(np.arange(20), 50), None, classes)
    test = measure_rows("multiclass", np.repeat(np.arange(19), 50), None, classes)
    (message,) = describe_change(train, train, test, "log_loss", None)
    assert message.startswith("the rate of 19 is 0%")
    assert sum("rate" in row["measure"] for row in change_table(train, train, test)) == 10


@pytest.mark.parametrize(("classes", "rows"), [(2, 50), (300, 300)])
def test_rare_classes_in_few_rows_raise_no_alarm(classes: int, rows: int) -> None:
    rng = np.random.default_rng(4)
    rates = np.array([0.99, 0.01]) if classes == 2 else np.full(classes, 1 / classes)
    task, names = ("binary" if classes == 2 else "multiclass"), tuple(range(classes))
    alarms = 0
    for _ in range(40):
        train, test = (
            measure_rows(task, rng.choice(classes, count, p=rates), None, names)
            for count in (10_000, rows)
        )
        alarms += bool(describe_change(train, train, test, "log_loss", None))
    assert alarms <= 4


def test_of_many_changed_rates_the_largest_are_reported() -> None:
    names = tuple(range(20))
    train = measure_rows("multiclass", np.repeat(np.arange(20), 500), None, names)
    test = measure_rows("multiclass", np.repeat(np.arange(20), np.arange(20) * 50), None, names)
    messages = describe_change(train, train, test, "log_loss", None)
    assert len(messages) == 6
    assert messages[0].startswith("the rate of 0 is 0%")
    assert messages[-1].endswith("other classes changed, too")
