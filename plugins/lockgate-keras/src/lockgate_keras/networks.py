"""Networks that were trained elsewhere, Keras' or PyTorch's, as fitted scikit-learn estimators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

import lockgate
from lockgate_keras.activations import class_name
from lockgate_keras.compiled import import_keras
from lockgate_keras.keras_layers import keras_ending
from lockgate_keras.torch_layers import torch_ending, torch_outputs

__all__ = ["NetworkClassifier", "NetworkRegressor", "ending_of", "library_of", "outputs_of"]

BATCH = 8192

MODELS = ("Functional", "Sequential")
"""Models of Keras that a description says all of."""


def library_of(network: object) -> str:
    """Return ``keras`` or ``torch``; UsageError for anything else."""
    for cls in type(network).__mro__:
        library = cls.__module__.partition(".")[0]
        if library in ("keras", "torch"):
            return library
    raise lockgate.UsageError(
        f"expected a network of Keras (keras.Model) or PyTorch (torch.nn.Module), got "
        f"{type(network).__name__}"
    )


def outputs_of(network: Any, X: ArrayLike) -> np.ndarray:
    """Return what a network computes in 32 bits for rows of shape (n, k): shape (n, outputs)."""
    rows = np.ascontiguousarray(X, dtype=np.float32)
    parts = [rows[start : start + BATCH] for start in range(0, max(len(rows), 1), BATCH)]
    if library_of(network) == "keras":
        keras = import_keras()
        outputs = [keras.ops.convert_to_numpy(network(part, training=False)) for part in parts]
    else:
        outputs = [torch_outputs(network, part) for part in parts]
    return np.concatenate(outputs).astype(float).reshape(len(rows), -1)


def ending_of(network: Any) -> str:
    """Return Keras' name of the activation that a network ends in, ``linear`` for none."""
    return keras_ending(network) if library_of(network) == "keras" else torch_ending(network)


class _Network(BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """What both have: a fitted network, and its outputs."""

    network: Any

    def __sklearn_is_fitted__(self) -> bool:
        """Return True: the network was trained before."""
        return True

    def __getstate__(self) -> dict[str, Any]:
        """Return a network of Keras as its description and arrays: Keras would add the time."""
        state = dict(super().__getstate__())
        if library_of(self.network) == "keras" and class_name(self.network) in MODELS:
            state["network"] = self.network.to_json(), self.network.get_weights()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build the network again."""
        if isinstance(state["network"], tuple):
            description, weights = state["network"]
            network = import_keras().models.model_from_json(description)
            network.set_weights(weights)
            state = {**state, "network": network}
        super().__setstate__(state)

    def fit(self, X: ArrayLike, y: ArrayLike) -> NoReturn:
        """Refuse: train the network with its own library."""
        raise lockgate.UsageError(
            "the network is trained already; to have lockgate train one: lockgate run model=keras"
        )


class NetworkClassifier(ClassifierMixin, _Network):  # type: ignore[misc]  # scikit-learn is untyped
    """A trained network as a classifier.

    Parameters
    ----------
    network : keras.Model or torch.nn.Module
        It takes rows of shape (n, k), and returns one number a row (two classes), or one for
        each class: probabilities where it ends in a sigmoid or softmax, else the sums before.
    classes : sequence
        The label of each output in their order; of two with one output, the second is the
        one whose probability the network returns.

    """

    def __init__(self, network: Any, classes: Sequence[Any]) -> None:
        self.network = network
        self.classes = classes

    @property
    def classes_(self) -> np.ndarray:
        """The labels, in the order of the outputs."""
        return np.asarray(self.classes)

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Predict the probability of each class, shape (n, classes)."""
        from scipy.special import expit, softmax

        outputs, count = outputs_of(self.network, X), len(self.classes_)
        if outputs.shape[1] != (1 if count == 2 else count) and outputs.shape[1] != count:
            raise lockgate.UsageError(
                f"the network has {outputs.shape[1]} outputs, and classes names {count}; "
                "expected one for each, or one for two"
            )
        ends = ending_of(self.network)
        if outputs.shape[1] == 1:
            probability = outputs if ends == "sigmoid" else expit(outputs)
            return np.hstack([1 - probability, probability])
        return np.asarray(outputs if ends == "softmax" else softmax(outputs, axis=1))

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict the most probable class, the first of several."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


class NetworkRegressor(RegressorMixin, _Network):  # type: ignore[misc]  # scikit-learn is untyped
    """A trained network as a regression.

    Parameters
    ----------
    network : keras.Model or torch.nn.Module
        It takes rows of shape (n, k), and returns one number a row.

    """

    def __init__(self, network: Any) -> None:
        self.network = network

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict values, shape (n,)."""
        outputs = outputs_of(self.network, X)
        if outputs.shape[1] != 1:
            raise lockgate.UsageError(
                f"the network has {outputs.shape[1]} outputs; a regression has one"
            )
        return outputs[:, 0]
