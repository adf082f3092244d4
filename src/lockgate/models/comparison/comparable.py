"""Whether metrics of two models mean the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lockgate.contract.recipes import UNSUPERVISED
from lockgate.errors import SchemaViolation
from lockgate.modeling.metrics.losses import class_indices

__all__ = ["Predicted", "describe_mismatch"]


class Predicted(NamedTuple):
    """What a model predicts.

    Attributes
    ----------
    label : str
        Name of the model in messages, e.g. its version.
    task : str
        Task of the model.
    classes : tuple
        Labels in the order of the scores.
    targets : tuple of str
        Columns that it predicts.
    quantile : float or None
        Quantile that a regression predicts; None for a mean.

    """

    label: str
    task: str
    classes: tuple[Any, ...]
    targets: tuple[str, ...]
    quantile: float | None


def describe_mismatch(new: Predicted, old: Predicted) -> str:
    """Return why metrics of two models mean different things; empty if they mean the same.

    Examples
    --------
    >>> old = Predicted("1.0.0", "regression", (), ("price",), None)
    >>> describe_mismatch(old._replace(label="1.1.0", quantile=0.9), old)
    'it predicts the 0.9 quantile, 1.0.0 means'

    """
    if new.task != old.task:
        return f"the task is {new.task}, that of {old.label} is {old.task}"
    if mismatch := _describe_classes(new, old):
        return mismatch
    if {*new.targets} != {*old.targets}:
        return f"it predicts {', '.join(new.targets)}, {old.label} {', '.join(old.targets)}"
    if new.quantile != old.quantile:
        return f"it predicts {_values(new.quantile)}, {old.label} {_values(old.quantile)}"
    return ""


def _describe_classes(new: Predicted, old: Predicted) -> str:
    """Return why the classes of two models cannot be matched; empty if they can."""
    known = [label for label in new.classes if _is_among(label, old.classes)]
    if not new.classes or new.task in UNSUPERVISED:
        return ""
    if not known or (new.task == "binary" and len(known) < 2):
        return (
            f"its classes are {', '.join(map(repr, new.classes))}, those of {old.label} "
            f"{', '.join(map(repr, old.classes))}"
        )
    if new.task == "binary" and _is_among(new.classes[-1], old.classes[:1]):
        return (
            f"the positive class is {new.classes[-1]}, that of {old.label} is "
            f"{old.classes[-1]}; metrics such as recall are of another class"
        )
    return ""


def _is_among(label: object, classes: Sequence[object]) -> bool:
    """Whether a label is one of the classes, by value or by its text."""
    try:
        class_indices(np.array([label], dtype=object), classes)
    except SchemaViolation:
        return False
    return True


def _values(quantile: float | None) -> str:
    """Return what the values of a regression are."""
    return "means" if quantile is None else f"the {quantile:g} quantile"
