"""Columns are matched by name with those that a model was fitted on, in any form of rows."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

import lockgate
from lockgate.errors import LockgateError, SchemaViolation

rng = np.random.default_rng(0)
X = pd.DataFrame({"a": rng.normal(size=300), "b": rng.normal(size=300) * 100})
y = (X["a"] - X["b"] / 300 > 0).astype(int).to_numpy()


def test_another_order_is_put_right(tmp_path: Path) -> None:
    model = LogisticRegression().fit(X, y)
    bundle = lockgate.pack(model, X[["b", "a"]], y, path=tmp_path / "m", test=(X[["b", "a"]], y))
    assert np.array_equal(bundle.predict(X).label, model.predict(X))
    assert np.array_equal(bundle.predict(X[["b", "a"]]).label, model.predict(X))
    assert [column.name for column in bundle.manifest.schema.features] == ["a", "b"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": "A"}, r"X lacks columns that the model was fitted on: 'a'; it has 'A' instead"),
        ({"b": "amount_b"}, "lacks columns that the model was fitted on: 'b'"),
    ],
)
@pytest.mark.parametrize("kind", [LogisticRegression, lightgbm.LGBMClassifier])
def test_a_renamed_column_is_refused_by_name(
    tmp_path: Path, columns: dict[str, str], message: str, kind: Any
) -> None:
    options = {"verbose": -1, "n_estimators": 3} if kind is lightgbm.LGBMClassifier else {}
    model = kind(**options).fit(X, y)
    with pytest.raises(LockgateError, match=message):
        lockgate.pack(model, X.rename(columns=columns), y, path=tmp_path / "m")


def test_columns_too_many_and_too_few_are_named(tmp_path: Path) -> None:
    model = LogisticRegression().fit(X, y)
    with pytest.raises(LockgateError, match="not fitted on: 'c'; leave them out"):
        lockgate.pack(model, X.assign(c=1.0), y, path=tmp_path / "m")
    with pytest.raises(LockgateError, match="lacks columns that the model was fitted on: 'b'"):
        lockgate.pack(model, X[["a"]], y, path=tmp_path / "m")
    on_array = LogisticRegression().fit(X.to_numpy(), y)
    with pytest.raises(LockgateError, match="expected 2 columns, as in fit, got 1"):
        lockgate.pack(on_array, X[["a"]], y, path=tmp_path / "m")


def test_lightgbm_writes_blanks_as_underscores(tmp_path: Path) -> None:
    frame = X.rename(columns={"a": "age in years"})
    options: Any = {"n_estimators": 5, "verbose": -1}
    model = lightgbm.LGBMClassifier(**options).fit(frame, y)
    bundle = lockgate.pack(model, frame[["b", "age in years"]], y, path=tmp_path / "m")
    assert np.array_equal(bundle.predict(frame).label, model.predict(frame))
    on_array = lightgbm.LGBMClassifier(**options).fit(X.to_numpy(), y)
    bundle = lockgate.pack(on_array, X, y, path=tmp_path / "array")
    assert np.array_equal(bundle.predict(X).label, on_array.predict(X.to_numpy()))
    named = X.set_axis(["Column_0", "Column_1"], axis=1)
    odd = lightgbm.LGBMClassifier(**options).fit(named, y)
    bundle = lockgate.pack(odd, named[["Column_1", "Column_0"]], y, path=tmp_path / "odd")
    assert np.array_equal(bundle.predict(named).label, odd.predict(named))
    for outer in (make_pipeline(model), VotingClassifier([("m", model)], voting="soft")):
        outer.fit(frame, y)
        bundle = lockgate.pack(outer, frame[["b", "age in years"]], y, path=tmp_path / "outer")
        assert np.array_equal(bundle.predict(frame).label, outer.predict(frame))


def test_rows_may_come_in_every_form_that_scikit_learn_takes(tmp_path: Path) -> None:
    array = X.to_numpy()
    forms: dict[str, Any] = {
        "array": array,
        "list": array.tolist(),
        "sparse": scipy.sparse.csr_matrix(array),
        "numbered": pd.DataFrame(array),
        "levels": X.set_axis(pd.MultiIndex.from_tuples([("a", "mean"), ("a", "sum")]), axis=1),
        "other": X.rename(columns={"a": 7, "b": 8}),
    }
    for name, rows in forms.items():
        model = LogisticRegression().fit(rows, y)
        bundle = lockgate.pack(model, rows, y, path=tmp_path / name)
        expected = model.predict_proba(rows)[:, 1]
        if name not in ("list", "sparse"):
            assert np.allclose(np.asarray(bundle.predict(rows).score), expected, atol=1e-12), name
        assert np.array_equal(bundle.predict(array).label, model.predict(rows)), name
    columns = lockgate.open(tmp_path / "levels").manifest.schema.features
    assert [column.name for column in columns] == ["a_mean", "a_sum"]
    series = LinearRegression().fit(X[["a"]], X["b"])
    packed = lockgate.pack(series, X["a"], X["b"], path=tmp_path / "series")
    assert np.allclose(packed.predict(X).label, series.predict(X[["a"]]))


def test_an_array_keeps_its_positions_where_the_model_leaves_columns_out(tmp_path: Path) -> None:
    array = np.random.default_rng(3).normal(size=(300, 4))
    some = make_column_transformer((StandardScaler(), [3, 1]))
    model = make_pipeline(some, LogisticRegression()).fit(array, array[:, 3] > array[:, 1])
    labels, shuffled = model.predict(array), pd.DataFrame(array, columns=["x1", "x0", "x3", "x2"])
    bundle = lockgate.pack(model, array, labels, path=tmp_path / "m", test=(array, labels))
    assert [column.name for column in bundle.manifest.schema.features] == ["x1", "x3"]
    assert np.array_equal(bundle.predict(array).label, labels)
    assert np.array_equal(bundle.predict(array[:50].tolist()).label, labels[:50])
    by_name = bundle.predict(shuffled).label
    assert np.array_equal(by_name, bundle.predict(shuffled[["x0", "x1", "x2", "x3"]]).label)
    with pytest.raises(SchemaViolation, match="row 0 is 2 cells, expected 4 cells"):
        bundle.predict(array[:, [1, 3]].tolist())
    named = lockgate.pack(model, pd.DataFrame(array), labels, path=tmp_path / "named")
    assert np.array_equal(named.predict(array).label, labels)


def test_a_list_of_mixed_cells_keeps_its_numbers(tmp_path: Path) -> None:
    rows: list[list[Any]] = [[float(a), "xy"[k % 2]] for k, a in enumerate(X["a"])]
    encoded = make_column_transformer((OneHotEncoder(), [1]), remainder="passthrough")
    model = make_pipeline(encoded, LogisticRegression()).fit(np.asarray(rows, object), y)
    bundle = lockgate.pack(model, rows, y, path=tmp_path / "m")
    kinds = [column.kind for column in bundle.manifest.schema.features]
    assert kinds == ["number", "category"]
    assert bundle.predict_one({"x0": 0.3, "x1": "y"}).label in (0, 1)


def test_names_of_inner_models_count(tmp_path: Path) -> None:
    model = TransformedTargetRegressor(LinearRegression(), func=np.log, inverse_func=np.exp)
    target = np.exp(X["a"])
    model.fit(X, target)
    bundle = lockgate.pack(model, X[["b", "a"]], target, path=tmp_path / "m")
    assert np.allclose(bundle.predict(X).label, model.predict(X), rtol=1e-12)


def test_a_target_may_be_named_like_a_column(tmp_path: Path) -> None:
    target = (X["a"] > 0).astype(int)
    model = LogisticRegression().fit(X, target)
    bundle = lockgate.pack(model, X, target, path=tmp_path / "m", test=(X, target))
    assert bundle.manifest.schema.target == "target"
    with pytest.raises(LockgateError, match="y is the column a of X"):
        lockgate.pack(LinearRegression().fit(X, X["a"]), X, X["a"], path=tmp_path / "m")


def test_mistakes_in_held_out_rows_and_names_are_said(tmp_path: Path) -> None:
    model = LogisticRegression().fit(X, y)
    for key, rows in (("tune", X), ("test", (X,))):
        with pytest.raises(LockgateError, match=f"{key}: expected a pair"):
            lockgate.pack(model, X, y, path=tmp_path / "m", **{key: rows})  # type: ignore[arg-type]  # the mistake
    levels = X.set_axis(pd.MultiIndex.from_tuples([("a_b", "c"), ("a", "b_c")]), axis=1)
    with pytest.raises(LockgateError, match="of X are both called a_b_c"):
        lockgate.pack(model, levels, y, path=tmp_path / "m")
    named = pd.Series(y, name=("p", "mean"))
    bundle = lockgate.pack(model, X, named, path=tmp_path / "m")
    assert bundle.manifest.schema.target == "p_mean"


def test_too_many_columns_are_refused_with_the_way_out(tmp_path: Path) -> None:
    wide = scipy.sparse.random(50, 20_000, density=0.01, format="csr", random_state=0)
    model = LogisticRegression().fit(wide, np.arange(50) % 2)
    with pytest.raises(LockgateError, match="pack the pipeline with the vectorizer"):
        lockgate.pack(model, wide, path=tmp_path / "m")


@pytest.mark.parametrize("classes", [2, 3])
def test_a_bundle_answers_like_a_classifier_and_is_pickled_by_reference(
    classes: int, tmp_path: Path
) -> None:
    target = np.digitize(X["a"], [0] if classes == 2 else [-0.5, 0.5])
    model = LogisticRegression().fit(X, target)
    bundle = lockgate.pack(model, X, target, path=tmp_path / "m")
    assert bundle.classes == tuple(model.classes_.tolist())
    assert np.allclose(bundle.predict_proba(X), model.predict_proba(X), atol=1e-12)
    frame = bundle.predict_frame(X[::-1])
    assert frame.index.equals(X.index[::-1])
    assert np.array_equal(frame["label"], model.predict(X[::-1]))
    scores = ["score"] if classes == 2 else ["score_0", "score_1", "score_2"]
    assert list(frame) == ["label", *scores]
    again = pickle.loads(pickle.dumps(bundle))
    assert again.digest == bundle.digest
    assert np.array_equal(again.predict(X).label, bundle.predict(X).label)
    raw = pickle.dumps(bundle)
    assert len(raw) < 1000
    lockgate.pack(LogisticRegression(C=0.1).fit(X, target), X, target, path=tmp_path / "m")
    with pytest.raises(lockgate.BundleError, match="is another bundle"):
        pickle.loads(raw)


def test_margins_have_no_probabilities(tmp_path: Path) -> None:
    bundle = lockgate.pack(LinearSVC().fit(X, y), X, y, path=tmp_path / "m")
    with pytest.raises(lockgate.UsageError, match="model has no probabilities: use predict"):
        bundle.predict_proba(X)
    values = lockgate.pack(LinearRegression().fit(X, X["a"] * 2), X, path=tmp_path / "values")
    assert list(values.predict_frame(X.to_numpy())) == ["value"]
