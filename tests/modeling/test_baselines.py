"""Baselines predict as a script of five lines would, and the best column is chosen on other rows."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, root_mean_squared_error

import lockgate
from lockgate.contract.tables import Column, Table
from lockgate.data.conform import conform_to_schema
from lockgate.modeling.baselines import fit_baselines, measure_baseline

rng = np.random.default_rng(0)


def table(rows: int, seed: int) -> Table:
    draws = np.random.default_rng(seed)
    frame = pd.DataFrame({"noise": draws.normal(size=rows), "x": draws.normal(size=rows)})
    frame["plan"] = draws.choice(["a", "b"], rows)
    frame.loc[draws.random(rows) < 0.1, ["x", "plan"]] = None
    frame["when"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(draws.random(rows) * 90, "D")
    frame["y"] = np.where(frame["x"].fillna(0) * 2 + draws.normal(size=rows) > 0.5, "yes", "no")
    return lockgate.table(frame, target="y")


def test_the_constant_is_scikit_learns_prior() -> None:
    train, tune, test = (table(n, seed) for n, seed in ((800, 1), (300, 2), (400, 3)))
    constant, column = fit_baselines(train, tune, "binary")
    prior = DummyClassifier(strategy="prior").fit(train.frame[["x"]], train.target)
    metrics = measure_baseline(constant, test, "binary", ("no", "yes"))
    expected = log_loss(test.target, prior.predict_proba(test.frame[["x"]]))
    assert metrics["log_loss"] == pytest.approx(expected)
    assert metrics["roc_auc"] == 0.5
    share = accuracy_score(test.target, prior.predict(test.frame[["x"]]))
    assert metrics["accuracy"] == pytest.approx(share)
    assert column.label == "column x alone"
    alone = measure_baseline(column, test, "binary", ("no", "yes"))
    assert alone["log_loss"] < metrics["log_loss"] - 0.1
    assert alone["roc_auc"] > 0.8


def test_a_regression_has_the_mean_and_several_classes_their_rates() -> None:
    train, test = table(800, 1), table(400, 3)
    for part in (train, test):
        part.frame["y"] = part.frame["x"].fillna(0) * 3 + rng.normal(size=len(part))
    constant, column = fit_baselines(train, test, "regression")
    metrics = measure_baseline(constant, test, "regression")
    mean = np.full(len(test), train.target.mean())
    assert metrics["rmse"] == pytest.approx(root_mean_squared_error(test.target, mean))
    assert metrics["mae"] == pytest.approx(mean_absolute_error(test.target, mean))
    assert measure_baseline(column, test, "regression")["rmse"] < metrics["rmse"] / 2
    several = lockgate.table(
        train.frame.assign(y=pd.cut(train.frame["y"], 3, labels=["l", "m", "h"]).astype(str)),
        target="y",
    )
    constant, column = fit_baselines(several, several, "multiclass")
    assert constant.classes == ("h", "l", "m")
    shuffled = measure_baseline(column, several, "multiclass", ("m", "h", "l"))
    assert shuffled == pytest.approx(measure_baseline(column, several, "multiclass"))
    assert shuffled["accuracy"] > measure_baseline(constant, several, "multiclass")["accuracy"]


def periods(target: str) -> tuple[Table, Table, Table]:
    """Return three periods, of four months each, of 200 customers whose spend and plan last."""
    draws = np.random.default_rng(6)
    spend = np.cumsum(draws.normal(size=(12, 200)), axis=0) + 50
    plan = np.array([["basic"] * 200] * 12, dtype=object)
    for month in range(1, 12):
        changed = draws.random(200) < 0.1
        plan[month] = np.where(changed, draws.choice(["plus", "pro"], 200), plan[month - 1])
    frame = pd.DataFrame(
        {
            "when": np.repeat(pd.date_range("2025-01-31", periods=12, freq="ME"), 200),
            "customer": np.tile([f"c{k:03}" for k in range(200)], 12),
            "x": draws.normal(size=2400),
            "y": (spend if target == "spend" else plan).ravel(),
        }
    )
    months = frame["when"].dt.month
    train, tune, test = (
        lockgate.table(part, target="y", time="when", id="customer")
        for part in (frame[months <= 4], frame[(months > 4) & (months <= 8)], frame[months > 8])
    )
    return train, tune, test


def test_the_last_value_of_the_same_customer_is_a_baseline() -> None:
    train, tune, test = periods("spend")
    _, last, _ = fit_baselines(train, tune, "regression")
    assert last.label == "last y of the same customer"
    by_customer = tune.frame.groupby("customer")["y"].last()
    expected = root_mean_squared_error(test.target, test.frame["customer"].map(by_customer))
    assert measure_baseline(last, test, "regression")["rmse"] == pytest.approx(expected)
    # a customer that was not there before gets the mean of the last period
    new = lockgate.table(test.frame.assign(customer="new"), target="y", time="when", id="customer")
    expected = root_mean_squared_error(new.target, np.full(len(new), tune.target.mean()))
    assert measure_baseline(last, new, "regression")["rmse"] == pytest.approx(expected)


def test_of_classes_it_is_what_followed_them_before() -> None:
    train, tune, test = periods("plan")
    constant, last, _ = fit_baselines(train, tune, "multiclass")
    known = pd.concat([train.frame, tune.frame])
    known["next"] = known.groupby("customer")["y"].shift(-1)
    followed = pd.crosstab(known["y"], known["next"])
    # five rows with the rates of the last period count beside those
    rates = tune.frame["y"].value_counts(normalize=True).reindex(followed.columns)
    followed = (followed + 5 * rates).pipe(lambda table: table.div(table.sum(axis=1), axis=0))
    latest = tune.frame.groupby("customer")["y"].last()
    shares = followed.loc[test.frame["customer"].map(latest)].to_numpy()
    measured = measure_baseline(last, test, "multiclass", ("basic", "plus", "pro"))
    assert measured["log_loss"] == pytest.approx(log_loss(test.target, shares))
    assert measured["log_loss"] < measure_baseline(constant, test, "multiclass")["log_loss"] - 0.2


def test_without_keys_the_last_period_gives_its_rates_and_a_random_split_has_none() -> None:
    train, tune, test = periods("plan")
    anonymous = [
        lockgate.table(part.frame.drop(columns="customer"), target="y", time="when")
        for part in (train, tune, test)
    ]
    _, last, _ = fit_baselines(anonymous[0], anonymous[1], "multiclass")
    assert last.label == "rates of the last period, 2025-05-31 to 2025-08-31"
    assert last.predictions[0] == pytest.approx(
        tune.frame["y"].value_counts(normalize=True).sort_index().to_numpy()
    )
    mixed = pd.concat([part.frame for part in anonymous]).sample(frac=1, random_state=1)
    halves = [lockgate.table(part, target="y", time="when") for part in (mixed[:900], mixed[900:])]
    assert [b.column for b in fit_baselines(halves[0], halves[1], "multiclass")] == [None, "x"]


KINDS: dict[str, Any] = {
    "boolean": [True, False],
    "integer": [1, 2],
    "number": [0.5, 1.5],
    "category": ["a", "b"],
    "date": list(pd.to_datetime(["2026-01-01", "2026-02-01"])),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_column_is_measured_on_rows_as_the_model_reads_them(kind: str) -> None:
    draws = np.random.default_rng(3)
    codes = draws.integers(0, 2, 900)
    frame = pd.DataFrame({"c": pd.Series(KINDS[kind])[codes].to_numpy(), "x": draws.random(900)})
    frame["y"] = np.where(draws.random(900) < 0.15, 1 - codes, codes)
    loaded = lockgate.table(frame, target="y", kinds={"c": kind})
    train, test = (
        Table(loaded.frame.iloc[rows].reset_index(drop=True), loaded.schema)
        for rows in (slice(0, 600), slice(600, None))
    )
    column = fit_baselines(train, test, "binary")[-1]
    assert column.label == "column c alone"
    raw = measure_baseline(column, test, "binary", (0, 1))
    read = conform_to_schema(test.frame, test.schema).assign(y=test.target)
    assert measure_baseline(column, Table(read, test.schema), "binary", (0, 1)) == raw
    assert raw["roc_auc"] > 0.75


def test_the_unit_of_weights_changes_no_baseline() -> None:
    train, tune, test = (table(n, seed) for n, seed in ((800, 1), (300, 2), (400, 3)))

    def losses(unit: float) -> list[float]:
        parts = [
            Table(
                part.frame.assign(w=np.linspace(1, 3, len(part)) * unit),
                dataclasses.replace(
                    part.schema, columns=(*part.schema.columns, Column("w", "number")), weight="w"
                ),
            )
            for part in (train, tune, test)
        ]
        return [
            measure_baseline(baseline, parts[2], "binary", ("no", "yes"))["log_loss"]
            for baseline in fit_baselines(parts[0], parts[1], "binary")
        ]

    assert losses(1.0) == pytest.approx(losses(1e-4))


def test_what_follows_a_class_is_weighted() -> None:
    rows = 400
    draws = np.random.default_rng(9)
    plan = np.tile(["a", "b"], rows // 2)
    frame = pd.DataFrame(
        {
            "when": np.repeat(pd.date_range("2026-01-01", periods=4, freq="D"), rows // 4),
            "who": np.tile(np.arange(rows // 4), 4).astype(str),
            "x": draws.random(rows),
            "y": plan,
        }
    )
    frame.loc[300:, "y"] = np.where(draws.random(100) < 0.5, "b", "a")
    frame["w"] = np.where((frame.index >= 300) & (frame["y"] == "b"), 50.0, 1.0)
    loaded = lockgate.table(frame, target="y", time="when", id="who", weight="w")
    train, tune = (
        Table(loaded.frame.iloc[part].reset_index(drop=True), loaded.schema)
        for part in (slice(0, 300), slice(300, None))
    )
    last = fit_baselines(train, tune, "binary")[1]
    assert last.label == "last y of the same who"
    assert min(share[1] for share in last.predictions[:-1]) > 0.7
