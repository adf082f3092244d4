"""Gates and incumbents of models of several targets: each compared with its own."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.tree import DecisionTreeRegressor

import lockgate
from lockgate.builtin.gates.bound import Bound
from lockgate.builtin.gates.no_worse import NoWorse
from lockgate.builtin.gates.parity import Parity
from lockgate.builtin.gates.signature import Signature
from lockgate.models.bundle.open import Bundle
from tests.builtin.gates.cases import case
from tests.conftest import Run

TARGETS = ["heating", "cooling", "gas"]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(600, 2)), columns=["area", "walls"])
    noise = rng.normal(size=(600, 3)) * [0.1, 0.1, 2]
    return X.assign(
        heating=X["area"] + noise[:, 0],
        cooling=50 - X["walls"] + noise[:, 1],
        gas=1000 * X["area"] + 1000 * noise[:, 2],
    )


@pytest.fixture(scope="module")
def bundles(rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    root, X = tmp_path_factory.mktemp("bundles"), rows[["area", "walls"]]
    made = {}
    for name, model, targets in (
        ("good", LinearRegression(), TARGETS),
        ("reversed", LinearRegression(), TARGETS[::-1]),
        ("fewer", DecisionTreeRegressor(max_depth=4, random_state=0), TARGETS[:2]),
        ("worse", DecisionTreeRegressor(max_depth=4, random_state=0), TARGETS),
    ):
        fitted = model.fit(X, rows[targets])
        made[name] = lockgate.pack(fitted, X, rows[targets], name="m", path=root / name)
    return made


def test_no_worse_compares_the_mean_and_each_target(
    bundles: dict[str, Bundle], rows: pd.DataFrame
) -> None:
    good, worse = bundles["good"], bundles["worse"]
    same = NoWorse(margin=1e-9).judge(case(bundles["reversed"], good, rows))
    assert same.passed is True
    assert same.metrics["difference"] == pytest.approx(0, abs=1e-12)
    assert NoWorse().judge(case(worse, good, rows)).passed is False
    truth = rows[TARGETS]
    change = [
        r2_score(truth["cooling"], bundle.predict(rows).label[:, 1]) for bundle in (worse, good)
    ]
    ruling = NoWorse(metric="r2_cooling").judge(case(worse, good, rows))
    assert ruling.metrics["difference"] == pytest.approx(change[0] - change[1], abs=1e-12)
    assert NoWorse(metric="rmse_cooling").judge(case(good, worse, rows)).passed is True
    with pytest.raises(lockgate.UsageError, match="unknown whether higher values of bias_gas"):
        NoWorse(metric="bias_gas").judge(case(worse, good, rows))
    with pytest.raises(lockgate.UsageError, match="unknown metric 'r2_heat'.*r2_heating"):
        NoWorse(metric="r2_heat", direction="higher").judge(case(worse, good, rows))


def test_versions_of_other_targets_are_not_compared(
    bundles: dict[str, Bundle], rows: pd.DataFrame
) -> None:
    ruling = NoWorse(margin=1).judge(case(bundles["fewer"], bundles["good"], rows))
    assert ruling.passed is False
    assert "it predicts heating, cooling, 1.0.0 heating, cooling, gas" in ruling.message
    change = Signature(breaking=False).judge(case(bundles["fewer"], bundles["good"], rows))
    assert change.passed is False
    assert "it predicts heating, cooling instead of heating, cooling, gas" in change.message


def test_other_gates_judge_several_targets(bundles: dict[str, Bundle], rows: pd.DataFrame) -> None:
    assert Parity().judge(case(bundles["good"], rows=rows)).passed is True
    bound = Bound(metric="r2_heating", at_least=0.9)
    assert bound.judge(case(bundles["good"], rows=rows)).passed is True
    bound = Bound(metric="r2_gas", at_least=0.9)
    assert bound.judge(case(bundles["good"], rows=rows)).passed is False


def test_a_file_is_packed_with_targets_in_the_order_of_the_fit(
    rows: pd.DataFrame, tmp_path: Path, call: Run
) -> None:
    fitted = LinearRegression().fit(rows[["area", "walls"]], rows[["heating", "cooling"]])
    joblib.dump(fitted, tmp_path / "m.joblib")
    rows.drop(columns="gas").to_csv(tmp_path / "rows.csv", index=False)
    words = ("lockgate", "pack", "m.joblib", "--data", "rows.csv", "--trust-code")
    call(*words, "--target", "heating", "--target", "cooling", cwd=tmp_path)
    assert lockgate.open(tmp_path / "m").targets == ("heating", "cooling")
