"""Nearest neighbors: equal distances, what the card says, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.impute import KNNImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

import lockgate
from lockgate import NotCovered
from lockgate.models.converters.convert import inputs_of, pack_estimator
from lockgate.models.converters.neighbor_ties import tied_neighbors
from lockgate.models.converters.parity import check_parity
from lockgate.models.packed.format.neighbors import NearestRows, NeighborCells
from lockgate.models.packed.runtime.model import PackedModel


def rows(count: int = 300, width: int = 4, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(count, width)), columns=[f"x{k}" for k in range(width)])
    return frame, (frame["x0"] + rng.normal(size=count) > 0).astype(int).to_numpy()


@pytest.mark.parametrize("width", [4, 20])  # with 20 columns scikit-learn takes norms
@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_labels_and_shares_are_those_of_the_original(
    tmp_path: Path, width: int, weights: str
) -> None:
    X, y = rows(width=width)
    fitted = KNeighborsClassifier(weights=weights).fit(X, y)
    new, _ = rows(seed=1, width=width)
    # where OMP_THREAD_LIMIT allows fewer threads than scikit-learn counts, it reads other memory
    with threadpool_limits(1):
        bundle = lockgate.pack(fitted, X, y, path=tmp_path / "m")
        labels, shares = fitted.predict(new), fitted.predict_proba(new)
    assert np.array_equal(bundle.predict(new).label, labels)
    assert np.allclose(bundle.predict_proba(new), shares, rtol=0, atol=1e-7)
    assert bundle.predict_one(new.iloc[0].to_dict()).label == labels[0]


def test_equal_distances_are_counted_apart_and_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # each point stands there four times, with both labels: the third neighbor is anybody's guess
    copies, labels = np.repeat(np.arange(50.0), 4), np.tile([0, 1, 1, 0], 50)
    fitted = KNeighborsClassifier(3).fit(copies[:, None], labels)
    with pytest.raises(NotCovered, match="of all but 0 rows training rows at equal dist"):
        lockgate.pack(fitted, copies[:, None], labels, path=tmp_path / "m")
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": np.r_[copies, 100 + rng.normal(size=300)]})
    y = np.r_[labels, rng.integers(0, 2, 300)]
    fitted = KNeighborsClassifier(3).fit(X, y)
    bundle = lockgate.pack(fitted, X, y, path=tmp_path / "m")
    assert tied_neighbors(bundle.predictor.model, X).equal.tolist() == [True] * 200 + [False] * 300
    assert any("40.0% of the rows training rows at equal" in m for m in caplog.messages)
    card = (tmp_path / "m" / "card.md").read_text()
    assert "For 200 of 500 rows training rows at equal distances contend" in card
    distinct = pd.DataFrame({"x": [7.2]})  # of 7 and 8 four each: three of four at equal distance
    assert tied_neighbors(bundle.predictor.model, distinct).equal.all()
    assert bundle.predict(X[:200]).label.tolist() == [1] * 200  # the first three: 0, 1, 1


def test_tied_rows_do_not_hide_a_wrong_model() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"age": rng.integers(18, 60, 500), "k": rng.integers(0, 5, 500)})
    fitted = KNeighborsRegressor(5).fit(frame, rng.normal(size=500))
    inputs = inputs_of(lockgate.table(frame).schema.columns)
    packed = PackedModel(pack_estimator(fitted, inputs).raw)
    parity = check_parity(fitted, packed, frame)
    assert 100 < parity.tied < parity.table_rows == 500
    assert "rows with tied neighbors were not compared" in str(parity)
    other = KNeighborsRegressor(5).fit(frame, 3 + rng.normal(size=500))
    with pytest.raises(NotCovered, match="predictions of the packed model differ"):
        check_parity(other, packed, frame)


@given(st.integers(0, 10_000), st.integers(1, 7), st.sampled_from(["uniform", "distance"]))
def test_rows_alone_and_together_are_equal_to_the_bit(seed: int, count: int, weights: str) -> None:
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 3, (12, 3)).astype(float)
    points[rng.random(points.shape) < 0.2] = np.nan
    cells = rng.integers(0, 3, (3, 9)).astype(float)
    cells[rng.random(cells.shape) < 0.3] = np.nan
    fill: Any = NeighborCells((0,), "p", "m", count, weights)
    arrays = {"p": points, "m": np.nan_to_num(np.nanmean(points, axis=0))}
    together = fill.run([cells], arrays, np)
    alone = [fill.run([cells[:, k : k + 1]], arrays, np)[:, 0] for k in range(9)]
    assert np.array_equal(together, np.stack(alone, axis=1))
    assert not np.isnan(together).any()
    nearest: Any = NearestRows((0,), "p", "v", count, "euclidean", weights)
    arrays = {"p": np.nan_to_num(points), "v": rng.normal(size=(12, 2))}
    together = nearest.run([np.nan_to_num(cells)], arrays, np)
    alone = [nearest.run([np.nan_to_num(cells)[:, [k]]], arrays, np)[:, 0] for k in range(9)]
    assert np.array_equal(together, np.stack(alone, axis=1))


def test_the_card_says_that_the_model_carries_rows(tmp_path: Path) -> None:
    X, y = rows()
    for model, count in (
        (KNeighborsClassifier(), "300"),
        (make_pipeline(KNNImputer(), LogisticRegression()), "300"),
        (SVC(random_state=0), ""),
    ):
        lockgate.pack(model.fit(X, y), X, y, path=tmp_path / "m")
        assert f"holds {count}" in (tmp_path / "m" / "card.md").read_text()
    lockgate.pack(LogisticRegression().fit(X, y), X, y, path=tmp_path / "m")
    assert "holds" not in (tmp_path / "m" / "card.md").read_text()


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (KNeighborsClassifier(metric="cosine"), "the metric 'cosine'"),
        (KNeighborsClassifier(p=3), "the metric 'minkowski'"),
        (KNeighborsClassifier(weights=np.sqrt), "weights by a function"),
    ],
)
def test_what_is_refused_says_why(tmp_path: Path, model: Any, reason: str) -> None:
    X, y = rows()
    with pytest.raises(NotCovered, match=reason):
        lockgate.pack(model.fit(X, y), X, path=tmp_path / "m")


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_neighbors_that_rounding_decides_are_refused(tmp_path: Path, weights: str) -> None:
    X, y = rows(width=20)
    with threadpool_limits(1):
        fitted = KNeighborsClassifier(3, weights=weights).fit(X + 1e8, y)
        with pytest.raises(NotCovered, match="rounding of distances decides.*StandardScaler"):
            lockgate.pack(fitted, X + 1e8, y, path=tmp_path / "m")
