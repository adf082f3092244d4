"""The optimizer ``random``: random search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import lockgate
from lockgate.builtin.optimizers.search import best_trial

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Random"]


@lockgate.plugin
class Random:
    """Random search: try `trials` random points (Bergstra and Bengio, 2012)."""

    trials: int = lockgate.setting(12, at_least=1, at_most=100_000, help="number of points to try")

    @lockgate.hookimpl
    def optimize(self, request: lockgate.OptimizeRequest) -> lockgate.SearchResult:
        """Measure the random points and return the best."""
        import numpy as np

        rng = np.random.default_rng(request.seed)
        points = [_draw_point(request.recipe.space, rng) for _ in range(self.trials)]
        return best_trial(request, points if request.recipe.space else [{}])


def _draw_point(
    space: Mapping[str, lockgate.SearchRange | list[Any]], rng: np.random.Generator
) -> dict[str, Any]:
    return {
        name: allowed.at(float(rng.random()))
        if isinstance(allowed, lockgate.SearchRange)
        else allowed[int(rng.integers(len(allowed)))]
        for name, allowed in space.items()
    }
