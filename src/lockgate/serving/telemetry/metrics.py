"""What is counted: by each worker for itself, added up by whichever is asked.

Every worker writes its counts, a few times a second, to a page of memory that
all of them share. One that is restarted goes on from what stands there.
"""

from __future__ import annotations

import mmap
import resource
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

__all__ = [
    "BUCKETS",
    "MetricsRecorder",
    "WorkerMetrics",
    "exposition",
    "families",
    "resident_memory",
]

BUCKETS = (
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
"""Upper bounds of the buckets of times, in seconds."""

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Upper bounds of the buckets of batches, in rows."""

VERSIONS = 100
"""Versions of models that are counted apart; beyond it the oldest are forgotten."""

PAGE = 1 << 16
"""Bytes that a worker's counts may take."""


class WorkerMetrics(msgspec.Struct):
    """One worker's counts.

    Attributes
    ----------
    requests : dict of (route, status) to int
        Replies.
    seconds : dict of route to list of int
        Replies by `BUCKETS`, the last one for those beyond.
    seconds_sum : dict of route to float
        Sum of the times.
    rows : dict of (model, version) to int
        Rows answered.
    filled : dict of (model, what) to int
        Cells answered with a gap or an unknown category.
    batches : list of int
        Batches by `SIZES`.
    batches_sum : int
        Rows of all batches.
    counters : dict of str to float
        Other counts by name.
    gauges : dict of str to float
        Values of this moment, e.g. open connections.

    """

    requests: dict[str, int] = {}
    seconds: dict[str, list[int]] = {}
    seconds_sum: dict[str, float] = {}
    rows: dict[str, int] = {}
    filled: dict[str, int] = {}
    batches: list[int] = msgspec.field(default_factory=lambda: [0] * (len(SIZES) + 1))
    batches_sum: int = 0
    counters: dict[str, float] = {}
    gauges: dict[str, float] = {}


class MetricsRecorder:
    """A worker's counts, and the page that it shows them on.

    Parameters
    ----------
    pages : mmap.mmap
        One page for each worker, shared by all.
    slot : int
        Which one is ours.

    """

    def __init__(self, pages: mmap.mmap, slot: int) -> None:
        self.pages, self.slot = pages, slot
        self.tally = _read(pages, slot) or WorkerMetrics()
        self.tally.gauges = {}
        self._routes: dict[tuple[str, int], list[int]] = {}

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a reply."""
        tally = self.tally
        key = f"{route} {status}"
        tally.requests[key] = tally.requests.get(key, 0) + 1
        row = tally.seconds.get(route)
        if row is None:
            row = tally.seconds[route] = [0] * (len(BUCKETS) + 1)
            tally.seconds_sum[route] = 0.0
        row[_bucket_index(BUCKETS, seconds)] += 1
        tally.seconds_sum[route] += seconds

    def batch(self, size: int) -> None:
        """Count rows that were computed together."""
        self.tally.batches[_bucket_index(SIZES, size)] += 1
        self.tally.batches_sum += size

    def predicted(
        self, address: str, name: str, rows: int, filled: Mapping[str, Mapping[str, int]]
    ) -> None:
        """Count predicted rows.

        Parameters
        ----------
        address : str
            Model and version, as ``name@version``.
        name : str
            The model.
        rows : int
            How many rows.
        filled : mapping of str to mapping of str to int
            Cells that were missing or unknown, by what they were and by column.

        """
        counts, cells = self.tally.rows, self.tally.filled
        if address not in counts and len(counts) >= VERSIONS:
            del counts[next(iter(counts))]  # the version that was first served longest ago
        counts[address] = counts.get(address, 0) + rows
        for reason, columns in filled.items():
            key = f"{name} {reason}"
            cells[key] = cells.get(key, 0) + sum(columns.values())

    def increment(self, name: str, amount: float = 1) -> None:
        """Count something else."""
        self.tally.counters[name] = self.tally.counters.get(name, 0) + amount

    def publish(self) -> None:
        """Write the counts to our page."""
        raw = msgspec.msgpack.encode(self.tally)
        if len(raw) <= PAGE - 8:
            start = self.slot * PAGE
            head = len(raw).to_bytes(4, "little") + zlib.crc32(raw).to_bytes(4, "little")
            self.pages[start : start + 8 + len(raw)] = head + raw

    def all(self) -> dict[int, WorkerMetrics]:
        """Read everybody's counts."""
        self.publish()
        tallies = {slot: _read(self.pages, slot) for slot in range(len(self.pages) // PAGE)}
        return {slot: tally for slot, tally in tallies.items() if tally is not None}


def _bucket_index(bounds: tuple[float, ...], value: float) -> int:
    for index, bound in enumerate(bounds):
        if value <= bound:
            return index
    return len(bounds)


def _read(pages: mmap.mmap, slot: int) -> WorkerMetrics | None:
    """Read a page that its owner may be writing at this moment."""
    start = slot * PAGE
    for _ in range(50):
        head = pages[start : start + 8]
        size = int.from_bytes(head[:4], "little")
        if size == 0 or size > PAGE - 8:
            return None
        raw = pages[start + 8 : start + 8 + size]
        if zlib.crc32(raw) == int.from_bytes(head[4:], "little"):
            return msgspec.msgpack.decode(raw, type=WorkerMetrics)
        time.sleep(0.0002)
    return None


def exposition(
    tallies: dict[int, WorkerMetrics], loaded_models: Iterable[Any], started_at: float
) -> bytes:
    """Write all counts in Prometheus' text format."""
    from prometheus_client import CollectorRegistry, generate_latest

    class Collector:
        def collect(self) -> Iterator[Any]:
            yield from families(list(tallies.values()), loaded_models, started_at)

        def describe(self) -> list[Any]:
            return []

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector())
    return generate_latest(registry)


COUNTERS = {
    "log_lost": "Answers that could not be written to the prediction log.",
    "log_rows": "Rows written to the prediction log.",
    "log_written_bytes": "Bytes of content written to the prediction log.",
    "labels": "Labels taken by POST /feedback.",
    "refused_candidates": "Bundles that were to be served and were refused.",
    "swaps": "Changes of what is served.",
    "restarts": "Workers that ended unexpectedly and were restarted.",
}
"""Further counters, with what they count."""

GAUGES = {
    "connections": "Open connections.",
    "queued_rows": "Rows that wait for an answer.",
    "resident_memory_bytes": "Memory of the process, resident.",
}
"""Values of the moment, by worker."""


def families(
    tallies: list[WorkerMetrics], loaded_models: Iterable[Any], started_at: float
) -> Iterator[Any]:
    """Yield everything that is shown, as prometheus_client's families."""
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        InfoMetricFamily,
    )

    requests = CounterMetricFamily("lockgate_requests", "Replies.", labels=["route", "status"])
    for key, count in _sum_by_key(tally.requests for tally in tallies).items():
        requests.add_metric(key.split(" "), count)
    yield requests
    times = HistogramMetricFamily(
        "lockgate_request_seconds", "Time from a whole request to its reply.", labels=["route"]
    )
    sums = _sum_by_key(tally.seconds_sum for tally in tallies)
    for route, spent in sums.items():
        rows = [tally.seconds[route] for tally in tallies if route in tally.seconds]
        times.add_metric([route], _cumulate(BUCKETS, rows), spent)
    yield times
    rows_total = CounterMetricFamily("lockgate_rows", "Rows answered.", labels=["model", "version"])
    for key, count in _sum_by_key(tally.rows for tally in tallies).items():
        rows_total.add_metric(key.split("@", 1), count)
    yield rows_total
    filled = CounterMetricFamily(
        "lockgate_filled_cells",
        "Cells answered as a gap or an unknown category.",
        labels=["model", "what"],
    )
    for key, count in _sum_by_key(tally.filled for tally in tallies).items():
        filled.add_metric(key.rsplit(" ", 1), count)
    yield filled
    total = sum(tally.batches_sum for tally in tallies)
    batches = HistogramMetricFamily("lockgate_batch_rows", "Rows that were computed together.")
    batches.add_metric([], _cumulate(SIZES, [tally.batches for tally in tallies]), total)
    yield batches
    counters = _sum_by_key(tally.counters for tally in tallies)
    for name, help_ in COUNTERS.items():
        yield CounterMetricFamily(f"lockgate_{name}", help_, value=counters.get(name, 0))
    gauges = _sum_by_key(tally.gauges for tally in tallies)
    for name, help_ in GAUGES.items():
        yield GaugeMetricFamily(f"lockgate_{name}", help_, value=gauges.get(name, 0))
    yield GaugeMetricFamily(
        "lockgate_start_time_seconds", "When the server began.", value=started_at
    )
    models = InfoMetricFamily(
        "lockgate_model", "What is served.", labels=["model", "stage", "version", "digest"]
    )
    for model in loaded_models:
        models.add_metric([model.name, model.stage, model.version, model.digest[:12]], {})
    yield models


def _sum_by_key(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    totals: dict[str, Any] = {}
    for part in parts:
        for key, count in part.items():
            totals[key] = totals.get(key, 0) + count
    return dict(sorted(totals.items()))


def _cumulate(bounds: tuple[float, ...], rows: list[list[int]]) -> list[tuple[str, int]]:
    buckets, total = [], 0
    for k, bound in enumerate((*bounds, float("inf"))):
        total += sum(row[k] for row in rows)
        buckets.append(("+Inf" if k == len(bounds) else str(float(bound)), total))
    return buckets


def resident_memory() -> int:
    """Return this process's resident memory in bytes."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return 0
