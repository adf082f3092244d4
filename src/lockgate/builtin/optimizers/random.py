"""The optimizer ``random``: random search."""

from __future__ import annotations

import lockgate
from lockgate.builtin.optimizers.search import best_trial

__all__ = ["Random"]


@lockgate.plugin
class Random:
    """Random search: try `trials` random points (Bergstra and Bengio, 2012).

    A model with a portfolio of good parameters has those measured first.
    """

    trials: int = lockgate.setting(12, at_least=1, at_most=100_000, help="number of points to try")

    @lockgate.hookimpl
    def optimize(self, request: lockgate.OptimizeRequest) -> lockgate.SearchResult:
        """Measure the random points and return the best."""
        import numpy as np

        rng = np.random.default_rng(request.seed)
        points = [request.recipe.draw(rng) for _ in range(self.trials)]
        points = points if request.recipe.space else [{}]
        return best_trial(request, [*request.recipe.portfolio, *points])
