"""Matches labels that came later with the classes of the models."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lockgate.prediction_log.entries import Scalar

__all__ = ["match_label"]


def match_label(label: Scalar, models: Sequence[Sequence[Scalar]]) -> Scalar:
    """Return the class of a model that a label means, or its value for a regression.

    Parameters
    ----------
    label : str, int, float or bool
        The label.
    models : sequence of sequence
        Classes of each model that the label may refer to; empty for a regression.

    Returns
    -------
    str, int, float or bool
        The class, or the number.

    Raises
    ------
    ValueError
        If no model has such a class.

    Examples
    --------
    >>> match_label(1.0, [(0, 1)]), match_label(3, [("2", "3")]), match_label("yes", [()])
    Traceback (most recent call last):
    ValueError: label 'yes' is not a finite number
    >>> match_label(1.0, [(0, 1)]), match_label(3, [("2", "3")]), match_label(7, [()])
    (1, '3', 7.0)

    """
    for classes in models:
        for class_label in classes:
            if class_label == label and isinstance(class_label, bool) == isinstance(label, bool):
                return class_label
            if isinstance(class_label, str) and class_label == str(label):
                return class_label
    if not all(models):
        if (
            isinstance(label, (int, float))
            and not isinstance(label, bool)
            and abs(label) < 1e308  # before isfinite, which fails for an int beyond the floats
            and math.isfinite(label)
        ):
            return float(label)
        raise ValueError(f"label {label!r:.60} is not a finite number")
    known = ", ".join(repr(class_label) for classes in models for class_label in classes)
    raise ValueError(f"label {label!r:.60} is not a class of the model; available: {known[:500]}")
