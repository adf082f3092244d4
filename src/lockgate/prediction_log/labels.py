"""Matches labels that came later with the classes of the models."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lockgate.models.bundle.manifest import Manifest
from lockgate.prediction_log.entries import Scalar

__all__ = ["Outcome", "match_label", "match_outcome", "match_values"]

Outcome = Scalar | dict[str, float]
"""True outcome of a row: its class or value, or the value of each of several targets."""


def match_outcome(
    outcome: Scalar | Mapping[str, Scalar | None], manifests: Sequence[Manifest]
) -> Outcome:
    """Return what an outcome means to one of the models that it may refer to.

    Raises
    ------
    ValueError
        If no model has such outcomes.

    """
    several = [m.schema.targets for m in manifests if m.task == "multioutput"]
    if isinstance(outcome, Mapping):
        return match_values(outcome, several)
    classes = [tuple(m.classes) for m in manifests if m.task != "multioutput"]
    if several and not classes:
        raise ValueError(f"label {outcome!r:.60} is a single value; expected {_describe(several)}")
    return match_label(outcome, classes)


def match_values(
    values: Mapping[str, Scalar | None], models: Sequence[Sequence[str]]
) -> dict[str, float]:
    """Return the values of a model's targets, in their order, from values by target.

    Targets whose value is not known yet may be absent, or None.

    Raises
    ------
    ValueError
        If no model has these targets, or a value is not a finite number.

    Examples
    --------
    >>> match_values({"cooling": 3, "heating": 2.5}, [("heating", "cooling")])
    {'heating': 2.5, 'cooling': 3.0}

    """
    known = {name: value for name, value in values.items() if value is not None}
    for targets in models:
        if known and set(values) <= set(targets):
            return {
                target: _number(f"label of {target}", known[target])
                for target in targets
                if target in known
            }
    expected = _describe(models) if models else "a class or a number"
    raise ValueError(f"the label has values of {', '.join(known)!s:.200}; expected {expected}")


def _describe(models: Sequence[Sequence[str]]) -> str:
    each = dict.fromkeys(f"values of {', '.join(targets)}" for targets in models)
    return " or ".join(each)[:500]


def _number(subject: str, value: Scalar) -> float:
    if (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and abs(value) < 1e308  # before isfinite, which fails for an int beyond the floats
        and math.isfinite(value)
    ):
        return float(value)
    raise ValueError(f"{subject} {value!r:.60} is not a finite number")


def match_label(label: Scalar, models: Sequence[Sequence[Scalar]]) -> Scalar:
    """Return the class of a model that a label means, or its value for a regression.

    Parameters
    ----------
    label : str, int, float or bool
        The label.
    models : sequence of sequence
        Classes of each model that the label may refer to; empty where numbers are predicted.

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
        return _number("label", label)
    known = ", ".join(repr(class_label) for classes in models for class_label in classes)
    raise ValueError(f"label {label!r:.60} is not a class of the model; available: {known[:500]}")
