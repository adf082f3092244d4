"""Regressions that predict a quantile: which, how good, from the search to the bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lightgbm import LGBMRegressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.linear_model import LinearRegression, QuantileRegressor
from sklearn.metrics import d2_pinball_score, mean_pinball_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from xgboost import XGBRegressor

import lockgate
from lockgate.modeling.metrics.losses import chosen_metric
from lockgate.modeling.metrics.regression import RegressionMetrics
from lockgate.modeling.training.quantiles import quantile_of


def boosting(quantile: float) -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(loss="quantile", quantile=quantile, max_iter=20)


@pytest.mark.parametrize(
    ("estimator", "quantile"),
    [
        (boosting(0.9), 0.9),
        (GradientBoostingRegressor(loss="quantile", alpha=0.2), 0.2),
        (GradientBoostingRegressor(loss="huber", alpha=0.2), None),
        (QuantileRegressor(), 0.5),
        (LGBMRegressor(objective="quantile", alpha=0.7), 0.7),
        (LGBMRegressor(objective="quantile"), 0.9),
        (LGBMRegressor(), None),
        (XGBRegressor(objective="reg:quantileerror", quantile_alpha=0.8), 0.8),
        (XGBRegressor(), None),
        (TransformedTargetRegressor(QuantileRegressor(quantile=0.3)), 0.3),
        (TransformedTargetRegressor(LinearRegression()), None),
        (TransformedTargetRegressor(boosting(0.3), func=np.log1p, inverse_func=np.expm1), 0.3),
        (make_pipeline(StandardScaler(), boosting(0.1)), 0.1),
        (make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), boosting(0.1))), 0.1),
        (boosting(np.float32(0.9)), 0.9),
        (BaggingRegressor(boosting(0.2)), 0.2),
        (BaggingRegressor(), None),
        (StackingRegressor([("a", boosting(0.9))]), None),
        (StackingRegressor([("a", LinearRegression())], QuantileRegressor(quantile=0.7)), 0.7),
        (VotingRegressor([("a", boosting(0.9)), ("b", "drop")]), 0.9),
        (LGBMRegressor(application="quantile", alpha=0.3), 0.3),
        (XGBRegressor(objective="reg:quantileerror", quantile_alpha=np.array([0.2])), 0.2),
        (VotingRegressor([("a", boosting(0.9)), ("b", QuantileRegressor(quantile=0.9))]), 0.9),
    ],
    ids=str,
)
def test_the_quantile_is_that_of_the_parameters(estimator: Any, quantile: float | None) -> None:
    assert quantile_of(estimator) == quantile


def falls(values: Any) -> Any:
    return -np.asarray(values)


falls.__name__ = "log"


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (VotingRegressor([("a", boosting(0.9)), ("b", boosting(0.8))]), "different quantiles"),
        (VotingRegressor([("a", boosting(0.9)), ("b", LinearRegression())]), "some of them means"),
        (
            TransformedTargetRegressor(boosting(0.3), func=falls, inverse_func=falls),
            "may exchange the tails",
        ),
        (
            TransformedTargetRegressor(boosting(0.3), transformer=FunctionTransformer(falls)),
            "may exchange the tails",
        ),
        (
            XGBRegressor(objective="reg:quantileerror", quantile_alpha=[0.1, 0.9]),
            "expected a single number",
        ),
    ],
    ids=["different", "means", "function", "transformer", "several"],
)
def test_a_quantile_that_cannot_be_told_is_refused(estimator: Any, message: str) -> None:
    with pytest.raises(lockgate.UsageError, match=message):
        quantile_of(estimator)


def test_a_model_of_xgboost_keeps_its_quantile_in_a_file(tmp_path: Path) -> None:
    X, y = rows(count=200)
    model = XGBRegressor(objective="reg:quantileerror", quantile_alpha=0.8, n_estimators=20)
    model.fit(X, y).save_model(tmp_path / "model.json")
    read = XGBRegressor()
    read.load_model(tmp_path / "model.json")
    assert quantile_of(read) == 0.8


def test_a_search_predicts_the_quantile_of_its_best() -> None:
    X, y = rows(count=60)
    search = GridSearchCV(boosting(0.9), {"quantile": [0.7], "max_iter": [2]}, cv=2).fit(X, y)
    assert quantile_of(search) == 0.7


@given(
    st.integers(0, 1000), st.floats(0.05, 0.95), st.booleans(), st.sampled_from(["normal", "few"])
)
def test_metrics_are_those_of_scikit_learn(
    seed: int, quantile: float, weighted: bool, kind: str
) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=60) if kind == "normal" else rng.integers(0, 4, 60).astype(float)
    value = rng.normal(size=60) if kind == "normal" else rng.integers(0, 4, 60).astype(float)
    weight = rng.uniform(0.5, 2, 60) if weighted else None
    metrics = RegressionMetrics(truth, value, quantile)(weight)
    options = {"alpha": quantile, "sample_weight": weight}
    assert metrics["quantile_loss"] == pytest.approx(mean_pinball_loss(truth, value, **options))
    if not weighted:
        expected = d2_pinball_score(truth, value, **options)
        assert metrics["quantile_skill"] == pytest.approx(expected, abs=0.02)
    assert set(metrics) == {"quantile_loss", "quantile_skill", "at_or_below"}
    share = np.average(truth <= value, weights=weight)
    assert metrics["at_or_below"] == pytest.approx(share)


@given(st.integers(0, 1000), st.floats(0.05, 0.95))
def test_no_constant_has_a_smaller_loss_than_the_one_compared_with(
    seed: int, quantile: float
) -> None:
    rng = np.random.default_rng(seed)
    truth, weight = rng.normal(size=40), rng.uniform(0.2, 3, 40)
    for constant in (*truth, *rng.normal(size=5)):
        metrics = RegressionMetrics(truth, np.full(40, constant), quantile)(weight)
        assert metrics["quantile_skill"] <= 1e-12


def test_the_metric_follows_from_the_quantile() -> None:
    assert chosen_metric("auto", "regression") == "rmse"
    assert chosen_metric("auto", "regression", 0.9) == "quantile_loss"
    with pytest.raises(lockgate.SettingError, match=r"for the 0\.9 quantile: quantile_loss"):
        chosen_metric("rmse", "regression", 0.9)
    with pytest.raises(lockgate.SettingError, match="for regression: rmse"):
        chosen_metric("quantile_loss", "regression")


def rows(seed: int = 0, count: int = 600) -> tuple[pd.DataFrame, pd.Series]:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"size": rng.uniform(1, 10, count), "age": rng.uniform(0, 5, count)})
    return frame, pd.Series(frame["size"] * rng.gamma(2.0, 1.0, count), name="orders")


@pytest.mark.parametrize(
    "estimator",
    [boosting(0.9), LGBMRegressor(objective="quantile", alpha=0.9, n_estimators=20, verbose=-1)],
    ids=["scikit-learn", "LightGBM"],
)
def test_a_bundle_says_which_quantile_it_predicts(estimator: Any, tmp_path: Path) -> None:
    X, y = rows()
    later = rows(1)
    bundle = lockgate.pack(estimator.fit(X, y), X, y, path=tmp_path / "stock", test=later)
    assert bundle.manifest.quantile == 0.9
    assert "Each value is the 0.9 quantile" in (bundle.path / "card.md").read_text()
    output = bundle.predict(later[0])
    assert output.quantile == 0.9
    pd.concat(later, axis=1).to_csv(tmp_path / "later.csv", index=False)
    evaluated = lockgate.evaluate(bundle, tmp_path / "later.csv")
    metrics = evaluated.metrics["regression"]
    expected = mean_pinball_loss(later[1], output.label, alpha=0.9)
    assert metrics["quantile_loss"]["estimate"] == pytest.approx(expected)
    assert 0.8 < metrics["at_or_below"]["estimate"] < 0.97
    assert metrics["quantile_skill"]["estimate"] > 0.05


def test_a_mean_has_no_metrics_of_a_quantile(tmp_path: Path) -> None:
    X, y = rows()
    bundle = lockgate.pack(
        LinearRegression().fit(X, y), X, y, path=tmp_path / "stock", test=rows(1)
    )
    assert bundle.manifest.quantile is None
    assert "quantile" not in (bundle.path / "card.md").read_text()
    assert "quantile_loss" not in (bundle.path / "metrics.json").read_text()
