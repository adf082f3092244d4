"""The evaluator ``cost``: size of the model, throughput and latency on this machine."""

from __future__ import annotations

from typing import ClassVar

import lockgate
from lockgate.models.bundle.single_rows import median_seconds, row_predictor


@lockgate.plugin
class Cost:
    """Size of the model, throughput of a batch, and latency of a single row in microseconds.

    These metrics depend on the machine: they go into ``report/cost.json``, never into
    a bundle.
    """

    tasks: ClassVar = (
        *("binary", "multiclass", "regression", "multioutput"),
        *("clustering", "anomaly"),
    )

    repeats: int = lockgate.setting(
        5, at_least=1, at_most=1000, help="number of timings; their median is reported"
    )
    rows: int = lockgate.setting(10_000, at_least=1, help="rows of the batch")

    @lockgate.hookimpl
    def evaluate(self, request: lockgate.EvaluateRequest) -> lockgate.Report:
        """Time the predictor."""
        import numpy as np

        features = request.table.features
        batch = features.iloc[np.resize(np.arange(len(features)), self.rows)].reset_index(drop=True)
        (batch_seconds,) = median_seconds([lambda: request.predictor.predict(batch)], self.repeats)
        one_row = row_predictor(request.predictor, features)
        (row_seconds,) = median_seconds([one_row], self.repeats)
        return lockgate.Report(
            {
                "model_kb": lockgate.Metric(request.model_bytes / 1024),
                "rows_per_second": lockgate.Metric(self.rows / batch_seconds),
                "one_row_us": lockgate.Metric(row_seconds * 1e6),
            },
            nondeterministic=True,
        )
