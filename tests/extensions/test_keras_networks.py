"""Networks that users trained with Keras, packed and compared with what Keras computes."""

from __future__ import annotations

import importlib.util
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lockgate

if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("needs tensorflow-cpu, of requirements/dev.txt", allow_module_level=True)

from lockgate_keras.compiled import import_keras
from lockgate_keras.networks import NetworkClassifier, NetworkRegressor
from tests.conftest import ROOT
from tests.docs.test_docs import blocks

FLOAT32 = 1e-5
ROWS = 20_000 if os.environ.get("LOCKGATE_SOAK") else 2000
WIDTH = 6
ACTIVATIONS = (
    *("elu", "exponential", "hard_sigmoid", "leaky_relu", "linear", "relu", "relu6"),
    *("selu", "sigmoid", "silu", "softmax", "softplus", "tanh"),
)


def rows(seed: int = 0, count: int = 300) -> np.ndarray:
    return np.random.default_rng(seed).normal(3, 2, size=(count, WIDTH))


def initialized(network: Any) -> Any:
    """Give all weights of a network values that no two layers share."""
    rng = np.random.default_rng(1)
    network.set_weights(
        [
            # variances must be positive
            np.abs(rng.normal(size=part.shape)) + 0.1
            if part.ndim == 1
            else rng.normal(size=part.shape) / np.sqrt(part.shape[0])
            for part in network.get_weights()
        ]
    )
    return network


def chain(*layers: Any, outputs: int = 1, ends: str | None = None) -> Any:
    keras = import_keras()
    last = keras.layers.Dense(outputs, activation=ends)
    return initialized(keras.Sequential([keras.Input((WIDTH,)), *layers, last]))


def held(estimator: Any, folder: Path, scaled: bool = True, ties: float = 0.01) -> lockgate.Bundle:
    """Pack it, behind a scaler, and compare answers for later rows with the network's own.

    `ties` is the share of rows whose classes may be as likely as each other.
    """
    model = make_pipeline(StandardScaler().fit(rows()), estimator) if scaled else estimator
    bundle = lockgate.pack(model, rows(), path=folder / "network")
    later = rows(1, ROWS)
    output = bundle.predict(later)
    if isinstance(estimator, NetworkRegressor):
        expected = model.predict(later)
        assert output.label == pytest.approx(expected, rel=FLOAT32, abs=FLOAT32)
    else:
        expected = model.predict_proba(later)
        assert output.class_scores() == pytest.approx(expected, abs=FLOAT32)
        top = np.sort(expected, axis=1)
        clear = top[:, -1] - top[:, -2] > FLOAT32
        assert (output.label == model.predict(later))[clear].all()
        assert clear.mean() > 1 - ties
    return bundle


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str, tmp_path: Path) -> None:
    dense = import_keras().layers.Dense
    held(NetworkRegressor(chain(dense(5, activation=name), dense(3, "tanh"))), tmp_path)


LAYERS: dict[str, Callable[[Any], list[Any]]] = {
    "batch normalization": lambda kinds: [kinds.BatchNormalization()],
    "normalization without scale": lambda kinds: [kinds.BatchNormalization(scale=False)],
    "normalization without centre": lambda kinds: [kinds.BatchNormalization(center=False)],
    "a normalization of inputs": lambda kinds: [
        kinds.Normalization(mean=[3.0] * WIDTH, variance=[4.0] * WIDTH)
    ],
    "elu": lambda kinds: [kinds.ELU(0.7)],
    "leaky relu": lambda kinds: [kinds.LeakyReLU(0.05)],
    "prelu": lambda kinds: [kinds.PReLU()],
    "relu": lambda kinds: [kinds.ReLU()],
    "relu up to 6": lambda kinds: [kinds.ReLU(max_value=6)],
    "relu with a slope": lambda kinds: [kinds.ReLU(negative_slope=0.1)],
    "rescaling": lambda kinds: [kinds.Rescaling(0.5, offset=-1)],
    "softmax": lambda kinds: [kinds.Softmax()],
    "what training alone does": lambda kinds: [
        kinds.Dropout(0.5),
        kinds.GaussianNoise(0.1),
        kinds.GaussianDropout(0.1),
        kinds.ActivityRegularization(l2=0.1),
        kinds.Flatten(),
        kinds.Identity(),
    ],
    "no bias": lambda kinds: [kinds.Dense(4, use_bias=False), kinds.Activation("tanh")],
    "a chain in the chain": lambda kinds: [
        import_keras().Sequential([kinds.Dense(4, "relu"), kinds.Dense(3)])
    ],
}
"""Layers by what they are, built from Keras' when the test runs: importing it takes seconds."""


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, tmp_path: Path) -> None:
    kinds = import_keras().layers
    network = chain(*LAYERS[name](kinds), kinds.Dense(4, "tanh"))
    held(NetworkRegressor(network), tmp_path)


