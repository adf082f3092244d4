"""Dense networks: those of a plain Keras script, packed with equal answers."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

import lockgate
from lockgate.testing.examples import example_table
from tests.conftest import ROOT

if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("needs tensorflow-cpu, of requirements/dev.txt", allow_module_level=True)

from lockgate_keras.compiled import import_keras
from lockgate_keras.estimators import DenseClassifier, DenseRegressor

FLOAT32 = 1e-5
"""Largest difference from Keras' own predictions, which are computed in 32 bits."""

OPTIONS: dict[str, Any] = {"hidden": (8, 4), "epochs": 6, "batch_size": 32, "random_state": 3}


def rows(seed: int = 0, count: int = 400) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 5))


def target(X: np.ndarray, task: str) -> np.ndarray:
    value = X[:, 0] * X[:, 1] + X[:, 2]
    if task == "regression":
        return 5000 + 1000 * value
    names = np.array(["no", "yes"] if task == "binary" else ["low", "middle", "high"])
    edges = [0.0] if task == "binary" else [-0.5, 0.5]
    return np.asarray(names[np.digitize(value, edges)])


def script(task: str, X: np.ndarray, y: np.ndarray, *, normalized: bool) -> Any:
    """What a user of Keras would write: batches of rows in a drawn order, six times."""
    keras = import_keras()
    layers = [keras.Input((X.shape[1],))]
    for k, units in enumerate((8, 4, {"binary": 1, "multiclass": 3, "regression": 1}[task])):
        start = keras.initializers.GlorotUniform(seed=3 + k)
        layers.append(keras.layers.Dense(units, kernel_initializer=start))
        if k < 2:
            layers += [keras.layers.BatchNormalization()] if normalized else []
            layers.append(keras.layers.ReLU())
    network = keras.Sequential(layers)
    loss = {
        "binary": keras.losses.BinaryCrossentropy(from_logits=True),
        "multiclass": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "regression": "mse",
    }[task]
    codes = y if task == "regression" else np.unique(y, return_inverse=True)[1]
    codes = (codes - codes.mean()) / codes.std() if task == "regression" else codes
    codes = codes if task == "multiclass" else codes.astype(np.float32)
    fitted, later = train_test_split(
        np.arange(len(y)),
        test_size=0.1,
        stratify=None if task == "regression" else codes,
        random_state=3,
    )
    network.compile(keras.optimizers.AdamW(learning_rate=0.01, weight_decay=0.001), loss)
    X = X.astype(np.float32)
    rng, best, kept = np.random.default_rng(3), np.inf, network.get_weights()
    for _ in range(6):
        order = fitted[rng.permutation(len(fitted))]
        for start in range(0, len(order), 32):
            batch = order[start : start + 32]
            network.train_on_batch(X[batch], codes[batch])
        loss = network.evaluate(X[later], codes[later], verbose=0)
        if loss < best:
            best, kept = loss, network.get_weights()
    network.set_weights(kept)
    return network


@pytest.mark.parametrize(
    ("task", "normalized"), [("binary", False), ("multiclass", True), ("regression", True)]
)
def test_a_network_is_that_of_a_plain_script(task: str, normalized: bool) -> None:
    X, later = rows(), rows(1, 2000)
    y = target(X, task)
    estimator = DenseRegressor if task == "regression" else DenseClassifier
    ours = estimator(
        **OPTIONS, learning_rate=0.01, weight_decay=0.001, batch_normalization=normalized
    ).fit(X, y)
    sums = np.asarray(script(task, X, y, normalized=normalized)(later.astype(np.float32)))
    if task == "regression":
        expected = sums[:, 0] * y.std() + y.mean()
        assert ours.predict(later) == pytest.approx(expected, rel=FLOAT32)
    else:
        odds = np.exp(sums) if task == "multiclass" else np.exp(np.hstack([0 * sums, sums]))
        expected = odds / odds.sum(axis=1, keepdims=True)
        scores = ours.predict_proba(later)
        assert scores == pytest.approx(expected, abs=FLOAT32)
        assert (ours.predict(later) == ours.classes_[scores.argmax(axis=1)]).all()
    assert ours.score(later, target(later, task)) > 0.3


def test_equal_seeds_give_equal_bytes_whatever_the_threads() -> None:
    code = (
        "from tests.extensions.test_keras import *; import hashlib; X = rows();"
        "m = DenseClassifier(**OPTIONS, dropout=0.2).fit(X, target(X, 'binary'));"
        "print(hashlib.sha256(b''.join(p.tobytes() for l in m.layers_ for p in l)).hexdigest())"
    )
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "77"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, check=True
    )
    assert done.stderr == b""
    X = rows()
    model = DenseClassifier(**OPTIONS, dropout=0.2).fit(X, target(X, "binary"))
    parts = b"".join(part.tobytes() for layer in model.layers_ for part in layer)
    assert done.stdout.split()[-1].decode() == hashlib.sha256(parts).hexdigest()


