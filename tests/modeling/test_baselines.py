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
