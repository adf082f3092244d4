"""The engine ``numba``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import lockgate

if TYPE_CHECKING:
    import numpy as np

    from lockgate.contract.conversion import PreparedForest


@lockgate.plugin
class Numba:
    """Trees in compiled code, with predictions equal to the bit; for offline batches."""

    @lockgate.hookimpl
    def compile(self) -> lockgate.Engine:
        """Return the engine; numba is imported when the first forest is compiled."""
        return lockgate.Engine("numba", _compile_forest)


def _compile_forest(compiled_forest: PreparedForest) -> Callable[[np.ndarray], np.ndarray]:
    from lockgate_numba.forests import compile_forest

    return compile_forest(compiled_forest)
