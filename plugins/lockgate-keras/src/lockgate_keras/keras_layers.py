"""Layers of Keras as operations of a packed model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate_keras.activations import LayerWriter, class_name

if TYPE_CHECKING:
    from lockgate.contract.conversion import ConversionTrace

__all__ = ["add_keras", "keras_ending"]

PASSED = (
    *("ActivityRegularization", "AlphaDropout", "Dropout", "Flatten", "GaussianDropout"),
    *("GaussianNoise", "Identity", "InputLayer"),
)
"""Layers that change nothing in a prediction of rows."""


def add_keras(trace: ConversionTrace, op: int, network: Any, *, skip_last: bool) -> int:
    """Add a model of Keras, a chain or graph of layers; return the operation of its output."""
    return _Model(trace, _output_layer(network) if skip_last else None).add(network, op)


def keras_ending(network: Any) -> str:
    """Return the name of the activation that a network ends in."""
    layer = _output_layer(network)
    return "softmax" if class_name(layer) == "Softmax" else _activation_of(layer)


def _activation_of(layer: Any) -> str:
    """Return the name of the activation function of a layer; of others' with its module."""
    if (activation := getattr(layer, "activation", None)) is None:
        return "linear"
    name = getattr(activation, "__qualname__", class_name(activation))
    module = str(getattr(activation, "__module__", ""))
    return name if module.partition(".")[0] == "keras" else f"{module}.{name}"


def _output_layer(network: Any) -> Any:
    layer = network.layers[-1]
    if hasattr(network, "operations") and class_name(network) == "Functional":
        config = network.get_config()["output_layers"]
        layer = network.get_layer(_single(config)[0])
    return _output_layer(layer) if hasattr(layer, "layers") else layer


def _single(layers: Any) -> Any:
    """Return the only element of Keras' list of inputs or outputs, which may lie in another."""
    return layers[0] if layers and isinstance(layers[0], list) else layers


class _Model:
    """Adds layers, but not the activation of the layer `skipped`."""

    def __init__(self, trace: ConversionTrace, skipped: Any) -> None:
        self.trace, self.skipped = trace, skipped
        self.writer = LayerWriter(trace)

    def add(self, model: Any, op: int) -> int:
        """Add the layers of a model, or of a model in it."""
        kind = class_name(model)
        if kind == "Sequential":
            for layer in model.layers:
                op = self._add_layer(layer, [op])
            return op
        self.trace.require(
            kind == "Functional",
            f"{kind} computes in code of its own; build the network as keras.Sequential or "
            "keras.Model(inputs, outputs)",
        )
        config = model.get_config()
        known: dict[str, int] = {}
        inputs = _single(config["input_layers"])
        self.trace.require(
            isinstance(inputs[0], str), "several inputs; build the network on a single one"
        )
        for entry in config["layers"]:
            layer = model.get_layer(entry["name"])
            nodes = entry["inbound_nodes"]
            self.trace.require(len(nodes) <= 1, f"layer {layer.name} is used more than once")
            operands = [known[name] for name in _names_of_inputs(nodes)]
            known[layer.name] = self._add_layer(layer, operands or [op])
        return known[_single(config["output_layers"])[0]]

    def _add_layer(self, layer: Any, ops: list[int]) -> int:
        name = class_name(layer)
        if hasattr(layer, "layers"):
            return self.add(layer, ops[0])
        if name in MERGED:
            return MERGED[name](self.writer, ops)
        self.trace.require(len(ops) == 1, f"layer {name} of several inputs")
        if name in PASSED:
            return ops[0]
        self.trace.require(
            name in LAYERS,
            f"layer {name}; use {', '.join(sorted({*LAYERS, *MERGED, *PASSED}))}, or format=keras",
        )
        if layer is self.skipped and name == "Softmax":
            return ops[0]
        op = LAYERS[name](self.writer, ops[0], layer)
        if layer is self.skipped or name not in ("Dense", "Activation"):
            return op
        function = _activation_of(layer)
        return self.writer.activated(op, function, DEFAULTS.get(function))


