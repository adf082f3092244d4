"""Columns of every dtype are packed with equal answers, or refused with the reason."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PowerTransformer, SplineTransformer

import lockgate
from lockgate.errors import DataError

draws = np.random.default_rng(0)
X = pd.DataFrame({"a": draws.normal(size=400), "b": draws.normal(size=400) * 50})
y = (X["a"] + X["b"] / 60 > 0).astype(int).to_numpy()
TRUTHS = draws.random(400) < 0.5
GAPS = np.arange(400) % 7 == 0


def hot() -> Any:
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["c"]), remainder="passthrough"
    )
    return make_pipeline(encoder, LogisticRegression())


def boosting() -> Any:
    return HistGradientBoostingClassifier(max_iter=10, categorical_features="from_dtype")


COLUMNS: dict[str, Any] = {
    "boolean": pd.array(TRUTHS, dtype="boolean"),
    "boolean with missing cells": pd.array(np.where(GAPS, None, TRUTHS), dtype="boolean"),
    "bool of Arrow": pd.array(TRUTHS, dtype="bool[pyarrow]"),
    "text of Arrow": pd.array(np.where(TRUTHS, "u", "v"), dtype="string[pyarrow]"),
    "categories of texts": pd.Categorical(np.where(TRUTHS, "u", "v")),
    "categories of integers": pd.Categorical(np.arange(400) % 4),
    "categories of floats": pd.Categorical(np.where(TRUTHS, 1.5, 2.5)),
    "categories of truths": pd.Categorical(TRUTHS),
    "categories of dates": pd.Categorical(pd.to_datetime("2026-01-01") + pd.to_timedelta(np.arange(400) % 3, "D")),
    "objects that are numbers": pd.Series(np.arange(400) % 5 * 1.0, dtype=object),
    "integers with missing cells": pd.array(np.where(GAPS, None, np.arange(400) % 5), dtype="Int64"),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("model", [hot, boosting], ids=lambda model: model.__name__)
def test_columns_of_every_dtype(name: str, model: Any, tmp_path: Path) -> None:
    rows = X.assign(c=COLUMNS[name])
    if model is boosting and name == "text of Arrow":
        pytest.skip("scikit-learn's boosting takes categories, not texts")
    fitted = model().fit(rows, y)
    bundle = lockgate.pack(fitted, rows, y, path=tmp_path / "m", test=(rows, y))
    output = bundle.predict(rows)
    assert np.array_equal(output.label, fitted.predict(rows))
    expected = fitted.predict_proba(rows)[:, 1]
    assert np.allclose(np.asarray(output.score), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("model", [LogisticRegression(), LinearRegression()], ids=str)
def test_32_bits_are_named_with_the_way_out(model: BaseEstimator, tmp_path: Path) -> None:
    rows = X.astype("float32")
    if isinstance(model, LogisticRegression) and sklearn.__version__ < "1.9":
        lockgate.pack(model.fit(rows, y), rows, y, path=tmp_path / "m")  # it computes in 64 bits
        return
    with pytest.raises(lockgate.NotCovered, match=r"32 bits .*\(a, b\).*X\.astype\('float64'\)"):
        lockgate.pack(model.fit(rows, y), rows, y, path=tmp_path / "m")


@pytest.mark.parametrize("model", [RandomForestClassifier(10, random_state=0), boosting()], ids=str)
def test_trees_compare_32_bits_as_they_are(model: Any, tmp_path: Path) -> None:
    rows = X.astype("float32")
    bundle = lockgate.pack(model.fit(rows, y), rows, y, path=tmp_path / "m")
    assert np.array_equal(bundle.predict(rows).label, model.predict(rows))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (np.where(y == 1, "yes", "no"), "y: the target holds 'no', an unknown class"),
        (np.where(X["a"] > 1, 2, y), "y: the target holds 2, an unknown class; available: 0, 1"),
        (np.where(GAPS, np.nan, y), "y: 58 rows lack a value of the target"),
    ],
)
def test_a_target_that_is_not_the_models_is_refused(
    target: Any, message: str, tmp_path: Path
) -> None:
    model = LogisticRegression().fit(X, y)
    with pytest.raises(DataError, match=message):
        lockgate.pack(model, X, target, path=tmp_path / "m")
    with pytest.raises(DataError, match=message.replace("y:", "test:")):
        lockgate.pack(model, X, y, path=tmp_path / "m", test=(X, target))
    assert not (tmp_path / "m").exists()


def test_the_column_behind_a_difference_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = LogisticRegression().fit(X, y)
    original = LogisticRegression.predict_proba

    def sway(self: Any, rows: Any) -> np.ndarray:
        scores: np.ndarray = original(self, rows)
        return np.where(np.asarray(rows)[:, 1:] > 100, scores[:, ::-1], scores)

    monkeypatch.setattr(LogisticRegression, "predict_proba", sway)
    with pytest.raises(lockgate.NotCovered, match="because of column b; likely causes: the model"):
        lockgate.pack(model, X, y, path=tmp_path / "m")


def test_box_cox_takes_missing_cells_and_refuses_zero(tmp_path: Path) -> None:
    rows = pd.DataFrame({"a": np.random.default_rng(0).normal(12, 0.3, 300)})
    rows.loc[::9, "a"] = np.nan
    target = (rows["a"].fillna(12) > 12).astype(int)
    model = make_pipeline(PowerTransformer("box-cox"), HistGradientBoostingClassifier(max_iter=5))
    bundle = lockgate.pack(model.fit(rows, target), rows, target, path=tmp_path / "m")
    assert np.array_equal(bundle.predict(rows).label, model.predict(rows))
    for cell in (0.0, -1.0):
        with pytest.raises(lockgate.SchemaViolation, match="not finite or too large"):
            bundle.predict_one({"a": cell})
    assert bundle.predict_one({"a": None}).label in (0, 1)


@pytest.mark.parametrize("scale", [1e-9, 1e15])
@pytest.mark.parametrize("extrapolation", ["constant", "linear", "continue", "periodic"])
def test_splines_of_every_scale(scale: float, extrapolation: str, tmp_path: Path) -> None:
    rows = X * scale
    model = make_pipeline(
        SplineTransformer(4, extrapolation=extrapolation), LogisticRegression(max_iter=300)
    )
    bundle = lockgate.pack(model.fit(rows, y), rows, y, path=tmp_path / "m")
    far = rows[:20] * (1e6 if extrapolation == "periodic" else 3)
    expected = model.predict_proba(far)[:, 1]
    assert np.allclose(np.asarray(bundle.predict(far).score), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("cell", [1e300, -1e300])
def test_extreme_cells_warn_of_nothing(cell: float, tmp_path: Path) -> None:
    for name, step in (("power", PowerTransformer()), ("spline", SplineTransformer())):
        model = make_pipeline(step, LogisticRegression()).fit(X, y)
        bundle = lockgate.pack(model, X, y, path=tmp_path / name)
        with contextlib.suppress(lockgate.SchemaViolation):
            assert bundle.predict_one({"a": cell, "b": 0.0}).label in (0, 1)