@pytest.mark.parametrize("merge", ["Add", "Average", "Concatenate", "Multiply", "Subtract"])
def test_graphs(merge: str, tmp_path: Path) -> None:
    keras = import_keras()
    start = keras.Input((WIDTH,))
    left = keras.layers.Dense(4, "relu")(start)
    right = keras.layers.Dense(4, "tanh")(start)
    both = getattr(keras.layers, merge)()([left, right])
    end = keras.layers.Dense(3, "softmax")(keras.layers.Dropout(0.1)(both))
    network = initialized(keras.Model(start, end))
    held(NetworkClassifier(network, ["a", "b", "c"]), tmp_path)


ENDS = {
    "a sigmoid": (1, "sigmoid", ["no", "yes"]),
    "a sum for two classes": (1, None, [0, 1]),
    "a softmax of two": (2, "softmax", ["no", "yes"]),
    "two sums": (2, None, ["no", "yes"]),
    "a softmax": (3, "softmax", ["a", "b", "c"]),
    "sums": (3, None, ["a", "b", "c"]),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_classifier_ends_in_probabilities_or_in_the_sums_before(
    name: str, tmp_path: Path
) -> None:
    outputs, ends, classes = ENDS[name]
    network = chain(import_keras().layers.Dense(4, "relu"), outputs=outputs, ends=ends)
    model = NetworkClassifier(network, classes)
    bundle = held(model, tmp_path)
    assert bundle.manifest.classes == classes
    expected = np.asarray(network(StandardScaler().fit(rows()).transform(rows(2)).astype("f4")))
    if ends:
        scores = bundle.predict(rows(2)).class_scores()
        assert scores[:, -1] == pytest.approx(expected[:, -1], abs=FLOAT32)


def probabilities() -> dict[str, Callable[[], list[Any]]]:
    """Ends after which a network returns probabilities, of three classes or of the second."""
    kinds, keras = import_keras().layers, import_keras()
    return {
        "a layer": lambda: [kinds.Dense(3), kinds.Softmax()],
        "an activation": lambda: [kinds.Dense(1), kinds.Activation("sigmoid")],
        "dropout after it": lambda: [kinds.Dense(1, "sigmoid"), kinds.Dropout(0.1)],
        "what passes on after it": lambda: [
            kinds.Dense(3, "softmax"),
            kinds.Identity(),
            kinds.Flatten(),
            kinds.ActivityRegularization(),
            kinds.Activation("linear"),
        ],
        "a chain that ends in it": lambda: [
            keras.Sequential([kinds.Dense(1, "sigmoid"), kinds.Dropout(0.1)])
        ],
    }


@pytest.mark.parametrize("name", probabilities())
def test_probabilities_are_taken_as_they_are(name: str, tmp_path: Path) -> None:
    keras = import_keras()
    network = initialized(keras.Sequential([keras.Input((WIDTH,)), *probabilities()[name]()]))
    classes = ["a", "b", "c"][: network.output_shape[-1]] if network.output_shape[-1] > 1 else "ab"
    bundle = held(NetworkClassifier(network, list(classes)), tmp_path, scaled=False)
    expected = np.asarray(network(rows(1).astype("f4")))
    scores = bundle.predict(rows(1)).class_scores()
    assert scores[:, -1] == pytest.approx(expected[:, -1], abs=FLOAT32)


def unclear_ends() -> dict[str, Callable[[], Any]]:
    keras = import_keras()
    kinds = keras.layers

    def heads(merge: str, activation: str) -> Any:
        start = keras.Input((WIDTH,))
        both = [kinds.Dense(3, activation)(start) for _ in range(2)]
        return initialized(keras.Model(start, getattr(kinds, merge)()(both)))

    def linear(*layers: Any) -> Any:
        return initialized(keras.Sequential([keras.Input((WIDTH,)), *layers]))

    return {
        "the layer Average": lambda: heads("Average", "softmax"),
        "sigmoid": lambda: linear(kinds.Dense(3, "sigmoid")),
        "the activation tanh": lambda: linear(kinds.Dense(1, "tanh")),
        "the activation hard_sigmoid": lambda: linear(kinds.Dense(1, "hard_sigmoid")),
        "the activation .*Softmax": lambda: linear(kinds.Dense(3, activation=kinds.Softmax())),
        "the layer Rescaling": lambda: linear(kinds.Dense(1, "sigmoid"), kinds.Rescaling(2.0)),
        "the layer ReLU": lambda: linear(kinds.Dense(1), kinds.ReLU()),
    }


@pytest.mark.parametrize("ending", unclear_ends())
def test_an_end_that_does_not_say_what_it_returns_is_asked_for(ending: str, tmp_path: Path) -> None:
    network = unclear_ends()[ending]()
    width = network.output_shape[-1]
    classes = ["a", "b", "c"] if width == 3 else ["a", "b"]
    for format in ("packed", "keras"):
        with pytest.raises(lockgate.LockgateError, match=f"{width} outputs and ends in {ending}"):
            lockgate.pack(
                NetworkClassifier(network, classes), rows(), path=tmp_path / "x", format=format
            )
    ties = 0.1 if ending == "the layer ReLU" else 0.01  # it returns 0 for many rows
    model = NetworkClassifier(network, classes, from_logits=True)
    held(model, tmp_path, scaled=False, ties=ties)


def test_an_ensemble_of_probabilities_is_packed_as_such(tmp_path: Path) -> None:
    network = unclear_ends()["the layer Average"]()
    model = NetworkClassifier(network, ["a", "b", "c"], from_logits=False)
    bundle = held(model, tmp_path, scaled=False)
    expected = np.asarray(network(rows(1).astype("f4")))
    assert bundle.predict(rows(1)).score == pytest.approx(expected, abs=FLOAT32)


def test_a_normalization_that_was_adapted_keeps_its_numbers(tmp_path: Path) -> None:
    keras = import_keras()
    normalization = keras.layers.Normalization()
    normalization.adapt(rows().astype("f4"))
    network = keras.Sequential([keras.Input((WIDTH,)), normalization, keras.layers.Dense(1)])
    model = NetworkRegressor(network)
    held(model, tmp_path, scaled=False)
    copied = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copied.predict(rows(1)), model.predict(rows(1)))
    bundle = lockgate.pack(model, rows(), path=tmp_path / "kept", format="keras")
    assert bundle.predict(rows(1)).label == pytest.approx(model.predict(rows(1)), abs=FLOAT32)


