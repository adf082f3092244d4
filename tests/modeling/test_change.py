"""Change from the training rows to the test rows: the table, and what is said of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lockgate.contract.evaluation import Metric
from lockgate.contract.prediction import Output
from lockgate.contract.tables import Column, Schema, Table
from lockgate.modeling.change import RowMeasures, change_table, describe_change, measure_rows
from lockgate.modeling.metrics.rates import RowSample, auc_metric


def rows_of(
    truth: np.ndarray, weight: np.ndarray | None = None, groups: np.ndarray | None = None
) -> Table:
    frame = pd.DataFrame({"y": truth})
    if weight is not None:
        frame["w"] = weight
    if groups is not None:
        frame["g"] = groups
    columns = tuple(Column(name, "number") for name in frame)
    roles = {"weight": "w" if "w" in frame else None, "group": "g" if "g" in frame else None}
    return Table(frame, Schema(columns, target="y", **roles))


def binary(rate: float, rows: int = 2000, shift: float = 0.0) -> RowMeasures:
    truth = (np.arange(rows) < rate * rows).astype(int)
    score = np.clip(0.2 + 0.5 * truth + shift, 0, 1)
    output = Output((score > 0.5).astype(int), score)
    return measure_rows(rows_of(truth), "binary", output, (0, 1), 0.5)


def test_a_binary_model_has_rate_mean_score_and_metrics() -> None:
    measured = binary(0.3, shift=0.1)
    assert measured.rows == 2000
    assert measured.rates == {"1": (pytest.approx(0.3), 2000)}
    assert measured.values["mean score"] == pytest.approx(0.3 + 0.5 * 0.3)
    assert measured.values["mean score minus rate"] == pytest.approx(0.15)
    assert measured.values["roc_auc"] == 1


def test_a_regression_and_several_classes() -> None:
    truth = np.array([1.0, 3.0])
    measured = measure_rows(rows_of(truth), "regression", Output(truth + 1), ()).values
    assert (measured["mean of the target"], measured["mean prediction"]) == (2, 3)
    assert measured["rmse"] == 1
    labels = np.array(["a", "b", "c", "c"])
    measures = measure_rows(rows_of(labels), "multiclass", None, ("a", "b", "c"))
    assert measures == RowMeasures(4, {"a": (0.25, 4), "b": (0.25, 4), "c": (0.5, 4)}, {})


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
    train = RowMeasures(10000, {"1": (0.25, 10000)}, {})
    rows = change_table(train, binary(0.3), binary(0.2))
    assert rows[0] == {"measure": "rows", "train": 10000, "tune": 2000, "test": 2000}
    by_name = {row["measure"]: row for row in rows}
    assert by_name["mean score"]["train"] is None
    assert by_name["rate of 1"] == {"measure": "rate of 1", "train": 0.25, "tune": 0.3, "test": 0.2}


def test_weights_count_as_copies_of_a_row() -> None:
    rng = np.random.default_rng(0)
    truth, score, weight = rng.integers(0, 2, 60), rng.random(60), rng.integers(1, 4, 60)
    labels = (score > 0.5).astype(int)
    weighted = measure_rows(rows_of(truth, weight), "binary", Output(labels, score), (0, 1), 0.5)
    truth, score, labels = (np.repeat(part, weight) for part in (truth, score, labels))
    copied = measure_rows(rows_of(truth), "binary", Output(labels, score), (0, 1), 0.5)
    assert weighted.values == pytest.approx(copied.values)
    assert weighted.rates["1"][0] == pytest.approx(copied.rates["1"][0])


def test_a_rate_of_weighted_rows_is_as_uncertain_as_its_weights_make_it() -> None:
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(60):
        weights = [rng.pareto(1.5, rows) + 1 for rows in (8000, 2000)]
        train, test = (
            measure_rows(rows_of(rng.binomial(1, 0.3, len(weight)), weight), "binary", None, (0, 1))
            for weight in weights
        )
        alarms += bool(describe_change(train, train, test, "log_loss", None))
    assert alarms <= 3  # more than half, where weights are taken for rows


def test_a_rate_of_grouped_rows_is_as_uncertain_as_its_groups_make_it() -> None:
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(60):
        parts = []
        for groups in (160, 40):
            rate = rng.beta(3, 7, groups)  # each group has a rate of its own
            codes = np.repeat(np.arange(groups), 50)
            truth = rng.binomial(1, rate[codes])
            parts.append(measure_rows(rows_of(truth, groups=codes), "binary", None, (0, 1)))
        train, test = parts
        alarms += bool(describe_change(train, train, test, "log_loss", None))
    assert alarms <= 2  # a quarter, where groups are ignored
    single = measure_rows(rows_of(np.array([0, 1]), groups=np.zeros(2)), "binary", None, (0, 1))
    assert describe_change(train, train, single, "log_loss", None) == []


def test_a_model_that_is_no_worse_is_not_called_so() -> None:
    rng = np.random.default_rng(8)
    alarms = 0
    for _ in range(60):
        parts, interval = [], None
        for rows in (800, 1000):
            truth = rng.binomial(1, 0.3, rows)
            score = np.clip(rng.normal(0.3 + 0.2 * truth, 0.2), 0, 1)
            output = Output((score > 0.5).astype(int), score)
            measures = measure_rows(rows_of(truth), "binary", output, (0, 1), 0.5)
            auc = measures.values["roc_auc"]
            interval = auc_metric(auc, truth == 1, score, RowSample.of(rows, None, None))
            parts.append(measures)
        tune, test = parts
        messages = describe_change(tune, tune, test, "roc_auc", interval)
        alarms += any("the model is worse" in message for message in messages)
    assert alarms <= 1  # one in ten, where the tune rows are taken for the truth


@pytest.mark.parametrize("metric", ["brier", "f1"])
def test_each_metric_that_a_model_is_tuned_for_is_compared(metric: str) -> None:
    tune, test = binary(0.3), binary(0.3)
    worse = 0.1 if metric == "f1" else 0.9
    measured = Metric(worse, worse - 0.01, worse + 0.01)
    (message,) = describe_change(tune, tune, test, metric, measured)
    assert "the model is worse" in message


def test_each_of_many_classes_is_compared_and_ten_are_shown() -> None:
    classes = tuple(range(20))
    train = measure_rows(rows_of(np.repeat(np.arange(20), 50)), "multiclass", None, classes)
    test = measure_rows(rows_of(np.repeat(np.arange(19), 50)), "multiclass", None, classes)
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
            measure_rows(rows_of(rng.choice(classes, count, p=rates)), task, None, names)
            for count in (10_000, rows)
        )
        alarms += bool(describe_change(train, train, test, "log_loss", None))
    assert alarms <= 4


def test_of_many_changed_rates_the_largest_are_reported() -> None:
    names = tuple(range(20))
    train = measure_rows(rows_of(np.repeat(np.arange(20), 500)), "multiclass", None, names)
    test = measure_rows(
        rows_of(np.repeat(np.arange(20), np.arange(20) * 50)), "multiclass", None, names
    )
    messages = describe_change(train, train, test, "log_loss", None)
    assert len(messages) == 6
    assert messages[0].startswith("the rate of 0 is 0%")
    assert messages[-1].endswith("other classes changed, too")
