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
from lockgate_keras.files import describe, restore_weights
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
    with np.errstate(over="ignore"):
        rows = np.ascontiguousarray(X, dtype=np.float32)
    if not len(rows):
        return np.zeros((0, 1))
    parts = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    if library_of(network) == "keras":
        keras = import_keras()
        outputs = [keras.ops.convert_to_numpy(network(part, training=False)) for part in parts]
    else:
        outputs = [torch_outputs(network, part) for part in parts]
    return np.concatenate(outputs).astype(float).reshape(len(rows), -1)


def ending_of(network: Any) -> str:
    """Return what a network ends in: ``linear``, ``sigmoid``, ``softmax``, or what else it is."""
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
            state["network"] = describe(self.network), self.network.get_weights()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build the network again."""
        if isinstance(state["network"], tuple):
            description, weights = state["network"]
            network = import_keras().saving.deserialize_keras_object(description)
            restore_weights(network, weights)
            state = {**state, "network": network}
        super().__setstate__(state)

    def fit(self, X: ArrayLike, y: ArrayLike) -> NoReturn:
        """Refuse: train the network with its own library."""
        raise lockgate.UsageError(
            "the network is trained already; lockgate run model=keras trains a new network"
        )


class NetworkClassifier(ClassifierMixin, _Network):  # type: ignore[misc]  # scikit-learn is untyped
    """A trained network as a classifier.

    Parameters
    ----------
    network : keras.Model or torch.nn.Module
        It takes rows of shape (n, k), and returns one number a row (two classes), or one for
        each class.
    classes : sequence of str, or of int, bool or float
        The label of each output in their order; of two with one output, the second is the
        one whose probability the network returns.
    from_logits : bool, optional
        Whether the outputs are logits, the sums before a sigmoid or softmax. By default that
        follows from how the network ends: in a sigmoid (one output) or softmax it returns
        probabilities, in a linear layer logits; any other end is refused.

    """

    def __init__(
        self, network: Any, classes: Sequence[Any], *, from_logits: bool | None = None
    ) -> None:
        self.network = network
        self.classes = classes
        self.from_logits = from_logits

    @property
    def classes_(self) -> np.ndarray:
        """The labels, in the order of the outputs."""
        return _check_classes(self.classes)

    def returns_logits(self, outputs: int) -> bool:
        """Whether that many outputs are logits, not probabilities."""
        count = len(self.classes_)
        if outputs not in ((1, 2) if count == 2 else (count,)):
            raise lockgate.UsageError(
                f"the network has {outputs} outputs, and classes names {count}; "
                "expected one for each, or one for two"
            )
        if self.from_logits is not None:
            return self.from_logits
        ending = ending_of(self.network)
        if ending == "linear":
            return True
        if ending == ("sigmoid" if outputs == 1 else "softmax"):
            return False
        raise lockgate.UsageError(
            f"the network has {outputs} outputs and ends in {ending or 'nothing known'}, which "
            "does not say whether they are probabilities: pass from_logits=False if they are, "
            "True if they are the sums before; several sigmoids are several labels, with a network "
            "for each"
        )

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Predict the probability of each class, shape (n, classes)."""
        from scipy.special import expit, softmax

        outputs = outputs_of(self.network, X)
        logits = self.returns_logits(outputs.shape[1])
        if outputs.shape[1] == 1:
            probability = expit(outputs) if logits else outputs
            return np.hstack([1 - probability, probability])
        return np.asarray(softmax(outputs, axis=1) if logits else outputs)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict the most probable class, the first of several."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


def _check_classes(classes: object) -> np.ndarray:
    """Return labels as an array; UsageError unless they are different, and of one kind."""
    labels = classes.tolist() if isinstance(classes, np.ndarray) else classes
    if not isinstance(labels, (list, tuple)):
        raise lockgate.UsageError(f"classes is {classes!r}; expected a list, e.g. ['no', 'yes']")
    kinds = {type(label) for label in labels}
    known = any(kinds <= kind for kind in ({str}, {bool}, {int, float}))
    if not known or len(set(labels)) < max(len(labels), 2) or any(x != x for x in labels):
        raise lockgate.UsageError(
            f"classes is {labels!r}; expected two or more different labels, all texts, all numbers "
            "or all truth values"
        )
    return np.asarray(labels)


class NetworkRegressor(RegressorMixin, _Network):  # type: ignore[misc]  # scikit-learn is untyped
    """A trained network as a regression.

    Parameters
    ----------
    network : keras.Model or torch.nn.Module
        It takes rows of shape (n, k), and returns a number for each row, or one for each target.

    """

    def __init__(self, network: Any) -> None:
        self.network = network

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict values, shape (n,), or (n, targets)."""
        outputs = outputs_of(self.network, X)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs
