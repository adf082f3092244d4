"""The best of the trials, as search results name it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import lockgate


def best_trial(
    problem: lockgate.OptimizeRequest, points: Iterable[Mapping[str, Any]]
) -> lockgate.SearchResult:
    """Measure points in order until the budget ends; ties go to the earlier one."""
    started = time.monotonic()
    trials: list[lockgate.Trial] = []
    listed = list(points)
    for params in problem.progress(listed, total=len(listed), label="trials"):
        spent = time.monotonic() - started
        if trials and problem.budget.seconds is not None and spent > problem.budget.seconds:
            problem.log.info("the time is up after %d of %d trials", len(trials), len(listed))
            break
        trials.append(problem.measure(params))
    best = min(trials, key=lambda trial: trial.loss)
    return lockgate.SearchResult(lockgate.Candidate(problem.recipe, best.params), tuple(trials))
