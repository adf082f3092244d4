"""Trains dense networks with Keras on TensorFlow, and returns them as arrays."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from lockgate_keras.compiled import DenseLayers, Structure, compiled_network, import_keras

__all__ = ["Training", "train"]

VALIDATION = 0.1
"""Share of the rows that training stops by, as in scikit-learn's perceptrons."""

FEWEST = 50
"""Rows from which on some are set apart to stop by."""

LOCK = threading.Lock()


@dataclass(frozen=True)
class Training:
    """How a network is trained.

    Attributes
    ----------
    structure : Structure
        The network, and its steps.
    learning_rate, weight_decay : float
        Of AdamW (Loshchilov and Hutter, Decoupled weight decay regularization, 2019).
    epochs : int
        Largest number of passes over the rows.
    patience : int
        Passes without a smaller loss on the rows set apart, after which training ends; the
        weights of the best pass are kept.

    """

    structure: Structure
    learning_rate: float
    weight_decay: float
    epochs: int
    patience: int

    @property
    def seed(self) -> int:
        """Seed of the order of the rows, and of those set apart."""
        return self.structure.seed


def train(
    training: Training, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None
) -> DenseLayers:
    """Train a network on rows of shape (n, k), and return its layers.

    Raises
    ------
    ValueError
        If the loss becomes NaN or infinite.

    """
    import_keras()
    fitted, held_out = _split_validation(training, y)
    rows = _rows_of(training, X, y, np.ones(len(y)) if weight is None else weight)
    chosen, others = ([part[indices] for part in rows] for indices in (fitted, held_out))
    rng = np.random.default_rng(training.seed)
    with LOCK:  # a network that is compiled serves one training at a time
        network = compiled_network(training.structure, X.shape[1])
        network.reset(training.learning_rate, training.weight_decay)
        best, best_weights, since = np.inf, network.weights(), 0
        for _ in range(training.epochs):
            loss = network.step_through(rng.permutation(len(fitted)), *chosen)
            if not np.isfinite(loss):
                raise ValueError(
                    f"training diverged: the loss is not a finite number; learning_rate is "
                    f"{training.learning_rate:g}, reduce it, or scale columns and a "
                    "target beyond 1e30"
                )
            loss = network.measure(*others) if len(held_out) else loss
            since += 1
            if loss < best:
                best, best_weights, since = loss, network.weights(), 0
            elif since >= training.patience:
                break
        return network.layers_of(best_weights)


def _rows_of(training: Training, X: np.ndarray, y: np.ndarray, weight: np.ndarray) -> list[Any]:
    of_classes = training.structure.loss == "sparse_categorical_crossentropy"
    target = y.astype(np.int32 if of_classes else np.float32).reshape(-1, 1)
    return [X.astype(np.float32), target, weight.astype(np.float32)]


def _split_validation(training: Training, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the rows to fit, and of those to stop by; classes keep their shares."""
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(y))
    if len(y) < FEWEST:
        return rows, rows[:0]
    classes = None if training.structure.loss == "mean_squared_error" else y
    if classes is not None and np.unique(classes, return_counts=True)[1].min() < 2:
        classes = None
    try:
        fitted, held_out = train_test_split(
            rows, test_size=VALIDATION, stratify=classes, random_state=training.seed
        )
    except ValueError:  # more classes than rows to set apart
        fitted, held_out = train_test_split(rows, test_size=VALIDATION, random_state=training.seed)
    return np.asarray(fitted), np.asarray(held_out)
