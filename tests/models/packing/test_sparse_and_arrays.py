"""Sparse matrices, arrays and names of columns, as a bundle is asked with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import IsolationForest
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

import lockgate

rng = np.random.default_rng(0)
ARRAY = rng.normal(size=(300, 10))
LABELS = (ARRAY[:, 3] + ARRAY[:, 8] > 0).astype(int)


def test_a_model_that_reads_a_sparse_matrix_otherwise_is_refused(tmp_path: Path) -> None:
    matrix = scipy.sparse.random(300, 30, 0.2, format="csr", random_state=0)
    y = (np.asarray(matrix.sum(axis=1)).ravel() > 3).astype(int)
    trees = xgboost.XGBClassifier(n_estimators=5).fit(matrix, y)
    with pytest.raises(lockgate.NotCovered, match="absent cells for missing values"):
        lockgate.pack(trees, matrix, y, path=tmp_path / "trees")
    linear = LogisticRegression().fit(matrix, y)
    bundle = lockgate.pack(linear, matrix, y, path=tmp_path / "linear")
    assert np.array_equal(bundle.predict(matrix.toarray()).label, linear.predict(matrix))


def test_the_zeros_of_an_encoder_before_xgboost_are_named(tmp_path: Path) -> None:
    X = pd.DataFrame({"plan": rng.choice(list("abc"), 400)})
    y = (X["plan"] == "a").to_numpy() ^ (rng.random(400) < 0.1)
    trees = xgboost.XGBClassifier(n_estimators=5)
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), trees).fit(X, y)
    with pytest.raises(lockgate.NotCovered, match="OneHotEncoder.sparse_output=False") as raised:
        lockgate.pack(model, X, y, path=tmp_path / "plans")
    assert "other versions" not in str(raised.value)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    model = make_pipeline(encoder, trees).fit(X, y)
    assert lockgate.pack(model, X, y, path=tmp_path / "plans").classes == (False, True)


def test_an_array_has_the_columns_of_fit_in_their_order(tmp_path: Path) -> None:
    """Names that look like numbers are names: x1 may stand before x0."""
    frame = pd.DataFrame(ARRAY[:, 3:5], columns=["x1", "x0"])
    model = LogisticRegression().fit(frame, LABELS)
    bundle = lockgate.pack(model, frame, LABELS, path=tmp_path / "model")
    np.testing.assert_allclose(bundle.predict_proba(frame.to_numpy()), model.predict_proba(frame))
    model = make_pipeline(SelectKBest(k=5), LogisticRegression()).fit(ARRAY, LABELS)
    bundle = lockgate.pack(model, ARRAY, LABELS, path=tmp_path / "selected")
    np.testing.assert_allclose(bundle.predict_proba(ARRAY), model.predict_proba(ARRAY))
    width = ARRAY.shape[1]
    with pytest.raises(lockgate.SchemaViolation, match=f"an array of shape .rows, {width}."):
        bundle.predict(ARRAY[:, :5])


def test_xgboosts_names_of_levels_are_those_of_the_bundle(tmp_path: Path) -> None:
    names = pd.MultiIndex.from_tuples([("price", "mean"), ("price", "max")])
    frame = pd.DataFrame(ARRAY[:, 3:5], columns=names)
    model = xgboost.XGBClassifier(n_estimators=3).fit(frame, LABELS)
    bundle = lockgate.pack(model, frame, LABELS, path=tmp_path / "model")
    assert np.array_equal(bundle.predict(frame).label, model.predict(frame))


@pytest.mark.parametrize("ensemble", [True, False])
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibrated_boosters_of_several_classes(
    tmp_path: Path, method: str, ensemble: bool
) -> None:
    frame = pd.DataFrame(ARRAY[:, :4], columns=list("abcd"))
    y = np.array(["lo", "mid", "hi"])[
        np.digitize(frame["a"] + rng.normal(size=300) / 2, [-0.5, 0.5])
    ]
    booster = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1)
    model = CalibratedClassifierCV(booster, method=method, ensemble=ensemble, cv=3).fit(frame, y)
    bundle = lockgate.pack(model, frame, y, path=tmp_path / "model")
    np.testing.assert_allclose(bundle.predict_proba(frame), model.predict_proba(frame), atol=1e-12)


@pytest.mark.parametrize("metric", ["manhattan", "chebyshev"])
def test_neighbors_by_distance_of_counts(tmp_path: Path, metric: str) -> None:
    frame = pd.DataFrame({"a": ARRAY[:, 3], "count": rng.integers(0, 3, 300).astype(float)})
    near = frame.iloc[:40].assign(a=frame["a"] + 5e-324)  # its inverse is infinite
    for estimator in (KNeighborsClassifier, KNeighborsRegressor):
        model = estimator(4, weights="distance", metric=metric).fit(frame, LABELS)
        bundle = lockgate.pack(model, frame, LABELS, path=tmp_path / "model")
        np.testing.assert_array_equal(bundle.predict(near).label, model.predict(near))


NONE_STEPS = {
    "imputer": (SimpleImputer(strategy="most_frequent"), OneHotEncoder()),
    "indicator": (
        SimpleImputer(strategy="most_frequent", add_indicator=True),
        OneHotEncoder(handle_unknown="ignore"),
    ),
    "one-hot": (OneHotEncoder(),),
    "ordinal": (OrdinalEncoder(encoded_missing_value=-1),),
    "target": (TargetEncoder(),),
}


@pytest.mark.parametrize("steps", NONE_STEPS)
@pytest.mark.parametrize("missing", [None, np.nan])
def test_none_is_for_an_imputer_of_nan_a_category(
    steps: str, missing: float | None, tmp_path: Path
) -> None:
    cells = rng.choice(np.array(["a", "b", "c", missing], dtype=object), 300)
    frame = pd.DataFrame({"plan": pd.Series(cells, dtype=object)})
    labels = (frame["plan"].isna() ^ (rng.random(300) < 0.1)).astype(int)
    model = make_pipeline(*NONE_STEPS[steps], LogisticRegression()).fit(frame, labels)
    bundle = lockgate.pack(model, frame, labels, path=tmp_path / "model")
    np.testing.assert_allclose(bundle.predict_proba(frame), model.predict_proba(frame), atol=1e-12)


def test_none_and_nan_in_a_column_are_named_as_a_cause(tmp_path: Path) -> None:
    cells = rng.choice(np.array(["a", "b", None, np.nan], dtype=object), 300)
    frame = pd.DataFrame({"plan": pd.Series(cells, dtype=object), "a": ARRAY[:, 3]})
    steps = SimpleImputer(strategy="most_frequent"), OneHotEncoder(), LogisticRegression()
    model = make_pipeline(*steps).fit(frame[["plan"]], LABELS)
    with pytest.raises(lockgate.NotCovered, match=r"column plan holds both.*X.fillna\(np.nan\)"):
        lockgate.pack(model, frame[["plan"]], LABELS, path=tmp_path / "model")


@pytest.mark.parametrize("threshold", [np.inf, -np.inf])
def test_infinite_thresholds_are_packed(tmp_path: Path, threshold: float) -> None:
    frame = pd.DataFrame(ARRAY[:, :4], columns=list("abcd"))
    inner = LogisticRegression().fit(frame, LABELS)
    model = FixedThresholdClassifier(inner, threshold=threshold).fit(frame, LABELS)
    bundle = lockgate.pack(model, frame, LABELS, path=tmp_path / "model")
    assert np.array_equal(bundle.predict(frame).label, model.predict(frame))


@pytest.mark.parametrize("options", [{}, {"contamination": 0.1}, {"max_features": 1}])
def test_a_detector_of_scikit_learn_flags_what_it_calls_an_anomaly(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    frame = pd.DataFrame(ARRAY[:, 3:6], columns=list("abc"))
    frame = frame[["a"]] if not options else frame
    model = IsolationForest(n_estimators=20, random_state=0, **options).fit(frame)
    bundle = lockgate.pack(model, frame, path=tmp_path / "model", test=(frame, None))
    assert bundle.classes == (1, -1)
    output = bundle.predict(frame)
    np.testing.assert_array_equal(output.label, model.predict(frame))
    np.testing.assert_allclose(output.margin, -model.decision_function(frame), atol=1e-12)
    flagged = bundle.metrics()["anomaly"]["flagged"]["estimate"]
    assert flagged == pytest.approx(np.mean(model.predict(frame) == -1))
    assert flagged > 0
