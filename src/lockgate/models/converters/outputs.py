"""From sums and shares to labels and probabilities, by the rules of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np

from lockgate.contract.conversion import ConvertedModel
from lockgate.models.converters.trace import Trace
from lockgate.models.packed.format import numeric, outputs

__all__ = ["by_margin", "by_score", "margin_alone", "probabilities", "value_of"]


def plain_classes(classes: Any) -> tuple[Any, ...]:
    """Return class labels as plain values."""
    return tuple(np.asarray(classes).tolist())


def by_score(trace: Trace, classes: Any, share: int) -> ConvertedModel:
    """The class with the largest share; the first of several."""
    add, class_labels = trace.builder.add, plain_classes(classes)
    trace.require(len(class_labels) > 1, "a classifier of one class")
    label = add(outputs.ArgMax, share)
    if len(class_labels) == 2:
        return ConvertedModel(
            label, class_labels, add(numeric.Select, share, columns=(1,)), None, share
        )
    return ConvertedModel(label, class_labels, share)


def by_margin(trace: Trace, classes: Any, margin: int, *, strict: bool = True) -> ConvertedModel:
    """The side of zero, or the largest margin; probabilities by the logistic function."""
    add, class_labels = trace.builder.add, plain_classes(classes)
    if len(class_labels) == 2:
        trace.require(trace.builder.width(margin) == 1, "two margins of two classes")
        label = add(outputs.Above, margin, limit=0.0, strict=strict)
        return ConvertedModel(
            label, class_labels, add(numeric.Apply, margin, function="sigmoid"), margin
        )
    return ConvertedModel(
        add(outputs.ArgMax, margin), class_labels, add(outputs.Softmax, margin), margin
    )


def margin_alone(trace: Trace, classes: Any, margin: int) -> ConvertedModel:
    """A label by margin, without probabilities."""
    add, class_labels = trace.builder.add, plain_classes(classes)
    if len(class_labels) == 2:
        return ConvertedModel(
            add(outputs.Above, margin, limit=0.0, strict=True), class_labels, None, margin
        )
    return ConvertedModel(add(outputs.ArgMax, margin), class_labels, None, margin)


def value_of(op: int) -> ConvertedModel:
    """The value of a regression."""
    return ConvertedModel(op)


def probabilities(trace: Trace, outcome: ConvertedModel) -> int:
    """Return the operation that gives the probability of every class."""
    score = trace.present(outcome.score, "a classifier without probabilities")
    if len(outcome.classes) != 2:
        return score
    return trace.builder.add(outputs.Pair, score) if outcome.pair is None else outcome.pair
