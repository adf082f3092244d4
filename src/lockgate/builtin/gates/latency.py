"""Gate `latency`: the time that a prediction takes."""

from __future__ import annotations

import statistics
import time
from typing import Any

import lockgate
from lockgate.builtin.gates.rows import plain_rows

__all__ = ["Latency"]


@lockgate.plugin
class Latency:
    """Refuse a model that takes too long for one row.

    Incumbent and candidate are timed in turn, on this machine, now: a share of
    the incumbent's time says more than microseconds do.
    """

    at_most_us: float = lockgate.setting(0.0, at_least=0, help="microseconds; 0: no matter")
    max_ratio: float = lockgate.setting(
        2.0, at_least=0, help="of the incumbent's time; 0: no matter"
    )
    repeats: int = lockgate.setting(200, at_least=10, at_most=100_000, help="the median counts")

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Time single rows in turn."""
        predictors = [
            row_predictor(bundle)
            for bundle in (request.candidate, request.incumbent)
            if bundle is not None
        ]
        seconds: list[list[float]] = [[] for _ in predictors]
        for _ in range(self.repeats):
            for predict_row, times in zip(predictors, seconds, strict=True):
                started = time.perf_counter()
                predict_row()
                times.append(time.perf_counter() - started)
        medians = [statistics.median(times) * 1e6 for times in seconds]
        passed, allowed = True, []
        if self.at_most_us:
            passed = medians[0] <= self.at_most_us
            allowed.append(f"{self.at_most_us:g} µs")
        if self.max_ratio and request.incumbent is not None:
            passed = passed and medians[0] <= self.max_ratio * medians[1]
            version = request.incumbent.version
            allowed.append(f"{self.max_ratio:g} times the {medians[1]:.1f} µs of {version}")
        if not allowed:
            return lockgate.GateResult(
                None,
                f"one row takes {medians[0]:.1f} µs; nothing to hold it to",
                nondeterministic=True,
            )
        return lockgate.GateResult(
            passed,
            f"one row takes {medians[0]:.1f} µs; allowed: {' and '.join(allowed)}",
            {"one_row_us": medians[0]},
            nondeterministic=True,
        )


def row_predictor(bundle: lockgate.EvaluatedBundle) -> Any:
    """Return a function that asks a model one row."""
    row: dict[str, Any] = {column.name: None for column in bundle.inputs.features}
    if bundle.table is not None:
        row = plain_rows(bundle.table.features.iloc[:1])[0]
    predict_one = getattr(bundle.predictor, "predict_one", None)
    if predict_one is not None:
        return lambda: predict_one(row)
    columns = {name: [value] for name, value in row.items()}
    return lambda: bundle.predictor.predict(columns)
