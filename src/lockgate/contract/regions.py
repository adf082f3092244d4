"""What surrounds a prediction so that the truth lies in it as often as was said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lockgate.contract.prediction import Output

__all__ = ["PredictionRegion"]


@dataclass(frozen=True)
class PredictionRegion:
    """What surrounds a prediction so that the truth lies in it as often as was said.

    Split conformal prediction (Vovk, Gammerman and Shafer, 2005; Lei et al., 2018; sets of
    classes: Sadinle, Lei and Wasserman, 2019): the share holds on average for rows like those
    that the region was measured on.

    Attributes
    ----------
    coverage : float
        Share of rows whose truth lies in the region, in (0, 1).
    below, above : float or None
        How far the interval of a regression reaches below and above the value.
    least_score : float or None
        Score from which a class is in the set of a classifier.

    Examples
    --------
    >>> import numpy as np
    >>> region = PredictionRegion(0.9, below=2.0, above=3.0)
    >>> output = region.around(Output(np.array([10.0])))
    >>> output.low.tolist(), output.high.tolist()
    ([8.0], [13.0])

    """

    coverage: float
    below: float | None = None
    above: float | None = None
    least_score: float | None = None

    def problem(self, task: str) -> str:
        """Return what is wrong with it as the region of a task's predictions; empty if nothing."""
        bounds = (self.below, self.above)
        if not 0 < self.coverage < 1:
            return f"its coverage is {self.coverage}, expected a number between 0 and 1"
        if task == "regression":
            known = [bound for bound in bounds if bound is not None and math.isfinite(bound)]
            if len(known) < 2 or sum(known) < 0 or self.least_score is not None:
                return "it is not an interval around a value"
        elif task not in ("binary", "multiclass"):
            return f"the task {task} has none"
        elif bounds != (None, None) or not 0 <= (self.least_score or 0.0) <= 1:
            return "it is not a score from which classes are in a set"
        elif self.least_score is None:
            return "it has no score from which classes are in a set"
        return ""

    def around(self, output: Output) -> Output:
        """Return predictions with their intervals or sets."""
        import numpy as np

        if self.below is not None and self.above is not None:
            low, high = output.label - self.below, output.label + self.above
            return replace(output, low=low, high=high)
        if self.least_score is None or output.score is None:
            return output
        score = np.asarray(output.score)
        of_each = np.stack([1 - score, score], axis=1) if score.ndim == 1 else score
        return replace(output, sets=of_each >= self.least_score)

    def around_row(
        self, label: Any, score: Any, classes: Sequence[Any]
    ) -> tuple[list[float] | None, list[Any] | None]:
        """Return the interval of one value, or the set of classes for one row's scores."""
        if self.below is not None and self.above is not None:
            return [label - self.below, label + self.above], None
        if self.least_score is None or score is None:
            return None, None
        of_each = score if isinstance(score, (list, tuple)) else (1 - score, score)
        chosen = zip(classes, of_each, strict=True)
        return None, [name for name, share in chosen if share >= self.least_score]
