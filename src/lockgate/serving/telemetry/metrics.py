"""Records metrics: each worker its own, in memory that all workers share.

Every worker writes its metrics to its page of the shared memory, a few times a
second, and any worker can read all pages and return the sums. A worker that is
restarted continues from its page.
"""

from __future__ import annotations

import mmap
import resource
import threading
import time
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lockgate.serving.telemetry.worker_metrics import (
    BATCH_BUCKETS,
    TIME_BUCKETS,
    WorkerMetrics,
    bucket_index,
)

if TYPE_CHECKING:
    from lockgate.serving.telemetry.prometheus import ServedModel

__all__ = ["PAGE", "MetricsRecorder", "exposition", "resident_memory"]

MAX_VERSIONS = 100
"""Model versions that are counted separately; beyond it the oldest are dropped."""

PAGE = 1 << 16
"""Bytes of shared memory for each worker."""

HEAD_BYTES = 8
"""Bytes before the content of a page: its size and its checksum."""

READ_ATTEMPTS = 50
"""Attempts to read a page that its worker is writing."""


class MetricsRecorder:
    """Metrics of one worker, and its page of the shared memory.

    Parameters
    ----------
    pages : mmap.mmap
        The shared memory, one page for each worker.
    slot : int
        Number of this worker's page.

    Attributes
    ----------
    tally : WorkerMetrics
        The metrics so far.

    """

    def __init__(self, pages: mmap.mmap, slot: int) -> None:
        self.pages, self.slot = pages, slot
        self._lock = threading.Lock()
        self.tally = _read_page(pages, slot) or WorkerMetrics()
        self.tally.gauges = {}

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a response."""
        tally = self.tally
        key = f"{route} {status}"
        tally.requests[key] = tally.requests.get(key, 0) + 1
        row = tally.seconds.get(route)
        if row is None:
            row = tally.seconds[route] = [0] * (len(TIME_BUCKETS) + 1)
            tally.seconds_sum[route] = 0.0
        row[bucket_index(TIME_BUCKETS, seconds)] += 1
        tally.seconds_sum[route] += seconds

    def batch(self, address: str, size: int) -> None:
        """Count rows that were predicted together, with a model as ``name@version``."""
        tally = self.tally
        tally.batches[bucket_index(BATCH_BUCKETS, size)] += 1
        tally.batches_sum += size
        tally.executions[address] = tally.executions.get(address, 0) + 1
        tally.latest[address] = time.time()

    def predicted(
        self, address: str, name: str, rows: int, filled: Mapping[str, Mapping[str, int]]
    ) -> None:
        """Count predicted rows.

        Parameters
        ----------
        address : str
            Model and version, as ``name@version``.
        name : str
            Name of the model.
        rows : int
            Number of rows.
        filled : mapping of str to mapping of str to int
            Number of missing or unknown cells, by reason and by column.

        """
        counts, cells = self.tally.rows, self.tally.filled
        if address not in counts and len(counts) >= MAX_VERSIONS:
            oldest = next(iter(counts))  # dicts keep their order
            del counts[oldest]
            self.tally.executions.pop(oldest, None)
            self.tally.latest.pop(oldest, None)
        counts[address] = counts.get(address, 0) + rows
        for reason, columns in filled.items():
            key = f"{name} {reason}"
            cells[key] = cells.get(key, 0) + sum(columns.values())

    def increment(self, name: str, amount: float = 1) -> None:
        """Increase a counter; threads do so, too."""
        with self._lock:
            self.tally.counters[name] = self.tally.counters.get(name, 0) + amount

    def publish(self) -> None:
        """Write the metrics to this worker's page."""
        raw = msgspec.msgpack.encode(self.tally)
        if len(raw) <= PAGE - HEAD_BYTES:
            start = self.slot * PAGE
            head = len(raw).to_bytes(4, "little") + zlib.crc32(raw).to_bytes(4, "little")
            self.pages[start : start + HEAD_BYTES + len(raw)] = head + raw

    def all(self) -> dict[int, WorkerMetrics]:
        """Read the metrics of all workers, by slot."""
        self.publish()
        tallies = {slot: _read_page(self.pages, slot) for slot in range(len(self.pages) // PAGE)}
        return {slot: tally for slot, tally in tallies.items() if tally is not None}


def exposition(
    tallies: dict[int, WorkerMetrics], loaded_models: Iterable[ServedModel], started_at: float
) -> bytes:
    """Return all metrics in the text format of Prometheus; see `telemetry.prometheus`."""
    # loaded by the first scrape only: workers start faster, and without it may never need it
    from lockgate.serving.telemetry import prometheus

    return prometheus.exposition(list(tallies.values()), loaded_models, started_at)


def resident_memory() -> int:
    """Return this process's resident memory in bytes."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def _read_page(pages: mmap.mmap, slot: int) -> WorkerMetrics | None:
    """Read a page, again if its worker was writing it; None if it is empty."""
    start = slot * PAGE
    for _ in range(READ_ATTEMPTS):
        head = pages[start : start + HEAD_BYTES]
        size = int.from_bytes(head[:4], "little")
        if size == 0 or size > PAGE - HEAD_BYTES:
            return None
        raw = pages[start + HEAD_BYTES : start + HEAD_BYTES + size]
        if zlib.crc32(raw) == int.from_bytes(head[4:], "little"):
            return msgspec.msgpack.decode(raw, type=WorkerMetrics)
        time.sleep(0.0002)
    return None
