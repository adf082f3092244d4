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

__all__ = ["read_network", "write_network"]

LAYERS = frozenset(
    (
        *("Activation", "ActivityRegularization", "Add", "AdditiveAttention", "AlphaDropout"),
        *("Attention", "Average", "AveragePooling1D", "BatchNormalization", "Bidirectional"),
        *("Concatenate", "Conv1D", "Cropping1D", "Dense", "DepthwiseConv1D", "Dot", "Dropout"),
        *("ELU", "EinsumDense", "Embedding", "Flatten", "GRU", "GaussianDropout"),
        *("GaussianNoise", "GlobalAveragePooling1D", "GlobalMaxPooling1D"),
        *("GroupNormalization", "GroupQueryAttention", "Identity", "InputLayer", "LSTM"),
        *("LayerNormalization", "LeakyReLU", "Masking", "MaxPooling1D", "Maximum", "Minimum"),
        *("MultiHeadAttention", "Multiply", "Normalization", "PReLU", "Permute"),
        *("RMSNormalization", "ReLU", "RepeatVector", "Rescaling", "Reshape", "SeparableConv1D"),
        *("SimpleRNN", "Softmax", "SpatialDropout1D", "Subtract", "TimeDistributed"),
        *("UnitNormalization", "UpSampling1D", "ZeroPadding1D"),
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
    "keras.layers": LAYERS,
    "keras.regularizers": frozenset(("L1", "L1L2", "L2", "OrthogonalRegularizer")),
    "keras.src.models.functional": frozenset(("Functional",)),
}
"""Classes that a file may name, by module."""

TENSOR = "__keras_tensor__"
TRAINING = ("compile_config",)

SMALL = 4096
"""Sizes that a description may name beyond those of the arrays."""

LARGEST = 1 << 30
"""Largest size of the arrays in bytes."""


def write_network(network: Any) -> tuple[dict[str, Any], bytes]:
    """Return the description of a network, and its weights as a file of arrays.

    Raises
    ------
    NotCovered
        If it has a layer that no file may name.

    """
    description = json.loads(network.to_json())
    for key in TRAINING:
        description.pop(key, None)
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
        network.set_weights(weights)
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
        return [
            np.load(io.BytesIO(archive.read(f"{k}.npy")), allow_pickle=False)
            for k in range(len(archive.namelist()))
        ]


def _check(description: object, weights: list[np.ndarray]) -> None:
    """Refuse classes that are not on the list, and sizes that no array has."""
    largest = max([SMALL, *(size for part in weights for size in part.shape)])
    for part in _parts(description):
        if isinstance(part, Mapping):
            if "class_name" in part:
                _check_class(part)
            if set(TRAINING) & set(part):
                raise lockgate.BundleError(f"a network's file must not contain {TRAINING[0]}")
        elif isinstance(part, int) and not isinstance(part, bool) and part > largest:
            raise lockgate.BundleError(f"a size of {part}, where no array is larger than {largest}")


def _check_class(part: Mapping[str, Any]) -> None:
    name, module = part["class_name"], part.get("module")
    if name == TENSOR and module is None:
        return
    if part.get("registered_name") not in (None, name) or name not in CLASSES.get(
        str(module), frozenset()
    ):
        raise lockgate.BundleError(
            f"{module}.{name} is not among the layers that a network's file may name; "
            f"build it of {', '.join(sorted(LAYERS))}"
        )


def _parts(value: object) -> Iterator[object]:
    """Return a value of JSON and all in it."""
    pending = [value]
    while pending:
        part = pending.pop()
        yield part
        if isinstance(part, Mapping):
            pending += part.values()
        elif isinstance(part, list):
            pending += part
