"""Keras networks as files that cannot run code: the layers as JSON, the weights as arrays.

Keras' own files are read by its deserializer, which imports what a file names and has run code
from files more than once. Here the description is checked against a list of classes first.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

import lockgate
from lockgate_keras.compiled import import_keras

__all__ = ["describe", "read_network", "restore_weights", "write_network"]

ALLOWED_LAYERS = frozenset(
    (
        *("Activation", "ActivityRegularization", "Add", "AdditiveAttention", "AlphaDropout"),
        *("Attention", "Average", "AveragePooling1D", "BatchNormalization", "Bidirectional"),
        *("Concatenate", "Conv1D", "Cropping1D", "Dense", "DepthwiseConv1D", "Dot", "Dropout"),
        *("ELU", "Embedding", "Flatten", "GRU", "GaussianDropout"),
        *("GaussianNoise", "GlobalAveragePooling1D", "GlobalMaxPooling1D"),
        *("GroupNormalization", "Identity", "InputLayer", "LSTM"),
        *("LayerNormalization", "LeakyReLU", "Masking", "MaxPooling1D", "Maximum", "Minimum"),
        *("MultiHeadAttention", "Multiply", "Normalization", "PReLU", "Permute"),
        *("RMSNormalization", "ReLU", "Rescaling", "Reshape", "SeparableConv1D"),
        *("SimpleRNN", "Softmax", "SpatialDropout1D", "Subtract", "TimeDistributed"),
        *("UnitNormalization", "ZeroPadding1D"),
    )
)
"""Layers that a file may name; none reads another file or calls code from its description."""

INITIALIZERS = frozenset(
    (
        *("Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity"),
        *("LecunNormal", "LecunUniform", "Ones", "Orthogonal", "RandomNormal", "RandomUniform"),
        *("TruncatedNormal", "VarianceScaling", "Zeros"),
    )
)
CLASSES: Mapping[str, frozenset[str]] = {
    "keras": frozenset(("DTypePolicy", "Functional", "Sequential")),
    "keras.constraints": frozenset(("MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm")),
    "keras.initializers": INITIALIZERS,
    "keras.layers": ALLOWED_LAYERS,
    "keras.regularizers": frozenset(("L1", "L1L2", "L2", "OrthogonalRegularizer")),
    "keras.src.models.functional": frozenset(("Functional",)),
}
"""Classes that a file may name, by module."""

TENSOR = "__keras_tensor__"
TRAINING = ("compile_config",)

MOST_LAYERS = 300

SMALL, LARGE = 4096, 16_384
"""Sizes that a description may name beyond those of the arrays, and at most: two of them make the
largest array that is built before the weights are compared with it."""

NO_SIZES = ("mask_value", "max_value", "mean", "offset", "scale", "seed", "value", "variance")
"""Settings that are numbers and no sizes."""

LARGEST = 1 << 30
"""Largest size of the arrays in bytes."""


def describe(network: Any) -> dict[str, Any]:
    """Return Keras' description of a network, without what belongs to its training."""
    description: dict[str, Any] = json.loads(network.to_json())
    for key in TRAINING:
        description.pop(key, None)
    return description


def restore_weights(network: Any, weights: list[np.ndarray]) -> None:
    """Set the weights of a network that was built from its description."""
    network.set_weights(weights)
    _finalize(network)


def _finalize(layer: Any) -> None:
    """Let layers compute what they keep beside their weights, as Normalization does."""
    if hasattr(layer, "finalize_state"):
        layer.finalize_state()
    for inner in (*getattr(layer, "layers", ()), *filter(None, [getattr(layer, "layer", None)])):
        _finalize(inner)


def write_network(network: Any) -> tuple[dict[str, Any], bytes]:
    """Return the description of a network, and its weights as a file of arrays.

    Raises
    ------
    NotCovered
        If it has a layer that no file may name.

    """
    description = describe(network)
    weights = [np.asarray(part) for part in network.get_weights()]
    try:
        _check(description, weights)
    except lockgate.BundleError as error:
        raise lockgate.NotCovered(f"the network: {error}") from None
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for k, part in enumerate(weights):
            array = io.BytesIO()
            np.save(array, part, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{k}.npy"), array.getvalue())
    return description, buffer.getvalue()


def read_network(description: object, raw: bytes) -> Any:
    """Build a network from its description and weights, without running code from either.

    Raises
    ------
    BundleError
        If a file is damaged, too large, or names a class that is not on the list.

    """
    keras = import_keras()
    try:
        weights = _read_arrays(raw)
        _check(description, weights)
        network = keras.saving.deserialize_keras_object(description, safe_mode=True)
        restore_weights(network, weights)
    except lockgate.BundleError:
        raise
    except Exception as error:
        message = " ".join(str(error).split())[:300]
        raise lockgate.BundleError(f"the network is damaged: {message}") from None
    return network


def _read_arrays(raw: bytes) -> list[np.ndarray]:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        size = sum(member.file_size for member in archive.infolist())
        if size > LARGEST:
            raise lockgate.BundleError(
                f"the weights expand to {size} bytes; at most {LARGEST} are read"
            )
        arrays = [
            np.load(io.BytesIO(archive.read(f"{k}.npy")), allow_pickle=False)
            for k in range(len(archive.namelist()))
        ]
    if any(array.dtype.kind not in "fiub" or not array.size for array in arrays):
        raise lockgate.BundleError("the weights hold an array that is empty, or not of numbers")
    return arrays


def _check(description: object, weights: list[np.ndarray]) -> None:
    """Refuse classes that are not on the list, and sizes that no array has."""
    longest = max([SMALL, *(size for part in weights for size in part.shape)])
    layers = 0
    for name, part in _parts(description):
        if isinstance(part, Mapping):
            if "class_name" in part:
                _check_class(part)
                layers += part.get("module") == "keras.layers"
            if set(TRAINING) & set(part):
                raise lockgate.BundleError(f"a network's file must not contain {TRAINING[0]}")
        elif type(part) in (int, float) and name not in NO_SIZES:
            largest = longest if name == "input_dim" else min(longest, LARGE)
            if not -largest <= part <= largest:
                raise lockgate.BundleError(f"{name} is {part}; at most {largest} is read")
    if layers > MOST_LAYERS:
        raise lockgate.BundleError(f"{layers} layers; at most {MOST_LAYERS} are read")


def _check_class(part: Mapping[str, Any]) -> None:
    name, module = part["class_name"], part.get("module")
    if name == TENSOR and module is None:
        return
    if part.get("registered_name") not in (None, name) or name not in CLASSES.get(
        str(module), frozenset()
    ):
        raise lockgate.BundleError(
            f"{module}.{name} is not among the layers that a network's file may name; "
            f"build it of {', '.join(sorted(ALLOWED_LAYERS))}"
        )


def _parts(value: object) -> Iterator[tuple[str, object]]:
    """Return a value of JSON and all in it, each with the key that it stands at."""
    pending: list[tuple[str, object]] = [("", value)]
    while pending:
        key, part = pending.pop()
        yield key, part
        if isinstance(part, Mapping):
            pending += part.items()
        elif isinstance(part, list):
            pending += [(key, entry) for entry in part]
