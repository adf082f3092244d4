"""Layers of Keras as operations of a packed model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate_keras.activations import LayerWriter, class_name
from lockgate_keras.compiled import import_keras

if TYPE_CHECKING:
    from lockgate.contract.conversion import ConversionTrace

__all__ = ["add_keras", "keras_ending"]

PASSED = (
    *("ActivityRegularization", "AlphaDropout", "Dropout", "Flatten", "GaussianDropout"),
    *("GaussianNoise", "Identity", "InputLayer"),
)
"""Layers that change nothing in a prediction of rows."""


def add_keras(trace: ConversionTrace, op: int, network: Any) -> int:
    """Add a model of Keras, a chain or graph of layers; return the operation of its output."""
    return _Model(trace).add(network, op)


def keras_ending(model: Any) -> str:
    """Return what a model ends in: ``linear``, ``sigmoid``, ``softmax``, or what else it is."""
    kind = class_name(model)
    if kind == "Sequential":
        endings = (_ending_of(layer) for layer in reversed(model.layers))
        return next((ending for ending in endings if ending), "no layer")
    if kind != "Functional":
        return f"{kind}, which computes in code of its own"
    config = model.get_config()
    entries = {entry["name"]: entry for entry in config["layers"]}
    name = _single(config["output_layers"])
    while name in entries:
        ending = _ending_of(model.get_layer(name))
        before = _names_of_inputs(entries[name]["inbound_nodes"])
        if ending or len(before) != 1:
            return ending or "no layer"
        name = before[0]
    return "several outputs"


def _ending_of(layer: Any) -> str:
    """Return what a layer ends in; empty where it passes on what it gets."""
    name = class_name(layer)
    if hasattr(layer, "layers"):
        return keras_ending(layer)
    if name == "InputLayer":
        return "no layer"
    if name in PASSED and (name != "Flatten" or len(layer.input.shape) == 2):
        return ""
    if name in ("Dense", "Activation"):
        activation = _activation_of(layer)
        passes = name == "Activation" and activation == "linear"
        known = activation in ("linear", "sigmoid", "softmax")
        return "" if passes else activation if known else f"the activation {activation}"
    if name == "Softmax" and layer.axis in (-1, 1):
        return "softmax"
    return f"the layer {name}"


def _activation_of(layer: Any) -> str:
    """Return the name of the activation function of a layer; of others' with its module."""
    if (activation := getattr(layer, "activation", None)) is None:
        return "linear"
    name = getattr(activation, "__qualname__", class_name(activation))
    module = str(getattr(activation, "__module__", ""))
    return name if module.partition(".")[0] == "keras" else f"{module}.{name}"


def _single(layers: Any) -> str | None:
    """Return the layer of the only input or output, out of Keras' description; None for several."""
    if isinstance(layers, list) and layers and isinstance(layers[0], list):
        layers = layers[0] if len(layers) == 1 else [None]
    name = layers[0] if isinstance(layers, (list, tuple)) and layers else None
    return name if isinstance(name, str) else None


class _Model:
    """Adds the layers of a model, and of models in it."""

    def __init__(self, trace: ConversionTrace) -> None:
        self.trace, self.writer = trace, LayerWriter(trace)

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
        for of in ("input_layers", "output_layers"):
            self.trace.require(
                _single(config[of]),
                f"several {of.partition('_')[0]}s; build the network with a single one",
            )
        for entry in config["layers"]:
            layer = model.get_layer(entry["name"])
            nodes = entry["inbound_nodes"]
            self.trace.require(len(nodes) <= 1, f"layer {layer.name} is used more than once")
            operands = [known[name] for name in _names_of_inputs(nodes)]
            known[layer.name] = self._add_layer(layer, operands or [op])
        return known[str(_single(config["output_layers"]))]

    def _add_layer(self, layer: Any, ops: list[int]) -> int:
        name = class_name(layer)
        if name in MERGED:
            self._check_merge(layer, name, ops)
            return MERGED[name](self.writer, ops)
        self.trace.require(len(ops) == 1, f"layer {name} of several inputs")
        if hasattr(layer, "layers"):
            return self.add(layer, ops[0])
        if name in PASSED:
            return ops[0]
        self.trace.require(
            name in CONVERTED,
            f"layer {name}; use {', '.join(sorted({*CONVERTED, *MERGED, *PASSED}))}, or "
            "format=keras",
        )
        for option in ("lora_enabled", "quantization_mode"):
            self.trace.require(
                not getattr(layer, option, None), f"{option} of layer {name}; use format=keras"
            )
        op = CONVERTED[name](self.writer, ops[0], layer)
        if name not in ("Dense", "Activation"):
            return op
        if class_name(layer.activation) in CONVERTED:  # a layer in the place of a function
            return self._add_layer(layer.activation, [op])
        function = _activation_of(layer)
        return self.writer.activated(op, function, DEFAULTS.get(function))

    def _check_merge(self, layer: Any, name: str, ops: list[int]) -> None:
        widths = {self.writer.width(op) for op in ops}
        if name == "Concatenate":
            self.trace.require(layer.axis in (-1, 1), f"Concatenate(axis={layer.axis}); use axis=1")
        else:
            self.trace.require(
                len(widths) == 1, f"layer {name} of inputs of {sorted(widths)} columns; use as many"
            )


DEFAULTS = {"elu": 1.0, "leaky_relu": 0.2}
"""Parameters of Keras' activation functions that are given by name."""


def _names_of_inputs(nodes: list[Any]) -> list[str]:
    """Return the layers whose results a layer takes, in order, out of Keras' description."""
    names: list[str] = []

    def collect(part: Any) -> None:
        if isinstance(part, Mapping):
            if part.get("class_name") == "__keras_tensor__":
                name, _, index = part["config"]["keras_history"]
                names.append(name if index == 0 else f"output {index} of {name}")
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
    spread = np.maximum(np.sqrt(variance), import_keras().config.epsilon())
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


CONVERTED: dict[str, Callable[[LayerWriter, int, Any], int]] = {
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
