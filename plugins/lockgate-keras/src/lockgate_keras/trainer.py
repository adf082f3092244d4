"""Trains dense networks with Keras on TensorFlow, and returns them as arrays."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

import lockgate

__all__ = ["DenseLayers", "Training", "import_keras", "train"]

Loss = Literal["binary_crossentropy", "sparse_categorical_crossentropy", "mean_squared_error"]

DenseLayers = list[tuple[np.ndarray, np.ndarray]]
"""Weights, shape (inputs, units), and biases, shape (units,), of each layer, in 64 bits."""

VALIDATION = 0.1
"""Share of the rows that training stops by, as in scikit-learn's perceptrons."""

FEWEST = 50
"""Rows from which on some are set apart to stop by."""


@dataclass(frozen=True)
class Training:
    """How a network is trained.

    Attributes
    ----------
    hidden : sequence of int
        Units of each hidden layer.
    loss : str
        Keras' name of the loss; it takes the sums of the last layer.
    outputs : int
        Units of the last layer.
    learning_rate, weight_decay : float
        Of AdamW (Loshchilov and Hutter, Decoupled weight decay regularization, 2019).
    dropout : float
        Share of the units of a hidden layer that a step leaves out.
    batch_normalization : bool
        Whether each hidden layer is normalized over its batch (Ioffe and Szegedy, 2015).
    batch_size, epochs : int
        Rows of a step, and the largest number of passes over the rows.
    patience : int
        Passes without a smaller loss on the rows set apart, after which training ends; the
        weights of the best pass are kept.
    seed : int
        Seed of the weights, the order of the rows, and dropout.

    """

    hidden: Sequence[int]
    loss: Loss
    outputs: int
    learning_rate: float
    weight_decay: float
    dropout: float
    batch_normalization: bool
    batch_size: int
    epochs: int
    patience: int
    seed: int


