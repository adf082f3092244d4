"""Dense networks of Keras, compiled once for many trainings."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

import lockgate

__all__ = ["DenseLayers", "Loss", "Structure", "compiled_network", "import_keras"]

Loss = Literal["binary_crossentropy", "sparse_categorical_crossentropy", "mean_squared_error"]

DenseLayers = list[tuple[np.ndarray, np.ndarray]]
"""Weights, shape (inputs, units), and biases, shape (units,), of each layer, in 64 bits."""


@dataclass(frozen=True)
class Structure:
    """What a network is compiled for.

    Attributes
    ----------
    hidden : tuple of int
        Units of each hidden layer.
    loss : str
        Keras' name of the loss; it takes the sums of the last layer.
    outputs : int
        Units of the last layer.
    dropout : float
        Share of the units of a hidden layer that a step leaves out.
    batch_normalization : bool
        Whether each hidden layer is normalized over its batch (Ioffe and Szegedy, 2015).
    batch_size : int
        Rows of a step.
    seed : int
        Seed of the weights, and of dropout.

    """

    hidden: tuple[int, ...]
    loss: Loss
    outputs: int
    dropout: float
    batch_normalization: bool
    batch_size: int
    seed: int


def import_keras() -> Any:
    """Import Keras without the messages of TensorFlow; UsageError where either is missing."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # it adds in another order: without it equal seeds give equal bytes on processors of a kind
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    try:
        import keras
        import tensorflow  # noqa: F401  # else Keras would miss it in the middle of its import
    except ImportError as error:
        raise lockgate.UsageError(
            "model keras needs Keras and TensorFlow: "
            f"pip install 'lockgate-keras[tensorflow]' ({error})"
        ) from None
    if keras.backend.backend() != "tensorflow":
        raise lockgate.UsageError(
            f"model keras trains on TensorFlow, and Keras is set to {keras.backend.backend()}; "
            "unset KERAS_BACKEND, or set it to tensorflow"
        )
    return keras


@functools.lru_cache(maxsize=8)
def compiled_network(structure: Structure, inputs: int) -> _Compiled:
    """Return a network for rows of that many columns.

    TensorFlow takes half a second to compile a network, as long as many a training on 1,000 rows:
    the trainings of a search, which differ in their rates alone, have it in common.
    """
    return _Compiled(import_keras(), structure, inputs)


class _Compiled:
    """A network, its optimizer, and two functions of TensorFlow.

    A pass over the rows is one call: for some 1,000 rows that takes a tenth of the time of
    Keras' `fit`, which makes its iterators anew for every pass.
    """

    def __init__(self, keras: Any, structure: Structure, inputs: int) -> None:
        import tensorflow as tf

        self._network = _build(keras, structure, inputs)
        self._optimizer = keras.optimizers.AdamW(learning_rate=1e-3, weight_decay=0.0)
        self._optimizer.build(self._network.trainable_variables)
        # a number would be compiled in
        self._weight_decay = self._optimizer.weight_decay = tf.Variable(0.0)
        self._variables = [*self._network.variables, *self._optimizer.variables]
        self._start = [np.array(variable.numpy()) for variable in self._variables]
        kind = tf.int32 if structure.loss == "sparse_categorical_crossentropy" else tf.float32
        rows = (
            tf.TensorSpec([None, inputs], tf.float32),
            tf.TensorSpec([None, 1], kind),
            tf.TensorSpec([None], tf.float32),
        )
        loss_of, size = _loss(keras, structure.loss), structure.batch_size
        network, optimizer = self._network, self._optimizer

        def step_through(features: Any, target: Any, weight: Any, order: Any) -> Any:
            total, count = tf.constant(0.0), tf.shape(order)[0]
            for start in tf.range(0, count, size):
                rows = order[start : start + size]
                with tf.GradientTape() as tape:
                    outputs = network(tf.gather(features, rows), training=True)
                    loss = loss_of(tf.gather(target, rows), outputs, tf.gather(weight, rows))
                variables = network.trainable_variables
                optimizer.apply_gradients(
                    zip(tape.gradient(loss, variables), variables, strict=True)
                )
                total += loss * tf.cast(tf.shape(rows)[0], tf.float32)
            return total / tf.cast(count, tf.float32)

        def measure(features: Any, target: Any, weight: Any) -> Any:
            return loss_of(target, network(features, training=False), weight)

        order = tf.TensorSpec([None], tf.int32)
        self._step_through = tf.function(step_through).get_concrete_function(*rows, order)
        self._measure = tf.function(measure).get_concrete_function(*rows)

    def reset(self, learning_rate: float, weight_decay: float) -> None:
        """Begin anew: with the weights and the state that it was built with."""
        for variable, value in zip(self._variables, self._start, strict=True):
            variable.assign(value)
        self._optimizer.learning_rate = learning_rate
        self._weight_decay.assign(weight_decay)

    def step_through(
        self, order: np.ndarray, features: np.ndarray, target: np.ndarray, weight: np.ndarray
    ) -> float:
        """Take steps through all rows in that order; return the mean loss of the steps."""
        import tensorflow as tf

        arrays = (features, target, weight, order.astype(np.int32))
        return float(self._step_through(*map(tf.constant, arrays)))

    def measure(self, features: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
        """Return the loss on rows, as it predicts them."""
        import tensorflow as tf

        return float(self._measure(*map(tf.constant, (features, target, weight))))

    def weights(self) -> list[np.ndarray]:
        """Return a copy of the weights."""
        return [np.array(part) for part in self._network.get_weights()]

    def layers_of(self, weights: list[np.ndarray]) -> DenseLayers:
        """Return these weights as layers; normalization is made part of the layer before it."""
        self._network.set_weights(weights)
        layers: DenseLayers = []
        for layer in self._network.layers:
            arrays = [np.asarray(part, dtype=float) for part in layer.get_weights()]
            if type(layer).__name__ == "Dense":
                layers.append((arrays[0], arrays[1]))
            elif type(layer).__name__ == "BatchNormalization":
                scale, shift, mean, variance = arrays
                factor = scale / np.sqrt(variance + layer.epsilon)
                weights_before, bias = layers[-1]
                layers[-1] = (weights_before * factor, (bias - mean) * factor + shift)
        if not all(np.isfinite(part).all() for layer in layers for part in layer):
            raise ValueError("training diverged: weights became NaN or infinite")
        return layers


def _build(keras: Any, structure: Structure, inputs: int) -> Any:
    """Return the network; each layer that draws has a seed of its own."""
    kinds, seeds = keras.layers, iter(range(structure.seed, structure.seed + 1000))

    def dense(units: int) -> Any:
        start = keras.initializers.GlorotUniform(seed=next(seeds))
        return kinds.Dense(units, kernel_initializer=start)

    layers: list[Any] = [keras.Input((inputs,))]
    for units in structure.hidden:
        layers.append(dense(units))
        if structure.batch_normalization:
            layers.append(kinds.BatchNormalization())
        layers.append(kinds.ReLU())
        if structure.dropout:
            layers.append(kinds.Dropout(structure.dropout, seed=next(seeds)))
    return keras.Sequential([*layers, dense(structure.outputs)])


def _loss(keras: Any, name: Loss) -> Any:
    if name == "mean_squared_error":
        return keras.losses.MeanSquaredError()
    if name == "binary_crossentropy":
        return keras.losses.BinaryCrossentropy(from_logits=True)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
