"""Runs the trials of a search within its budget."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import lockgate


def best_trial(
    request: lockgate.OptimizeRequest, points: Iterable[Mapping[str, Any]]
) -> lockgate.SearchResult:
    """Measure points in order until the time budget ends; return the first of the best trials."""
    started = time.monotonic()
    trials: list[lockgate.Trial] = []
    point_list = list(points)
    for params in request.progress(point_list, total=len(point_list), label="trials"):
        elapsed = time.monotonic() - started
        if trials and request.budget.seconds is not None and elapsed > request.budget.seconds:
            request.log.info(
                "the time budget ended after %d of %d trials", len(trials), len(point_list)
            )
            break
        trials.append(request.measure(params))
    best = min(trials, key=lambda trial: trial.loss)
    return lockgate.SearchResult(lockgate.Candidate(request.recipe, best.params), tuple(trials))