DEFAULTS = {"elu": 1.0, "leaky_relu": 0.2}
"""Parameters of Keras' activation functions that are given by name."""


def _names_of_inputs(nodes: list[Any]) -> list[str]:
    """Return the layers whose results a layer takes, in order, out of Keras' description."""
    names: list[str] = []

    def collect(part: Any) -> None:
        if isinstance(part, Mapping):
            if part.get("class_name") == "__keras_tensor__":
                names.append(part["config"]["keras_history"][0])
            else:
                for value in part.values():
                    collect(value)
        elif isinstance(part, (list, tuple)):
            for value in part:
                collect(value)

    for node in nodes:
        collect(node["args"])
    return names


def _arrays(layer: Any) -> list[np.ndarray]:
    return [np.asarray(part, dtype=float) for part in layer.get_weights()]


def _dense(writer: LayerWriter, op: int, layer: Any) -> int:
    arrays = _arrays(layer)
    bias = arrays[1] if len(arrays) > 1 else np.zeros(arrays[0].shape[1])
    return writer.dense(op, arrays[0].T, bias)


def _batch_normalized(writer: LayerWriter, op: int, layer: Any) -> int:
    *learned, mean, variance = _arrays(layer)
    scale = learned.pop(0) if layer.scale else np.ones_like(mean)
    shift = learned.pop(0) if layer.center else np.zeros_like(mean)
    factor = scale / np.sqrt(variance + layer.epsilon)
    return writer.scaled(op, factor, shift - mean * factor)


def _normalized(writer: LayerWriter, op: int, layer: Any) -> int:
    mean, variance = np.asarray(layer.mean, float), np.asarray(layer.variance, float)
    spread = np.maximum(np.sqrt(variance), 1e-7)  # keras.config.epsilon()
    if layer.invert:
        return writer.scaled(op, spread, mean)
    return writer.scaled(op, 1 / spread, -mean / spread)


def _rectified(writer: LayerWriter, op: int, layer: Any) -> int:
    top, slope = layer.max_value, float(layer.negative_slope or 0)
    if not slope and not layer.threshold and top in (None, 6):
        return writer.activated(op, "relu" if top is None else "relu6")
    if not layer.threshold and top is None:
        return writer.activated(op, "leaky_relu", slope)
    return writer.activated(op, f"relu of max_value {top} and threshold {layer.threshold}")


LAYERS: dict[str, Callable[[LayerWriter, int, Any], int]] = {
    "Activation": lambda _writer, op, _layer: op,
    "BatchNormalization": _batch_normalized,
    "Dense": _dense,
    "ELU": lambda writer, op, layer: writer.activated(op, "elu", layer.alpha),
    "LeakyReLU": lambda writer, op, layer: writer.activated(op, "leaky_relu", layer.negative_slope),
    "Normalization": _normalized,
    "PReLU": lambda writer, op, layer: writer.activated(op, "prelu", _arrays(layer)[0]),
    "ReLU": _rectified,
    "Rescaling": lambda writer, op, layer: writer.scaled(op, layer.scale, layer.offset),
    "Softmax": lambda writer, op, _layer: writer.activated(op, "softmax"),
}
"""Layers of one input; activations that a layer carries in itself are added after it."""

MERGED: dict[str, Callable[[LayerWriter, list[int]], int]] = {
    "Add": lambda writer, ops: writer.weighted(ops, [1.0] * len(ops)),
    "Average": lambda writer, ops: writer.weighted(ops, [1 / len(ops)] * len(ops)),
    "Concatenate": LayerWriter.concatenated,
    "Multiply": LayerWriter.multiplied,
    "Subtract": lambda writer, ops: writer.weighted(ops, [1.0, -1.0]),
}
"""Layers of several inputs."""
