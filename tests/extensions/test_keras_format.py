"""Networks that have no packed form, in files that cannot run code, predicted by Keras."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lockgate

if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("needs tensorflow-cpu, of requirements/dev.txt", allow_module_level=True)

from lockgate.testing import check_installed
from lockgate_keras.compiled import import_keras
from lockgate_keras.files import read_network, write_network
from lockgate_keras.networks import NetworkClassifier, NetworkRegressor
from tests.extensions.test_keras_networks import WIDTH, chain, rows
from tests.serving.running import serving

FLOAT32 = 1e-5


def recurrent(outputs: int = 1, ends: str | None = None) -> Any:
    kinds = import_keras().layers
    return chain(
        kinds.LayerNormalization(),
        kinds.Reshape((WIDTH, 1)),
        kinds.LSTM(3),
        kinds.Dense(4, "gelu"),
        outputs=outputs,
        ends=ends,
    )


def graph() -> Any:
    keras = import_keras()
    start = keras.Input((WIDTH,))
    left = keras.layers.Dense(4, "gelu", kernel_regularizer="l2")(start)
    right = keras.layers.Dense(4, kernel_constraint="non_neg")(start)
    end = keras.layers.Dense(3, "softmax")(keras.layers.Maximum()([left, right]))
    network = keras.Model(start, end)
    network.compile("adam", "categorical_crossentropy")
    return network


@pytest.mark.parametrize("steps", [False, True])
@pytest.mark.parametrize(
    "model",
    [
        lambda: NetworkRegressor(recurrent()),
        lambda: NetworkClassifier(recurrent(ends="sigmoid"), ["no", "yes"]),
        lambda: NetworkClassifier(graph(), ["a", "b", "c"]),
    ],
    ids=["regression", "two classes", "a graph"],
)
def test_a_network_is_read_as_it_was_written(
    model: Callable[[], Any], steps: bool, tmp_path: Path
) -> None:
    original = model()
    if steps:
        original = make_pipeline(StandardScaler().fit(rows()), original)
    bundle = lockgate.pack(original, rows(), path=tmp_path / "network", format="keras")
    output = bundle.predict(rows(1))
    if bundle.manifest.classes:
        scores = original.predict_proba(rows(1))
        assert output.class_scores() == pytest.approx(scores, abs=FLOAT32)
    else:
        assert output.label == pytest.approx(original.predict(rows(1)), rel=FLOAT32, abs=FLOAT32)
    assert {"keras", "skops"} <= set(bundle.manifest.environment.answers)


def test_the_first_class_may_be_the_positive_one(tmp_path: Path) -> None:
    model = NetworkClassifier(recurrent(ends="sigmoid"), ["bad", "good"])
    bundle = lockgate.pack(model, rows(), path=tmp_path / "network", format="keras", positive="bad")
    expected = model.predict_proba(rows())[:, 0]
    assert bundle.predict(rows()).score == pytest.approx(expected, abs=FLOAT32)


def test_it_is_served(tmp_path: Path) -> None:
    model = NetworkClassifier(recurrent(ends="sigmoid"), ["no", "yes"])
    bundle = lockgate.pack(model, rows(), path=tmp_path / "network", format="keras")
    row = dict(zip(bundle.manifest.array_columns, rows()[0].tolist(), strict=True))
    lockgate.deploy(bundle.path, tmp_path / "live", version="1.0.0")
    with serving(tmp_path / "live", LOCKGATE_ALLOW_PLUGINS="lockgate,lockgate-keras") as server:
        answer = server.predict(row)
    assert answer["score"] == pytest.approx(model.predict_proba(rows()[:1])[0, 1], abs=FLOAT32)


def described() -> tuple[dict[str, Any], bytes]:
    return write_network(recurrent())


def lambda_layer(description: dict[str, Any]) -> None:
    layer = description["config"]["layers"][1]
    layer["class_name"], layer["config"] = "Lambda", {"function": "os.system", "name": "x"}


def other_module(description: dict[str, Any]) -> None:
    description["config"]["layers"][1] |= {"module": "os", "class_name": "Dense"}


def function_as_activation(description: dict[str, Any]) -> None:
    description["config"]["layers"][-1]["config"]["activation"] = {
        "module": "builtins",
        "class_name": "function",
        "config": "eval",
        "registered_name": "function",
    }


def saved_model_layer(description: dict[str, Any]) -> None:
    layer = description["config"]["layers"][1]
    layer["class_name"], layer["config"] = "TFSMLayer", {"filepath": "/tmp"}


def registered(description: dict[str, Any]) -> None:
    description["config"]["layers"][1]["registered_name"] = "acme>Dense"


def huge(description: dict[str, Any]) -> None:
    description["config"]["layers"][-1]["config"]["units"] = 10**9


def compiled(description: dict[str, Any]) -> None:
    description["compile_config"] = {"loss": "mse"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda_layer, r"keras\.layers\.Lambda is not among the layers"),
        (other_module, r"os\.Dense is not among"),
        (function_as_activation, r"builtins\.function is not among"),
        (saved_model_layer, r"TFSMLayer is not among"),
        (registered, "is not among"),
        (huge, "units is 1000000000; at most"),
        (compiled, "must not contain compile_config"),
        (lambda d: d["config"].pop("layers"), "the network is damaged"),
        (lambda d: d["config"]["layers"].pop(), "the network is damaged"),
    ],
)
def test_a_description_names_what_is_on_the_list(
    change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    description, weights = described()
    change(description)
    with pytest.raises(lockgate.BundleError, match=message):
        read_network(description, weights)


def test_many_layers_are_refused_before_they_are_built() -> None:
    description, weights = described()
    layer = description["config"]["layers"][1]
    description["config"]["layers"][1:1] = [{**layer, "class_name": "Identity"}] * 400
    with pytest.raises(lockgate.BundleError, match="at most 300 are read"):
        read_network(description, weights)


def test_a_seed_is_no_size(tmp_path: Path) -> None:
    kinds = import_keras().layers
    start = import_keras().initializers.GlorotUniform(seed=123_456)
    network = chain(
        kinds.Dense(3, "gelu", kernel_initializer=start), kinds.Dropout(0.1, seed=99_999)
    )
    lockgate.pack(NetworkRegressor(network), rows(), path=tmp_path / "x", format="keras")


def test_a_bundle_opens_where_keras_adds_in_another_order(tmp_path: Path) -> None:
    """oneDNN is switched by whoever imports TensorFlow first; processors differ likewise."""
    model = make_pipeline(StandardScaler().fit(rows()), NetworkRegressor(recurrent()))
    bundle = lockgate.pack(model, rows(), path=tmp_path / "network", format="keras")
    code = f"import keras, lockgate; print(lockgate.open({str(bundle.path)!r}).digest)"
    env = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1"}  # off in this process
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout.split()[-1:] == [bundle.digest], done.stderr


def test_a_missing_cell_that_reaches_the_network_is_refused(tmp_path: Path) -> None:
    kinds = import_keras().layers
    network = chain(kinds.Reshape((WIDTH, 1)), kinds.MaxPooling1D(2), kinds.Flatten())
    bundle = lockgate.pack(NetworkRegressor(network), rows(), path=tmp_path / "x", format="keras")
    gap = rows(1)[:1]
    gap[0, 2] = np.nan
    with pytest.raises(lockgate.SchemaViolation, match="missing"):
        bundle.predict(gap)
    filled = make_pipeline(SimpleImputer().fit(rows()), NetworkRegressor(network))
    bundle = lockgate.pack(filled, rows(), path=tmp_path / "y", format="keras")
    assert bundle.predict(gap).label == pytest.approx(filled.predict(gap), abs=FLOAT32)


def test_weights_are_arrays_and_nothing_else() -> None:
    description, _ = described()
    damaged = b"no archive"
    pickled = io.BytesIO()
    with zipfile.ZipFile(pickled, "w") as archive:
        array = io.BytesIO()
        np.save(array, np.array([{}], dtype=object), allow_pickle=True)
        archive.writestr("0.npy", array.getvalue())
    for raw in (damaged, pickled.getvalue()):
        with pytest.raises(lockgate.BundleError, match="the network is damaged"):
            read_network(description, raw)
    empty = io.BytesIO()
    with zipfile.ZipFile(empty, "w") as archive:
        array = io.BytesIO()
        np.save(array, np.zeros((10**12, 0)))
        archive.writestr("0.npy", array.getvalue())
    with pytest.raises(lockgate.BundleError, match="an array that is empty"):
        read_network(description, empty.getvalue())


@pytest.mark.parametrize("value", [None, 3, [], {}, "x", {"class_name": "Sequential"}])
def test_what_is_no_description_is_refused(value: object) -> None:
    with pytest.raises(lockgate.BundleError):
        read_network(value, described()[1])


def test_a_damaged_file_of_a_bundle_is_refused(tmp_path: Path) -> None:
    plugin = check_installed("format", "keras")()
    for raw in (b"{", b"[]", b"[" * 200_000, json.dumps({"network": {}}).encode()):
        (tmp_path / "network.json").write_bytes(raw)
        schema = lockgate.Schema(())
        request = lockgate.OpenRequest(
            directory=tmp_path, files=("network.json",), schema=schema, task="regression"
        )
        with pytest.raises(lockgate.BundleError, match=r"network\.json is damaged"):
            plugin.open(request)


def test_what_the_format_does_not_hold_is_named(tmp_path: Path) -> None:
    y = (rows()[:, 0] > 3).astype(int)
    with pytest.raises(lockgate.NotCovered, match=r"holds networks of Keras.*use format=packed"):
        lockgate.pack(
            LogisticRegression().fit(rows(), y), rows(), path=tmp_path / "x", format="keras"
        )
    keras = import_keras()
    with_lambda = chain(keras.layers.Lambda(lambda x: x))
    with pytest.raises(lockgate.NotCovered, match=r"keras\.layers\.Lambda is not among"):
        lockgate.pack(NetworkRegressor(with_lambda), rows(), path=tmp_path / "x", format="keras")
