"""Metrics of all workers in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from lockgate.serving.telemetry.worker_metrics import BATCH_BUCKETS, TIME_BUCKETS, WorkerMetrics

__all__ = ["ServedModel", "exposition", "families"]

Number = TypeVar("Number", int, float)

COUNTERS = {
    "log_lost": "Predictions that could not be written to the prediction log.",
    "log_rows": "Rows written to the prediction log.",
    "log_written_bytes": "Bytes of content written to the prediction log.",
    "labels": "Labels received by POST /feedback.",
    "refused_candidates": "Deployments that the server rejected.",
    "swaps": "Deployments that the server switched to.",
    "restarts": "Workers that ended unexpectedly and were restarted.",
}
"""Counters without labels, and their help texts."""

GAUGES = {
    "connections": "Open connections.",
    "queued_rows": "Rows waiting for prediction.",
    "resident_memory_bytes": "Resident memory of the workers.",
}
"""Gauges without labels, and their help texts."""


class ServedModel(Protocol):
    """A model that is served."""

    name: str
    stage: str
    version: str
    digest: str


def exposition(
    workers: Sequence[WorkerMetrics], models: Iterable[ServedModel], started_at: float
) -> bytes:
    """Return the sum of all workers' metrics in the text format.

    Parameters
    ----------
    workers : sequence of WorkerMetrics
        Metrics of each worker.
    models : iterable of ServedModel
        Models that are served.
    started_at : float
        Start of the server, in seconds since 1970.

    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(workers, models, started_at))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(
        self, workers: Sequence[WorkerMetrics], models: Iterable[ServedModel], started_at: float
    ) -> None:
        self.workers, self.models, self.started_at = workers, models, started_at

    def collect(self) -> Iterator[Metric]:
        """Yield all metric families."""
        return families(self.workers, self.models, self.started_at)


def families(
    workers: Sequence[WorkerMetrics], models: Iterable[ServedModel], started_at: float
) -> Iterator[Metric]:
    """Yield all metric families; the parameters are those of `exposition`."""
    yield _requests(workers)
    yield _request_seconds(workers)
    yield _rows(workers)
    yield _filled_cells(workers)
    yield _batch_rows(workers)
    counters = _sum_by_key(worker.counters for worker in workers)
    for name, help_text in COUNTERS.items():
        yield CounterMetricFamily(f"lockgate_{name}", help_text, value=counters.get(name, 0))
    gauges = _sum_by_key(worker.gauges for worker in workers)
    for name, help_text in GAUGES.items():
        yield GaugeMetricFamily(f"lockgate_{name}", help_text, value=gauges.get(name, 0))
    yield GaugeMetricFamily("lockgate_start_time_seconds", "Start of the server.", value=started_at)
    yield _models(models)


def _requests(workers: Sequence[WorkerMetrics]) -> Metric:
    family = CounterMetricFamily("lockgate_requests", "Responses.", labels=["route", "status"])
    for key, count in _sum_by_key(worker.requests for worker in workers).items():
        family.add_metric(key.split(" "), count)
    return family


def _request_seconds(workers: Sequence[WorkerMetrics]) -> Metric:
    family = HistogramMetricFamily(
        "lockgate_request_seconds",
        "Time from the end of a request to its response.",
        labels=["route"],
    )
    for route, seconds in _sum_by_key(worker.seconds_sum for worker in workers).items():
        counts = [worker.seconds[route] for worker in workers if route in worker.seconds]
        family.add_metric([route], _cumulate(TIME_BUCKETS, counts), seconds)
    return family


def _rows(workers: Sequence[WorkerMetrics]) -> Metric:
    family = CounterMetricFamily("lockgate_rows", "Rows predicted.", labels=["model", "version"])
    for key, count in _sum_by_key(worker.rows for worker in workers).items():
        family.add_metric(key.split("@", 1), count)
    return family


def _filled_cells(workers: Sequence[WorkerMetrics]) -> Metric:
    family = CounterMetricFamily(
        "lockgate_filled_cells",
        "Cells with a missing value or an unknown category.",
        labels=["model", "what"],
    )
    for key, count in _sum_by_key(worker.filled for worker in workers).items():
        family.add_metric(key.rsplit(" ", 1), count)
    return family


def _batch_rows(workers: Sequence[WorkerMetrics]) -> Metric:
    family = HistogramMetricFamily("lockgate_batch_rows", "Rows predicted together.")
    total = sum(worker.batches_sum for worker in workers)
    family.add_metric([], _cumulate(BATCH_BUCKETS, [worker.batches for worker in workers]), total)
    return family


def _models(models: Iterable[ServedModel]) -> Metric:
    labels = ["model", "stage", "version", "digest"]
    family = InfoMetricFamily("lockgate_model", "Models that are served.", labels=labels)
    for model in models:
        family.add_metric([model.name, model.stage, model.version, model.digest[:12]], {})
    return family


def _sum_by_key(parts: Iterable[dict[str, Number]]) -> dict[str, Number]:
    totals: dict[str, Number] = {}
    for part in parts:
        for key, count in part.items():
            totals[key] = totals[key] + count if key in totals else count
    return dict(sorted(totals.items()))


def _cumulate(bounds: Sequence[float], counts: list[list[int]]) -> list[tuple[str, int]]:
    """Return cumulative counts, as the format demands, over the workers' buckets."""
    buckets, total = [], 0
    for index, bound in enumerate((*bounds, float("inf"))):
        total += sum(row[index] for row in counts)
        buckets.append(("+Inf" if index == len(bounds) else str(float(bound)), total))
    return buckets
