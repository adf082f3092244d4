"""Whether what is said to be true is something that a model could have said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

__all__ = ["match_label"]


def match_label(label: Any, models: Sequence[Sequence[Any]]) -> Any:
    """Return a label as one of the models knows it.

    Parameters
    ----------
    label : str, int, float or bool
        What was said.
    models : sequence of sequence
        Classes of each model that it may be about; none for a regression.

    Returns
    -------
    object
        The class, or the number.

    Raises
    ------
    ValueError
        If no model has such a class, naming those that there are.

    Examples
    --------
    >>> match_label(1.0, [(0, 1)]), match_label(3, [("2", "3")]), match_label("yes", [()])
    Traceback (most recent call last):
    ValueError: label 'yes' is no finite number
    >>> match_label(1.0, [(0, 1)]), match_label(3, [("2", "3")]), match_label(7, [()])
    (1, '3', 7.0)

    """
    for classes in models:
        for class_label in classes:
            if class_label == label and isinstance(class_label, bool) == isinstance(label, bool):
                return class_label
            if isinstance(class_label, str) and class_label == str(label):
                return class_label
    number = isinstance(label, (int, float)) and not isinstance(label, bool)
    if not all(models):
        if number and abs(label) < 1e308 and math.isfinite(label):
            return float(label)
        raise ValueError(f"label {label!r:.60} is no finite number")
    known = ", ".join(repr(class_label) for classes in models for class_label in classes)
    raise ValueError(f"label {label!r:.60} is no class of the model; there are {known[:500]}")
