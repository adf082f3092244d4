"""The evaluator ``cost``: size and speed, as this machine has them now."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import lockgate


@lockgate.plugin
class Cost:
    """Size of the model, rows per second in bulk, and the time of a single row.

    Its figures depend on the machine: they go to a side report, never into a bundle.
    """

    repeats: int = lockgate.setting(5, at_least=1, at_most=1000, help="the median counts")
    rows: int = lockgate.setting(10_000, at_least=1, help="rows of the bulk measurement")

    @lockgate.hookimpl
    def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Time the predictor."""
        import numpy as np

        features = request.table.features
        bulk = features.iloc[np.resize(np.arange(len(features)), self.rows)].reset_index(drop=True)
        single = features.iloc[:1].reset_index(drop=True)
        bulk_seconds = self._median_seconds(lambda: request.predictor.predict(bulk))
        row_seconds = self._median_seconds(lambda: request.predictor.predict(single))
        return lockgate.Report(
            {
                "model_kb": lockgate.Metric(request.model_bytes / 1024),
                "rows_per_second": lockgate.Metric(self.rows / bulk_seconds),
                "one_row_ms": lockgate.Metric(row_seconds * 1000),
            },
            nondeterministic=True,
        )

    def _median_seconds(self, work: Callable[[], object]) -> float:
        """Return the median time of one call, in seconds, after one to warm up."""
        work()
        times = []
        for _ in range(self.repeats):
            started = time.perf_counter()
            work()
            times.append(time.perf_counter() - started)
        return statistics.median(times)
