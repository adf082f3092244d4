"""How often intervals and sets hold the truth, and how wide they are, for the evaluators."""

from __future__ import annotations

from collections.abc import Mapping

import lockgate

__all__ = ["region_message", "region_metrics"]


def region_metrics(request: lockgate.EvaluateRequest) -> dict[str, lockgate.Metric]:
    """Return coverage with its interval, and width or size; empty without intervals and sets."""
    import numpy as np

    from lockgate.modeling.metrics.losses import class_indices
    from lockgate.modeling.metrics.rates import RowSample, rate_metric

    table, output = request.table, request.output
    if output.low is not None and output.high is not None:
        truth = table.target.astype(float)
        hit = (truth >= output.low) & (truth <= output.high)
        name, sizes = "interval_width", output.high - output.low
    elif output.sets is not None:
        hit = output.sets[np.arange(len(table)), class_indices(table.target, request.classes)]
        name, sizes = "set_size", output.sets.sum(axis=1)
    else:
        return {}
    sample = RowSample.of(len(table), table.weight, table.groups)
    mean = float(np.average(sizes, weights=table.weight))
    return {"coverage": rate_metric(hit, sample), name: lockgate.Metric(mean)}


def region_message(metrics: Mapping[str, lockgate.Metric]) -> list[str]:
    """Return the coverage as a sentence; empty without intervals and sets."""
    if "coverage" not in metrics:
        return []
    covered = f"{metrics['coverage'].estimate:.1%} of the test rows"
    if "interval_width" in metrics:
        width = metrics["interval_width"].estimate
        return [f"the true value of {covered} lies in its interval, {width:.4g} wide on average"]
    size = metrics["set_size"].estimate
    return [f"the true class of {covered} is in its set, of {size:.3g} classes on average"]