def import_keras() -> Any:
    """Import Keras without the messages of TensorFlow; UsageError where either is missing."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # its sums differ between processors, and the model would change with the machine
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    try:
        import keras
        import tensorflow  # noqa: F401
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


def train(
    training: Training, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None
) -> DenseLayers:
    """Train a network on rows of shape (n, k), and return its layers.

    A pass over the rows is one call of TensorFlow: for some 1,000 rows that takes a tenth of
    the time of Keras' `fit`, which makes its iterators anew for every pass.

    Raises
    ------
    ValueError
        If the loss becomes NaN or infinite.

    """
    keras = import_keras()
    network = _build(keras, training, X.shape[1])
    fitted, held_out = _set_apart(training, y)
    rows = (X, y, np.ones(len(y)) if weight is None else weight)
    step_through = _passes(keras, training, network, *(part[fitted] for part in rows))
    judge = _judge(keras, training, network, *(part[held_out] for part in rows))
    rng = np.random.default_rng(training.seed)
    best, best_weights, since = np.inf, network.get_weights(), 0
    for _ in range(training.epochs):
        loss = step_through(rng.permutation(len(fitted)))
        if not np.isfinite(loss):
            raise ValueError(
                f"training diverged: the loss is not a finite number; learning_rate is "
                f"{training.learning_rate:g}, choose a smaller one"
            )
        loss = judge() if len(held_out) else loss
        since += 1
        if loss < best:
            best, best_weights, since = loss, network.get_weights(), 0
        elif since >= training.patience:
            break
    network.set_weights(best_weights)
    return _layers_of(network)


def _build(keras: Any, training: Training, inputs: int) -> Any:
    """Return the network; each layer that draws has a seed of its own."""
    kinds, seeds = keras.layers, iter(range(training.seed, training.seed + 1000))

    def dense(units: int) -> Any:
        start = keras.initializers.GlorotUniform(seed=next(seeds))
        return kinds.Dense(units, kernel_initializer=start)

    layers: list[Any] = [keras.Input((inputs,))]
    for units in training.hidden:
        layers.append(dense(units))
        if training.batch_normalization:
            layers.append(kinds.BatchNormalization())
        layers.append(kinds.ReLU())
        if training.dropout:
            layers.append(kinds.Dropout(training.dropout, seed=next(seeds)))
    return keras.Sequential([*layers, dense(training.outputs)])


def _loss(keras: Any, name: Loss) -> Any:
    if name == "mean_squared_error":
        return keras.losses.MeanSquaredError()
    if name == "binary_crossentropy":
        return keras.losses.BinaryCrossentropy(from_logits=True)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _passes(
    keras: Any,
    training: Training,
    network: Any,
    X: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
) -> Callable[[np.ndarray], float]:
    """Return a function that takes the rows in an order, and returns the mean loss of its steps."""
    import tensorflow as tf

    features, target, weights = _constants(X, y, weight)
    loss_of, count, size = _loss(keras, training.loss), len(X), training.batch_size
    optimizer = keras.optimizers.AdamW(
        learning_rate=training.learning_rate, weight_decay=training.weight_decay
    )
    optimizer.build(network.trainable_variables)

    def run(order: Any) -> Any:
        total = tf.constant(0.0)
        for start in tf.range(0, count, size):
            rows = order[start : start + size]
            with tf.GradientTape() as tape:
                sums = network(tf.gather(features, rows), training=True)
                loss = loss_of(tf.gather(target, rows), sums, tf.gather(weights, rows))
            variables = network.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            total += loss * tf.cast(tf.shape(rows)[0], tf.float32)
        return total / count

    compiled = tf.function(run).get_concrete_function(tf.TensorSpec([count], tf.int32))
    return lambda order: float(compiled(tf.constant(order.astype(np.int32))))


def _judge(
    keras: Any,
    training: Training,
    network: Any,
    X: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
) -> Callable[[], float]:
    """Return a function that returns the loss on the rows set apart."""
    import tensorflow as tf

    features, target, weights = _constants(X, y, weight)
    loss_of = _loss(keras, training.loss)

    def run() -> Any:
        return loss_of(target, network(features, training=False), weights)

    if not len(X):
        return lambda: np.inf
    compiled = tf.function(run).get_concrete_function()
    return lambda: float(compiled())


def _constants(X: np.ndarray, y: np.ndarray, weight: np.ndarray) -> tuple[Any, Any, Any]:
    import tensorflow as tf

    kind = np.int32 if y.dtype.kind == "i" else np.float32
    column = y.astype(kind).reshape(-1, 1)
    return (
        tf.constant(X.astype(np.float32)),
        tf.constant(column),
        tf.constant(weight.astype(np.float32)),
    )


def _set_apart(training: Training, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the rows to fit, and of those to stop by; classes keep their shares."""
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(y))
    if len(y) < FEWEST:
        return rows, rows[:0]
    classes = None if training.loss == "mean_squared_error" else y
    if classes is not None and np.unique(classes, return_counts=True)[1].min() < 2:
        classes = None
    try:
        fitted, held_out = train_test_split(
            rows, test_size=VALIDATION, stratify=classes, random_state=training.seed
        )
    except ValueError:  # more classes than rows to set apart
        fitted, held_out = train_test_split(rows, test_size=VALIDATION, random_state=training.seed)
    return np.asarray(fitted), np.asarray(held_out)


def _layers_of(network: Any) -> DenseLayers:
    """Return the dense layers; normalization is made part of the layer before it."""
    layers: DenseLayers = []
    for layer in network.layers:
        arrays = [np.asarray(part, dtype=float) for part in layer.get_weights()]
        if type(layer).__name__ == "Dense":
            layers.append((arrays[0], arrays[1]))
        elif type(layer).__name__ == "BatchNormalization":
            scale, shift, mean, variance = arrays
            factor = scale / np.sqrt(variance + layer.epsilon)
            weights, bias = layers[-1]
            layers[-1] = (weights * factor, (bias - mean) * factor + shift)
    return layers
