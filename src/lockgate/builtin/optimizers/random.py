"""Optimizer `random`: values drawn at random."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lockgate
from lockgate.builtin.optimizers.search import best_trial

__all__ = ["Random"]


@lockgate.plugin
class Random:
    """Try `trials` points drawn at random (Bergstra and Bengio, 2012)."""

    trials: int = lockgate.setting(12, at_least=1, at_most=100_000, help="points to try")

    @lockgate.hookimpl
    def optimize(self, request: lockgate.OptimizeRequest) -> lockgate.SearchResult:
        """Measure the drawn points and take the best."""
        import numpy as np

        rng = np.random.default_rng(request.seed)
        drawn = [_draw(request.recipe.space, rng) for _ in range(self.trials)]
        return best_trial(request, drawn if request.recipe.space else [{}])


def _draw(space: Mapping[str, lockgate.SearchRange | list[Any]], rng: Any) -> dict[str, Any]:
    return {
        name: allowed.at(float(rng.random()))
        if isinstance(allowed, lockgate.SearchRange)
        else allowed[int(rng.integers(len(allowed)))]
        for name, allowed in space.items()
    }
