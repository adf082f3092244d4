"""Gate `latency`: the time that a prediction for one row takes."""

from __future__ import annotations

from collections.abc import Callable

import lockgate
from lockgate.builtin.typical_row import typical_row
from lockgate.models.bundle.single_rows import median_seconds, row_predictor

__all__ = ["Latency"]


@lockgate.plugin
class Latency:
    """Refuse a model whose predictions for one row take too long.

    Candidate and incumbent are timed in turns, in the same run on the same machine:
    a ratio of the two is more stable than microseconds are. The row is the first
    evaluation row, or without any a row of typical training values.
    """

    at_most_us: float = lockgate.setting(
        0.0, at_least=0, help="largest median time in microseconds; 0: no limit"
    )
    max_ratio: float = lockgate.setting(
        2.0, at_least=0, help="largest multiple of the incumbent's time; 0: no limit"
    )
    repeats: int = lockgate.setting(
        200, at_least=10, at_most=100_000, help="predictions to time; the median is compared"
    )

    @lockgate.hookimpl
    def judge(self, request: lockgate.JudgeRequest) -> lockgate.GateResult:
        """Time single rows in turns."""
        bundles = [request.candidate]
        bundles += [request.incumbent] if request.incumbent is not None else []
        predictors = [_row_predictor(bundle) for bundle in bundles]
        for bundle, predict_row in zip(bundles, predictors, strict=True):
            if reason := _reason_not_timed(bundle, predict_row):
                return lockgate.GateResult(None, reason, nondeterministic=True)
        medians = [seconds * 1e6 for seconds in median_seconds(predictors, self.repeats)]
        passed, allowed = True, []
        if self.at_most_us:
            passed = medians[0] <= self.at_most_us
            allowed.append(f"{self.at_most_us:g} µs")
        if self.max_ratio and request.incumbent is not None:
            passed = passed and medians[0] <= self.max_ratio * medians[1]
            version = request.incumbent.version
            allowed.append(f"{self.max_ratio:g} times the {medians[1]:.1f} µs of {version}")
        message = f"predicting one row takes {medians[0]:.1f} µs"
        if not allowed:
            return lockgate.GateResult(None, f"{message}; no limit applies", nondeterministic=True)
        return lockgate.GateResult(
            passed,
            f"{message}; allowed: {' and '.join(allowed)}",
            {"one_row_us": medians[0]},
            nondeterministic=True,
        )


def _row_predictor(bundle: lockgate.EvaluatedBundle) -> Callable[[], object]:
    """Return a function that predicts one row."""
    if bundle.table is not None:
        return row_predictor(bundle.predictor, bundle.table.features)
    return row_predictor(bundle.predictor, typical_row(bundle.schema, bundle.reference))


def _reason_not_timed(bundle: lockgate.EvaluatedBundle, predict_row: Callable[[], object]) -> str:
    """Return why a row of typical values cannot be timed, empty where it can."""
    if bundle.table is not None:  # a refusal of real rows is a failure, not a reason
        return ""
    try:
        predict_row()
    except lockgate.LockgateError as error:
        return (
            f"not timed: {bundle.version} cannot predict a row of typical values ({error}); "
            "pass evaluation rows with --data FILE"
        )
    return ""
