"""Models of several targets: packed with equal values, asked in every way of Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.sparse import csr_matrix
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import (
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.linear_model import (
    LinearRegression,
    MultiTaskElasticNet,
    MultiTaskElasticNetCV,
    MultiTaskLasso,
    MultiTaskLassoCV,
    QuantileRegressor,
    Ridge,
    RidgeCV,
)
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor, RegressorChain
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeRegressor

import lockgate
from lockgate.models.packed.runtime.model import PackedModel
from lockgate.testing.examples import example_table
from tests.models.packed.test_container import remade

TARGETS = ("heating load", "cooling")

MODELS: dict[str, Any] = {
    "bagging": BaggingRegressor(Ridge(), 5, random_state=0),
    "chain": RegressorChain(Ridge(), order=[1, 0]),
    "constant": DummyRegressor(),
    "each": MultiOutputRegressor(HistGradientBoostingRegressor(max_iter=20)),
    "extra trees": ExtraTreesRegressor(10, random_state=0),
    "forest": RandomForestRegressor(20, random_state=0),
    "least squares": LinearRegression(fit_intercept=False),
    "logarithm": TransformedTargetRegressor(
        MultiOutputRegressor(GradientBoostingRegressor(n_estimators=10)),
        func=np.log1p,
        inverse_func=np.expm1,
    ),
    "multi-task elastic net": MultiTaskElasticNet(0.1),
    "multi-task elastic net, tuned": MultiTaskElasticNetCV(cv=2, alphas=3),
    "multi-task lasso": MultiTaskLasso(0.1),
    "multi-task lasso, tuned": MultiTaskLassoCV(cv=2, alphas=3),
    "neighbors": KNeighborsRegressor(weights="distance"),
    "network": MLPRegressor(hidden_layer_sizes=(8,), random_state=0, early_stopping=True),
    "ridge": RidgeCV(),
    "scaled": TransformedTargetRegressor(Ridge(), transformer=StandardScaler()),
    "search": GridSearchCV(MultiOutputRegressor(SVR()), {"estimator__C": [1.0, 10.0]}, cv=2),
    "tree": DecisionTreeRegressor(max_depth=5, random_state=0),
}


def rows(count: int = 300, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"area": rng.gamma(2, 20, count), "walls": rng.normal(size=count)})
    noise = rng.normal(scale=0.3, size=(count, 2))
    values = np.c_[X["area"] / 10 + X["walls"] + 5, 30 - X["area"] / 20] + noise
    return X, pd.DataFrame(np.abs(values), columns=list(TARGETS))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", MODELS)
def test_every_kind_of_model_predicts_the_values_of_the_original(tmp_path: Path, name: str) -> None:
    X, Y = rows()
    later, actual = rows(500, seed=1)
    model = make_pipeline(StandardScaler(), MODELS[name]).fit(X, Y)
    bundle = lockgate.pack(model, X, Y, path=tmp_path / "m", test=(later, actual))
    assert (bundle.manifest.task, bundle.manifest.schema.target) == ("multioutput", TARGETS)
    expected = model.predict(later)
    output = bundle.predict(later)
    assert output.label.shape == (500, 2)
    assert np.allclose(output.label, expected, rtol=1e-12, atol=1e-12)
    # a row alone, and other engines, to the bit
    row = bundle.predict_one(later.iloc[7].to_dict())
    assert row.label == output.label[7].tolist()
    assert (row.score, row.margin, row.interval) == (None, None, None)
    for engine in ("rows", "columns"):
        assert np.array_equal(bundle.predict(later, engine=engine).label, output.label)
    frame = bundle.predict_frame(later)
    assert list(frame) == ["value_heating load", "value_cooling"]
    assert np.array_equal(frame.to_numpy(), output.label)
    measured = bundle.metrics()["regression"]
    assert measured["mean_r2"]["estimate"] == pytest.approx(r2_score(actual, expected), abs=1e-12)
    mae = mean_absolute_error(actual, expected, multioutput="raw_values")
    assert measured["mae_heating_load"]["estimate"] == pytest.approx(mae[0], abs=1e-12)
    assert measured["mae_cooling"]["estimate"] == pytest.approx(mae[1], abs=1e-12)


def test_categories_and_a_folder_that_is_opened_again(tmp_path: Path) -> None:
    table = example_table("multioutput")
    X = table.features[["size", "colour"]]
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore", max_categories=5), Ridge())
    model.fit(X, table.target)
    bundle = lockgate.pack(model, X, table.target, path=tmp_path / "m")
    assert bundle.manifest.schema.target == ("target_0", "target_1")
    opened = lockgate.open(tmp_path / "m")
    assert np.array_equal(opened.predict(X).label, bundle.predict(X).label)
    references = [bins.column for bins in opened.reference().scores]
    assert references == ["(score) target_0", "(score) target_1"]
    assert "model of `target_0`, `target_1`" in (opened.path / "card.md").read_text()


def test_a_format_of_estimators_holds_several_targets(tmp_path: Path) -> None:
    X, Y = rows()
    model = RandomForestRegressor(5, random_state=0).fit(X, Y)
    bundle = lockgate.pack(model, X, Y, path=tmp_path / "m", format="skops")
    assert np.array_equal(bundle.predict(X).label, model.predict(X))
    assert bundle.predict_frame(X).shape == (len(X), 2)


def test_what_cannot_be_packed_says_why(tmp_path: Path) -> None:
    X, Y = rows()
    ridge = Ridge().fit(X, Y)
    with pytest.raises(lockgate.UsageError, match="predicts 2 values for each row: pass the targ"):
        lockgate.pack(ridge, X, path=tmp_path / "m")
    with pytest.raises(lockgate.UsageError, match="predicts 2 values .* passed are .*, third"):
        lockgate.pack(ridge, X, Y.assign(third=1.0), path=tmp_path / "m")
    with pytest.raises(
        lockgate.UsageError, match="predicts 1 value.* passed are heating load, cool"
    ):
        lockgate.pack(Ridge().fit(X, Y["cooling"]), X, Y, path=tmp_path / "m")
    with pytest.raises(lockgate.DataError, match="rows lack a value of the target"):
        lockgate.pack(ridge, X, Y.mask(Y > 20), path=tmp_path / "m")
    with pytest.raises(lockgate.DataError, match="the target holds others"):
        lockgate.pack(ridge, X, Y.astype(str) + " kWh", path=tmp_path / "m")
    with pytest.raises(lockgate.DataError, match="y has a column walls, as X has"):
        lockgate.pack(ridge, X, Y.set_axis(["walls", "b"], axis=1), path=tmp_path / "m")
    with pytest.raises(lockgate.UsageError, match="several targets have no prediction intervals"):
        lockgate.pack(ridge, X, Y, path=tmp_path / "m", tune=(X, Y), coverage=0.9)
    of_quantiles = MultiOutputRegressor(QuantileRegressor()).fit(X, Y)
    with pytest.raises(lockgate.UsageError, match="quantiles of several targets"):
        lockgate.pack(of_quantiles, X, Y, path=tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_a_bundle_whose_targets_are_not_those_of_the_model_is_refused(tmp_path: Path) -> None:
    X, Y = rows()
    bundle = lockgate.pack(Ridge().fit(X, Y), X, Y, path=tmp_path / "m")
    path = bundle.path / "manifest.json"
    document = json.loads(path.read_bytes())
    for targets, reason in (
        (["a", "b", "c"], "task, classes or targets differ"),
        ("a", "a multioutput model of 1 targets"),
        ([], "a multioutput model of 0 targets"),
    ):
        document["schema"]["target"] = targets
        path.write_text(json.dumps(document))
        with pytest.raises(lockgate.BundleError, match=reason):
            lockgate.open(bundle.path)


def test_a_packed_file_of_several_targets_is_checked(tmp_path: Path) -> None:
    X, Y = rows()
    bundle = lockgate.pack(Ridge().fit(X, Y), X, Y, path=tmp_path / "m")
    raw = (bundle.path / "model.packed").read_bytes()
    assert PackedModel(raw).target_count == 2
    for change, reason in (
        ({"task": "regression"}, "label has width 2, expected 1"),
        ({"task": "binary", "classes": [0, 1]}, "label has width 2, expected 1"),
        ({"classes": ["a", "b"]}, "2 classes do not fit task multioutput"),
    ):
        with pytest.raises(lockgate.PackedFormatError, match=reason):
            PackedModel(remade(raw, lambda header, change=change: header.update(change)))
    with pytest.raises(lockgate.PackedFormatError, match="several targets have no margin"):
        PackedModel(remade(raw, lambda header: header["answers"].update(margin=0)))


def test_columns_of_other_rows_are_matched_by_name(tmp_path: Path) -> None:
    X, Y = rows()
    forest = RandomForestRegressor(10, random_state=0).fit(X, Y)
    bundles = [
        lockgate.pack(forest, X, Y, path=tmp_path / "m", test=(X, actual))
        for actual in (Y, Y[list(TARGETS[::-1])], Y.to_numpy())
    ]
    assert len({bundle.digest for bundle in bundles}) == 1
    with pytest.raises(
        lockgate.DataError, match="y: expected columns heating load, cooling, got a"
    ):
        lockgate.pack(forest, X, Y, path=tmp_path / "m", test=(X, Y.set_axis(["a", "b"], axis=1)))
    lacking = Y.assign(cooling=Y["cooling"].where(np.arange(300) > 2))
    with pytest.raises(lockgate.DataError, match="several columns of one name: a, a"):
        lockgate.pack(forest, X, Y.set_axis(["a", "a"], axis=1), path=tmp_path / "m")
    with pytest.raises(
        lockgate.DataError, match="test: 3 rows lack a value of the target .cooling"
    ):
        lockgate.pack(forest, X, Y, path=tmp_path / "m", test=(X, lacking))


def test_targets_in_another_order_than_the_model_was_fitted_on_are_refused(tmp_path: Path) -> None:
    X, Y = rows()
    forest = RandomForestRegressor(10, random_state=0).fit(X, Y)
    with pytest.raises(lockgate.DataError, match="predicts heating load, cooling, in that order"):
        lockgate.pack(forest, X, Y[list(TARGETS[::-1])], path=tmp_path / "m")
    # nothing is known of the order of a constant, or of targets that are nearly equal
    constant = DummyRegressor().fit(X, Y)
    lockgate.pack(constant, X, Y[list(TARGETS[::-1])], path=tmp_path / "constant")
    alike = Y.assign(cooling=Y["heating load"] * 1.001)
    swapped = RandomForestRegressor(10, random_state=0).fit(X, alike[list(TARGETS[::-1])])
    lockgate.pack(swapped, X, alike, path=tmp_path / "alike")


def test_targets_in_any_form_are_taken_or_refused_with_a_reason(tmp_path: Path) -> None:
    X, Y = rows()
    model = Ridge().fit(X, Y)
    table = pa.Table.from_pandas(Y)
    assert lockgate.pack(model, X, table, path=tmp_path / "m").targets == TARGETS
    odd = Y.set_axis(["self", ""], axis=1)
    assert lockgate.pack(model, X, odd, path=tmp_path / "m").targets == ("self", "target_1")
    for wrong in (Y.to_numpy()[:, :, None], Y.iloc[:, :0], csr_matrix(Y.to_numpy())):
        with pytest.raises(lockgate.DataError, match="y: expected an array, series or frame"):
            lockgate.pack(model, X, wrong, path=tmp_path / "m")
    with pytest.raises(lockgate.DataError, match="expected columns heating load, cooling, got one"):
        lockgate.pack(model, X, Y, path=tmp_path / "m", test=(X, Y["cooling"]))
    one = Ridge().fit(X, Y[["cooling"]])
    for form in ("packed", "skops"):
        bundle = lockgate.pack(one, X, Y[["cooling"]], path=tmp_path / "m", format=form)
        assert (bundle.manifest.task, bundle.targets) == ("regression", ("cooling",))
        assert bundle.predict(X).label.shape == (300,)
        with pytest.raises(lockgate.UsageError, match=r"predicts 2 values for each row"):
            lockgate.pack(model, X, path=tmp_path / "m", format=form)
        with pytest.raises(lockgate.UsageError, match=r"predicts 2 values for each row"):
            lockgate.pack(model, X, Y["cooling"], path=tmp_path / "m", format=form)


@pytest.mark.parametrize("inner", [DecisionTreeRegressor(), HistGradientBoostingRegressor()])
def test_a_chain_refuses_missing_cells_as_the_original_does(tmp_path: Path, inner: Any) -> None:
    X, Y = rows()
    bundle = lockgate.pack(RegressorChain(inner).fit(X, Y), X, Y, path=tmp_path / "m")
    with pytest.raises(lockgate.SchemaViolation, match="missing"):
        bundle.predict_one({"area": None, "walls": 1.0})