@pytest.mark.parametrize(
    "classes", [["a", 1], [0, "yes"], ["a", "a"], [True, 1], "ab", {"a", "b"}, ["a"], [0.0, None]]
)
def test_classes_are_different_and_of_one_kind(classes: Any) -> None:
    with pytest.raises(lockgate.UsageError, match="classes is .*expected"):
        NetworkClassifier(chain(ends="sigmoid"), classes).predict(rows())


def test_a_threshold_and_a_positive_class_are_as_of_any_model(tmp_path: Path) -> None:
    model = NetworkClassifier(chain(ends="sigmoid"), ["bad", "good"])
    options: dict[str, Any] = {"threshold": 0.2, "positive": "bad"}
    bundle = lockgate.pack(model, rows() / 10, path=tmp_path / "network", **options)
    output = bundle.predict(rows() / 10)
    expected = model.predict_proba(rows() / 10)[:, 0]
    assert output.score == pytest.approx(expected, abs=FLOAT32)
    assert ((output.label == "bad") == (output.score >= 0.2)).all()


def test_a_copy_predicts_the_same(tmp_path: Path) -> None:
    model = NetworkClassifier(chain(import_keras().layers.Dense(4, "gelu"), outputs=3), list("abc"))
    raw = pickle.dumps(model)
    assert pickle.dumps(model) == raw
    assert np.array_equal(pickle.loads(raw).predict_proba(rows()), model.predict_proba(rows()))


def own_layer() -> Any:
    keras = import_keras()

    class Doubled(keras.layers.Layer):  # type: ignore[misc,name-defined]  # keras is untyped
        def call(self, x: Any) -> Any:
            return 2 * x

    return Doubled()


