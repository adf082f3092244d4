"""Optimizers that try points of the search space: a grid, or at random."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Mapping
from typing import Any

import lockgate


@lockgate.plugin
class Grid:
    """Try every combination of `points` values per parameter."""

    points: int = lockgate.setting(6, at_least=1, at_most=1000, help="values per parameter")
    most: int = lockgate.setting(500, at_least=1, help="refuse a grid with more points than that")

    @lockgate.hookimpl
    def optimize(self, problem: lockgate.Problem) -> lockgate.Search:
        """Measure the whole grid and take the best."""
        space = problem.recipe.space
        axes = {
            name: allowed.values(self.points) if isinstance(allowed, lockgate.Span) else allowed
            for name, allowed in space.items()
        }
        grid = [dict(zip(axes, point, strict=True)) for point in itertools.product(*axes.values())]
        if len(grid) > self.most:
            raise lockgate.UsageError(
                f"the grid has {len(grid)} points, at most {self.most} are allowed; "
                "lower optimizer.grid.points or choose optimizer=random"
            )
        return _best(problem, grid)


@lockgate.plugin
class Random:
    """Try `trials` points drawn at random (Bergstra and Bengio, 2012)."""

    trials: int = lockgate.setting(12, at_least=1, at_most=100_000, help="points to try")

    @lockgate.hookimpl
    def optimize(self, problem: lockgate.Problem) -> lockgate.Search:
        """Measure the drawn points and take the best."""
        import numpy as np

        rng = np.random.default_rng(problem.seed)
        drawn = [_draw(problem.recipe.space, rng) for _ in range(self.trials)]
        return _best(problem, drawn if problem.recipe.space else [{}])


def _draw(space: Mapping[str, lockgate.Span | list[Any]], rng: Any) -> dict[str, Any]:
    return {
        name: allowed.at(float(rng.random()))
        if isinstance(allowed, lockgate.Span)
        else allowed[int(rng.integers(len(allowed)))]
        for name, allowed in space.items()
    }


def _best(problem: lockgate.Problem, points: Iterable[Mapping[str, Any]]) -> lockgate.Search:
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
    return lockgate.Search(lockgate.Candidate(problem.recipe, best.params), tuple(trials))
