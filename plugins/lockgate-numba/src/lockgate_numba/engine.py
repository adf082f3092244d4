"""The engine ``numba``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lockgate


@lockgate.plugin
class Numba:
    """Trees walked in compiled code, the same answers to the bit; for offline batches."""

    @lockgate.hookimpl
    def compile(self) -> lockgate.ForestEngine:
        """Give the compiled ways of walking; numba is imported when the first forest is met."""
        return lockgate.ForestEngine("numba", _compile_forest)


def _compile_forest(compiled_forest: Any) -> Callable[[Any], Any]:
    from lockgate_numba.forests import compile_forest

    return compile_forest(compiled_forest)