def test_what_has_no_packed_form_is_named_with_what_has(tmp_path: Path) -> None:
    keras = import_keras()
    kinds, start = keras.layers, keras.Input((WIDTH,))

    class Own(keras.Model):  # type: ignore[misc,name-defined]  # keras is untyped
        def __init__(self) -> None:
            super().__init__()
            self.dense = kinds.Dense(1)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    def two_inputs() -> Any:
        others = keras.Input((WIDTH,))
        return keras.Model([start, others], kinds.Dense(1)(kinds.Add()([start, others])))

    def nested_of_two_inputs() -> Any:
        return keras.Model(start, two_inputs()([start, kinds.Dense(WIDTH)(start)]))

    def relu(x: Any) -> Any:  # another function than Keras' of that name
        return 3 * x

    shared = kinds.Dense(WIDTH)
    refused = {
        r"layer tests\.extensions\.\S+Doubled; use Activation,": chain(own_layer()),
        r"layer LayerNormalization; use": chain(kinds.LayerNormalization()),
        r"activation 'gelu'; use one of elu": chain(kinds.Dense(3, "gelu")),
        r"activation 'tests\.\S+relu'": chain(kinds.Dense(3, relu)),
        r"relu of max_value 3": chain(kinds.ReLU(max_value=3)),
        r"layer \w+ is used more than once": keras.Model(
            start, kinds.Dense(1)(shared(shared(start)))
        ),
        r"Own computes in code of its own": Own(),
        r"several inputs": two_inputs(),
        r"layer Sequential of several inputs|several inputs|used more": nested_of_two_inputs(),
        r"of inputs of \[1, 6\] columns": keras.Model(
            start, kinds.Dense(1)(kinds.Add()([start, kinds.Dense(1)(start)]))
        ),
        r"use format=keras": keras.Model(start, kinds.Dense(1)(start * 2)),
    }
    for message, network in refused.items():
        with pytest.raises(lockgate.NotCovered, match=message):
            lockgate.pack(NetworkRegressor(network), rows(), path=tmp_path / "network")
    assert not list(tmp_path.iterdir())


def test_wrong_use_is_named(tmp_path: Path) -> None:
    with pytest.raises(lockgate.UsageError, match="expected a network of Keras"):
        NetworkRegressor(lambda x: x).predict(rows())
    with pytest.raises(lockgate.UsageError, match="has 3 outputs, and classes names 2"):
        NetworkClassifier(chain(outputs=3), ["a", "b"]).predict(rows())
    with pytest.raises(
        lockgate.UsageError, match="trained already; lockgate run model=keras trains"
    ):
        NetworkRegressor(chain()).fit(rows(), rows()[:, 0])


def test_a_network_far_from_exact_is_refused(tmp_path: Path) -> None:
    """Sums of large terms that cancel are, in 32 bits, far from what they are in 64."""
    keras = import_keras()
    network = keras.Sequential([keras.Input((WIDTH,)), keras.layers.Dense(1)])
    weights = np.array([1, -1, 0, 0, 0, 0], dtype="f4").reshape(-1, 1) * 1e6
    network.set_weights([weights, np.zeros(1, "f4")])
    X = rows()
    X[:, 1] = X[:, 0] + 1e-7
    with pytest.raises(lockgate.NotCovered, match=r"differ from the original's.*1e-05"):
        lockgate.pack(NetworkRegressor(network), X, path=tmp_path / "network")


def test_the_network_that_is_shown_is_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = blocks(ROOT / "docs" / "how-to" / "pack-a-network.md", "python")
    monkeypatch.chdir(tmp_path)
    exec(block, {})
    assert capsys.readouterr().out.strip() == "malignant"
    assert lockgate.open("tumours").manifest.format == "packed"


def test_several_outputs_are_several_targets(tmp_path: Path) -> None:
    X = rows()
    network = NetworkRegressor(chain(outputs=3))
    values = network.predict(X)
    bundle = lockgate.pack(network, X, values, path=tmp_path / "m")
    assert bundle.manifest.task == "multioutput"
    assert np.allclose(bundle.predict(X).label, values, rtol=1e-5, atol=1e-5)
    by_keras = lockgate.pack(network, X, values, path=tmp_path / "k", format="keras")
    assert np.allclose(by_keras.predict(X).label, values, rtol=1e-5, atol=1e-5)
