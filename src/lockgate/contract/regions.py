"""Prediction intervals and sets of classes, which hold the truth for a stated share of rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeAlias

import msgspec
import numpy as np

from lockgate.contract.prediction import Output, members_of

__all__ = ["IntervalRegion", "PredictionRegion", "SetRegion", "list_regions", "region_of_row"]


class IntervalRegion(
    msgspec.Struct, frozen=True, tag="interval", tag_field="kind", forbid_unknown_fields=True
):
    """The interval around a regression's value, whose width follows the value.

    Split conformal prediction (Vovk, Gammerman and Shafer, 2005; Lei et al., 2018), by groups of
    the predicted value (Mondrian categories, section 4.5 of the former): the share holds on
    average for rows of each group like those that the bounds were measured on.

    Attributes
    ----------
    coverage : float
        Share of rows whose true value lies in the interval, in (0, 1).
    edges : tuple of float
        Rising values between the groups; a value on an edge is of the lower group.
    below, above : tuple of float
        How far it reaches below and above the value, in each group.

    Examples
    --------
    >>> region = IntervalRegion(0.9, edges=(20.0,), below=(2.0, 8.0), above=(3.0, 9.0))
    >>> output = region.attach(Output(np.array([10.0, 50.0])))
    >>> output.low.tolist(), output.high.tolist()
    ([8.0, 42.0], [13.0, 59.0])

    """

    coverage: float
    edges: tuple[float, ...]
    below: tuple[float, ...]
    above: tuple[float, ...]

    def attach(self, output: Output) -> Output:
        """Return predictions with their intervals."""
        group = np.searchsorted(np.asarray(self.edges, float), output.label)
        below, above = np.asarray(self.below)[group], np.asarray(self.above)[group]
        return replace(output, low=output.label - below, high=output.label + above)

    def is_valid(self, task: str) -> bool:
        """Whether it can be the region of a task's predictions."""
        reaches = [below + above for below, above in zip(self.below, self.above, strict=False)]
        numbers = (*self.edges, *self.below, *self.above)
        return (
            task == "regression"
            and 0 < self.coverage < 1
            and len(self.below) == len(self.above) == len(self.edges) + 1
            and all(map(math.isfinite, numbers))
            and all(low < high for low, high in pairwise(self.edges))
            and 0 <= min(reaches) <= max(reaches) < math.inf
        )

    def describe(self) -> str:
        """Return it as a sentence, for cards and logs."""
        below, above = (
            f"{min(reach):.4g}" if len(set(reach)) == 1 else f"{min(reach):.4g} to {max(reach):.4g}"
            for reach in (self.below, self.above)
        )
        varies = ", depending on the value," if self.edges else ","
        return (
            f"The prediction interval reaches from {below} below the value to {above} above it"
            f"{varies} and holds the true value for {100 * self.coverage:.4g} % of rows like the "
            "tune rows."
        )


class SetRegion(
    msgspec.Struct, frozen=True, tag="set", tag_field="kind", forbid_unknown_fields=True
):
    """The set of classes that are likely enough.

    Sadinle, Lei and Wasserman (2019), Least ambiguous set-valued classifiers; the share holds as
    for `IntervalRegion`.

    Attributes
    ----------
    coverage : float
        Share of rows whose true class is in the set, in (0, 1).
    min_score : float
        Score from which a class is in it, in [0, 1].

    Examples
    --------
    >>> output = Output(np.array(["no"]), np.array([0.3]))
    >>> SetRegion(0.9, min_score=0.25).attach(output).sets.tolist()
    [[True, True]]

    """

    coverage: float
    min_score: float

    def attach(self, output: Output) -> Output:
        """Return predictions with their sets."""
        return replace(output, sets=output.class_scores() >= self.min_score)

    def is_valid(self, task: str) -> bool:
        """Whether it can be the region of a task's predictions."""
        in_range = 0 < self.coverage < 1 and 0 <= self.min_score <= 1
        return task in ("binary", "multiclass") and in_range

    def describe(self) -> str:
        """Return it as a sentence, for cards and logs."""
        return (
            f"The prediction set has every class with a score of at least {self.min_score:.4g}, "
            f"and holds the true one for {100 * self.coverage:.4g} % of rows like the tune rows."
        )


PredictionRegion: TypeAlias = IntervalRegion | SetRegion
"""Prediction interval or set of a model."""


def list_regions(
    region: PredictionRegion | None, label: Any, score: Any, classes: Sequence[Any]
) -> tuple[list[list[float]] | None, list[list[Any]] | None]:
    """Return the intervals and the sets of predictions as lists; None for what there is not.

    Parameters
    ----------
    region : PredictionRegion or None
        That of the model, where it has one.
    label, score : array-like, shape (n,) or (n, classes)
        The predictions; `score` may be None.
    classes : sequence
        Labels in the order of the scores.

    Examples
    --------
    >>> list_regions(SetRegion(0.9, min_score=0.25), ["no"], [0.3], ("no", "yes"))
    (None, [['no', 'yes']])

    """
    if region is None:
        return None, None
    output = region.attach(Output(np.asarray(label), None if score is None else np.asarray(score)))
    if output.low is not None and output.high is not None:
        return np.stack([output.low, output.high], axis=1).tolist(), None
    return None, None if output.sets is None else members_of(output.sets, classes)


def region_of_row(
    region: PredictionRegion | None, label: Any, score: Any, classes: Sequence[Any]
) -> tuple[list[float] | None, list[Any] | None]:
    """Return the interval and the set of a single prediction, as `list_regions` does of several."""
    scores = None if score is None else [score]
    intervals, sets = list_regions(region, [label], scores, classes)
    return None if intervals is None else intervals[0], None if sets is None else sets[0]
