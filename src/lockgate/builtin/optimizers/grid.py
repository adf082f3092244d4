"""The optimizer ``grid``: every combination of evenly spaced values."""

from __future__ import annotations

import itertools

import lockgate
from lockgate.builtin.optimizers.search import best_trial

__all__ = ["Grid"]


@lockgate.plugin
class Grid:
    """Grid search: try every combination of `points` values per parameter."""

    points: int = lockgate.setting(6, at_least=1, at_most=1000, help="values per parameter")
    max_points: int = lockgate.setting(
        500, at_least=1, help="largest size of the grid; a larger grid is refused"
    )

    @lockgate.hookimpl
    def optimize(self, request: lockgate.OptimizeRequest) -> lockgate.SearchResult:
        """Measure every point of the grid and return the best."""
        space = request.recipe.space
        axes = {
            name: allowed.values(self.points)
            if isinstance(allowed, lockgate.SearchRange)
            else allowed
            for name, allowed in space.items()
        }
        grid = [dict(zip(axes, point, strict=True)) for point in itertools.product(*axes.values())]
        if len(grid) > self.max_points:
            raise lockgate.UsageError(
                f"the grid has {len(grid)} points, more than max_points={self.max_points}; "
                "lower optimizer.grid.points or choose optimizer=random"
            )
        return best_trial(request, grid)
