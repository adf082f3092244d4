"""Baselines predict as a script of five lines would, and the best column is chosen on other rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, root_mean_squared_error

import lockgate
from lockgate.contract.tables import Table
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