def test_a_training_is_the_same_after_others() -> None:
    X = rows()
    y = target(X, "binary")
    options = {**OPTIONS, "dropout": 0.2, "batch_normalization": True}
    first = DenseClassifier(**options).fit(X, y)
    for rate in (0.1, 0.01):  # on other rows, with the same compiled network
        DenseClassifier(**options, learning_rate=rate, weight_decay=rate).fit(X[:300], y[:300])
    again = DenseClassifier(**options).fit(X, y)
    for one, other in zip(first.layers_, again.layers_, strict=True):
        assert np.array_equal(one[0], other[0])
        assert np.array_equal(one[1], other[1])
    slower = DenseClassifier(**options, weight_decay=0.5).fit(X, y)
    assert not np.array_equal(first.layers_[0][0], slower.layers_[0][0])


def test_what_others_draw_is_left_alone() -> None:
    np.random.seed(5)  # the state that Keras sets
    expected = np.random.random()
    np.random.seed(5)
    DenseRegressor(hidden=(2,), epochs=1).fit(rows(), rows()[:, 0])
    assert np.random.random() == expected


def test_weights_of_rows_count() -> None:
    X = rows()
    y = target(X, "binary")
    plain = DenseClassifier(**OPTIONS).fit(X, y)
    weighted = DenseClassifier(**OPTIONS).fit(X, y, np.where(y == "yes", 9, 1))
    assert (weighted.predict(X) == "yes").mean() > (plain.predict(X) == "yes").mean() + 0.05


def test_keras_on_another_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_keras().backend, "backend", lambda: "jax")
    with pytest.raises(lockgate.UsageError, match="Keras is set to jax; unset KERAS_BACKEND"):
        DenseRegressor().fit(rows(), rows()[:, 0])


def test_training_stops_by_rows_set_apart() -> None:
    X = rows()
    noise = np.random.default_rng(4).normal(size=len(X))
    long = DenseRegressor(hidden=(64,), epochs=400, patience=400, learning_rate=0.01).fit(X, noise)
    short = DenseRegressor(hidden=(64,), epochs=400, patience=5, learning_rate=0.01).fit(X, noise)
    later = np.random.default_rng(5).normal(size=len(X))
    assert short.score(X, noise) < 0.4
    assert long.score(rows(1), later) > -0.5  # the best pass is kept, not the last


def test_few_rows_are_all_fitted_on() -> None:
    X = rows(count=30)
    fitted = DenseRegressor(hidden=(16,), epochs=80, batch_size=8, learning_rate=0.03).fit(
        X, X[:, 0]
    )
    assert fitted.score(X, X[:, 0]) > 0.95


def test_a_diverging_training_is_named() -> None:
    X = rows()
    with pytest.raises(ValueError, match=r"training diverged.*learning_rate is 1e\+30"):
        DenseRegressor(hidden=(4,), epochs=3, learning_rate=1e30).fit(X, X[:, 0])


def test_one_class_is_named() -> None:
    with pytest.raises(ValueError, match="y has one class, 'a'; expected two or more"):
        DenseClassifier().fit(rows(), ["a"] * 400)


def test_without_keras_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras", None)
    plugin = lockgate.testing.check_installed("model", "keras")
    request = lockgate.BuildRequest(schema=example_table("binary").schema, task="binary")
    with pytest.raises(lockgate.UsageError, match=r"pip install 'lockgate-keras\[tensorflow\]'"):
        plugin().build(request)


def test_a_packed_network_answers_without_keras(tmp_path: Path) -> None:
    X = rows()
    model = DenseClassifier(**OPTIONS).fit(X, target(X, "multiclass"))
    bundle = lockgate.pack(model, X, target(X, "multiclass"), path=tmp_path / "net")
    expected = bundle.predict(X[:5]).score
    code = (
        "import sys, json, lockgate; "
        f"b = lockgate.open({str(bundle.path)!r}); "
        f"print(json.dumps(b.predict({[dict(zip(bundle.manifest.array_columns, r, strict=True)) for r in X[:5].tolist()]!r}).score.tolist())); "
        "assert not {'keras', 'tensorflow', 'sklearn'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.array(eval(done.stdout)), expected)
