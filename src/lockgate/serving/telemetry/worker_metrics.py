"""Metrics of one worker, as plain data, and the buckets of its histograms."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

__all__ = ["BATCH_BUCKETS", "TIME_BUCKETS", "WorkerMetrics", "bucket_index"]

TIME_BUCKETS = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    10.0,
)
"""Upper bounds of the buckets of response times, in seconds."""

BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Upper bounds of the buckets of batch sizes, in rows."""


class WorkerMetrics(msgspec.Struct):
    """Metrics of one worker.

    Attributes
    ----------
    requests : dict of str to int
        Responses, by ``route status``.
    seconds : dict of str to list of int
        Responses by route and `TIME_BUCKETS`; the last bucket has no upper bound.
    seconds_sum : dict of str to float
        Sum of the response times, by route.
    rows : dict of str to int
        Rows predicted, by ``model@version``.
    executions : dict of str to int
        Batches predicted, by ``model@version``.
    latest : dict of str to float
        Time of the latest of them, in seconds since 1970, by ``model@version``.
    filled : dict of str to int
        Cells with a missing value or an unknown category, by ``model reason``.
    batches : list of int
        Batches by `BATCH_BUCKETS`; the last bucket has no upper bound.
    batches_sum : int
        Rows of all batches.
    counters : dict of str to float
        Other counters by name.
    gauges : dict of str to float
        Current values by name, e.g. open connections.

    """

    requests: dict[str, int] = {}
    seconds: dict[str, list[int]] = {}
    seconds_sum: dict[str, float] = {}
    rows: dict[str, int] = {}
    executions: dict[str, int] = {}
    latest: dict[str, float] = {}
    filled: dict[str, int] = {}
    batches: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BATCH_BUCKETS) + 1))
    batches_sum: int = 0
    counters: dict[str, float] = {}
    gauges: dict[str, float] = {}


def bucket_index(bounds: Sequence[float], value: float) -> int:
    """Return the index of the bucket for a value; `len(bounds)` if it is above all bounds."""
    for index, bound in enumerate(bounds):
        if value <= bound:
            return index
    return len(bounds)
