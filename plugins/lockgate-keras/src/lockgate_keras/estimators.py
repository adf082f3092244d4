"""Dense networks as scikit-learn estimators: trained with Keras, predicting with NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from lockgate_keras.compiled import DenseLayers, Loss, Structure
from lockgate_keras.trainer import Training, train

__all__ = ["DenseClassifier", "DenseRegressor"]


class _Dense(BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """A dense network with rectifiers.

    Keras trains it in 32 bits. The weights are kept as arrays, and predictions are computed
    from them with NumPy in 64 bits: a fitted model needs no Keras.

    Parameters
    ----------
    hidden, dropout, batch_normalization, batch_size
        As in `lockgate_keras.compiled.Structure`.
    learning_rate, weight_decay, epochs, patience
        As in `lockgate_keras.trainer.Training`.
    random_state : int
        Seed of the weights, the order of the rows, and dropout.

    Attributes
    ----------
    layers_ : list of (ndarray, ndarray)
        Weights and biases of each layer; normalization is part of them.

    """

    layers_: DenseLayers

    def __init__(
        self,
        hidden: Sequence[int] = (64, 32),
        *,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        dropout: float = 0.0,
        batch_normalization: bool = False,
        batch_size: int = 128,
        epochs: int = 200,
        patience: int = 10,
        random_state: int = 0,
    ) -> None:
        self.hidden = hidden
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.batch_normalization = batch_normalization
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.random_state = random_state

    def _train(
        self, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None, loss: Loss, outputs: int
    ) -> None:
        structure = Structure(
            tuple(self.hidden),
            loss,
            outputs,
            self.dropout,
            self.batch_normalization,
            self.batch_size,
            int(self.random_state),
        )
        training = Training(
            structure, self.learning_rate, self.weight_decay, self.epochs, self.patience
        )
        self.layers_ = train(training, X, y, weight)

    def _sums(self, X: ArrayLike) -> np.ndarray:
        """Return the sums of the last layer, shape (n, outputs)."""
        check_is_fitted(self, "layers_")
        values = validate_data(self, X, reset=False, dtype=np.float64)
        for weights, bias in self.layers_[:-1]:
            values = np.maximum(values @ weights + bias, 0)
        weights, bias = self.layers_[-1]
        sums: np.ndarray = values @ weights + bias
        return sums


class DenseClassifier(ClassifierMixin, _Dense):  # type: ignore[misc]  # scikit-learn is untyped
    """A dense network for classes, trained on the cross-entropy; see `_Dense`."""

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> DenseClassifier:
        """Fit to X of shape (n, k) and classes y of shape (n,)."""
        rows, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class, {str(self.classes_[0])!r}; expected two or more")
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, rows)
        if len(self.classes_) == 2:
            self._train(rows, codes.astype(np.float32), weight, "binary_crossentropy", 1)
        else:
            outputs = len(self.classes_)
            self._train(rows, codes, weight, "sparse_categorical_crossentropy", outputs)
        return self

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Predict the probability of each class, shape (n, classes)."""
        from scipy.special import expit, softmax

        sums = self._sums(X)
        if sums.shape[1] > 1:
            return np.asarray(softmax(sums, axis=1))
        return np.hstack([expit(-sums), expit(sums)])

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict the most probable class."""
        sums = self._sums(X)
        codes = sums.argmax(axis=1) if sums.shape[1] > 1 else (sums[:, 0] > 0).astype(int)
        return np.asarray(self.classes_[codes])


class DenseRegressor(RegressorMixin, _Dense):  # type: ignore[misc]  # scikit-learn is untyped
    """A dense network for numbers, trained on the squared error of the scaled target."""

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> DenseRegressor:
        """Fit to X of shape (n, k) and y of shape (n,)."""
        rows, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, rows)
        y = np.asarray(y, dtype=float)
        mean, scale = float(np.mean(y)), float(np.std(y)) or 1.0
        target = ((y - mean) / scale).astype(np.float32)
        self._train(rows, target, weight, "mean_squared_error", 1)
        weights, bias = self.layers_[-1]
        self.layers_[-1] = (weights * scale, bias * scale + mean)
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict values, shape (n,)."""
        values: np.ndarray = self._sums(X)[:, 0]
        return values
