"""From sums and shares to labels and probabilities, as scikit-learn computes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.contract.conversion import ConvertedModel
from lockgate.models.converters.trace import Trace
from lockgate.models.packed.format import numeric, outputs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["by_margin", "by_score", "exchange_classes", "margin_alone", "probabilities", "value_of"]


def plain_classes(classes: ArrayLike) -> tuple[Any, ...]:
    """Return class labels as plain values."""
    return tuple(np.asarray(classes).tolist())


def by_score(trace: Trace, classes: ArrayLike, share: int) -> ConvertedModel:
    """Return the class with the largest share, the first of several."""
    add, class_labels = trace.builder.add, plain_classes(classes)
    trace.require(len(class_labels) > 1, "a classifier with a single class")
    label = add(outputs.ArgMax, share)
    if len(class_labels) == 2:
        return ConvertedModel(
            label, class_labels, add(numeric.Select, share, columns=(1,)), None, share
        )
    return ConvertedModel(label, class_labels, share)


def by_margin(
    trace: Trace, classes: ArrayLike, margin: int, *, strict: bool = True
) -> ConvertedModel:
    """Return the class by the margin's sign, or the largest margin, with probabilities."""
    add, class_labels = trace.builder.add, plain_classes(classes)
    if len(class_labels) == 2:
        trace.require(trace.builder.width(margin) == 1, "two margins for two classes")
        label = add(outputs.Above, margin, limit=0.0, strict=strict)
        return ConvertedModel(
            label, class_labels, add(numeric.Apply, margin, function="sigmoid"), margin
        )
    return ConvertedModel(
        add(outputs.ArgMax, margin), class_labels, add(outputs.Softmax, margin), margin
    )


def margin_alone(trace: Trace, classes: ArrayLike, margin: int) -> ConvertedModel:
    """Return the class by margin, without probabilities."""
    add, class_labels = trace.builder.add, plain_classes(classes)
    if len(class_labels) == 2:
        return ConvertedModel(
            add(outputs.Above, margin, limit=0.0, strict=True), class_labels, None, margin
        )
    return ConvertedModel(add(outputs.ArgMax, margin), class_labels, None, margin)


def exchange_classes(trace: Trace, outcome: ConvertedModel) -> ConvertedModel:
    """Return a classifier of two classes with these in the other order."""
    add = trace.builder.add
    label = add(numeric.Select, add(outputs.Pair, outcome.label), columns=(0,))
    score = margin = pair = None
    if outcome.score is not None:
        both = probabilities(trace, outcome)
        pair = add(numeric.Select, both, columns=(1, 0))
        score = add(numeric.Select, both, columns=(0,))
    if outcome.margin is not None:
        margin = add(numeric.Apply, outcome.margin, function="negate")
    return ConvertedModel(label, outcome.classes[::-1], score, margin, pair)


def value_of(op: int) -> ConvertedModel:
    """Return the value of a regression."""
    return ConvertedModel(op)


def probabilities(trace: Trace, outcome: ConvertedModel) -> int:
    """Return the operation that gives the probability of every class."""
    score = trace.present(outcome.score, "a classifier without probabilities")
    if len(outcome.classes) != 2:
        return score
    return trace.builder.add(outputs.Pair, score) if outcome.pair is None else outcome.pair
