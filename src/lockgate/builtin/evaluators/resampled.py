"""What evaluators have in common whose intervals come from resampled rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import lockgate

if TYPE_CHECKING:
    import numpy as np

    MetricFunction = Callable[[np.ndarray | None], Mapping[str, float]]

__all__ = ["ResampledMetrics"]


@dataclasses.dataclass(eq=False, kw_only=True)
class ResampledMetrics:
    """Metrics of rows with bootstrap intervals, by the rows' weights and groups."""

    resamples: int = lockgate.setting(
        300,
        at_least=0,
        at_most=100_000,
        help="bootstrap resamples for the intervals; 0: no intervals",
    )

    def measure(
        self,
        request: lockgate.EvaluateRequest,
        compute_metrics: MetricFunction,
        resamples: int | None = None,
    ) -> dict[str, lockgate.Metric]:
        """Return the metrics with their intervals; those that are undefined are left out."""
        from lockgate.modeling.metrics.intervals import bootstrap_intervals

        return bootstrap_intervals(
            compute_metrics,
            len(request.table),
            weight=request.table.weight,
            groups=request.table.groups,
            resamples=self.resamples if resamples is None else resamples,
            seed=request.seed,
        )
