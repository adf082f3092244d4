"""The backend ``numpy``: arrays in host memory."""

from __future__ import annotations

import lockgate

__all__ = ["Numpy"]


@lockgate.plugin
class Numpy:
    """Compute with NumPy on the CPU; always available."""

    @lockgate.hookimpl
    def arrays(self) -> lockgate.Backend:
        """Return NumPy."""
        import numpy as np

        return lockgate.Backend("numpy", np, np.asarray, np.asarray)
